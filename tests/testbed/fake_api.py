"""A web server that answers as a Prefect server might that is broken, strange or of another release."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


@contextmanager
def fake_server(answer: Any, *, date: str | None = None) -> Iterator[str]:
    """Answer every request by `answer(path, headers)`, a status and a JSON value; yield the address of the API.

    `date` stands for the header that real servers send; "" sends none.
    """

    class Fake(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, value = answer(self.path, self.headers)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(timestamp) if date is None else date

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Fake) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()
