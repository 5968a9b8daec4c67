"""A real HTTP proxy on loopback before an S3 server, which can lie as stores and networks do: it changes bytes, cuts
answers and requests short, swallows writes, or is too busy."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    """What the client sent. A rule may change it before it is passed on."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def is_data(self) -> bool:
        """Whether it carries an object, or a part of one."""
        return self.method == "PUT" and len(self.body) > 0 and "retention" not in self.path


@dataclass
class Answer:
    """What the server said. A rule may change it before it is passed back; `cut` ends it after so many bytes."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    cut: int | None = None


# Given a request, a rule returns None to let it pass, an answer of its own, or a function for the server's answer.
Rule = Callable[[Request], "Answer | Callable[[Answer], Answer] | None"]
CUT = Answer(0, cut=0)  # no answer at all: the connection ends


class S3Proxy:
    """Where it listens, what rule it follows now, and what passed through it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.rule: Rule = lambda request: None
        self.seen: list[tuple[str, str]] = []

    def count(self, method: str, text: str = "") -> int:
        """Return how many requests of a method had the text in their path."""
        return sum(1 for each, path in self.seen if each == method and text in path)


def busy(request: Request) -> Answer:
    """A rule: the service is too busy."""
    return Answer(503, [("Content-Type", "application/xml")], b"<Error><Code>SlowDown</Code></Error>")


def flipped(body: bytes) -> bytes:
    """Return the bytes with one bit of the middle one turned."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


@contextmanager
def s3_proxy(port: int) -> Iterator[S3Proxy]:
    """Run a proxy to a server's port on loopback."""
    proxies: list[S3Proxy] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:
                self.close_connection = True  # the client went away, as clients of cut connections do

        def _serve(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            headers = [(name, value) for name, value in self.headers.items() if name.lower() != "expect"]
            request = Request(self.command, self.path, headers, self.rfile.read(size))
            (proxy,) = proxies
            proxy.seen.append((request.method, request.path))
            said = proxy.rule(request)
            answer = said if isinstance(said, Answer) else self._pass_on(request)
            self._send(said(answer) if callable(said) else answer)

        def _pass_on(self, request: Request) -> Answer:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            try:
                connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
                for name, value in request.headers:
                    connection.putheader(name, value)
                connection.endheaders(request.body)
                got = connection.getresponse()
                return Answer(got.status, got.getheaders(), got.read())
            finally:
                connection.close()

        def _send(self, answer: Answer) -> None:
            if answer is CUT:
                self.close_connection = True
                return
            self.send_response_only(answer.status)
            dropped = {"connection", "transfer-encoding"} | ({"content-length"} if self.command != "HEAD" else set())
            for name, value in answer.headers:
                if name.lower() not in dropped:
                    self.send_header(name, value)
            if self.command != "HEAD" and answer.status != 204:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            self.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])
            if answer.cut is not None:
                self.wfile.flush()
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 - so the base class finds them

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        proxies.append(S3Proxy(f"http://127.0.0.1:{server.server_address[1]}"))
        try:
            yield proxies[0]
        finally:
            server.shutdown()
            thread.join()
