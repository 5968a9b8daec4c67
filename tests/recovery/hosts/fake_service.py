"""A small real web service for the tests: PORT STATUS_FILE [deaf]. Answers /sehat with the status in the file."""

import http.server
import signal
import sys
from pathlib import Path


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(Path(sys.argv[2]).read_text()))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
