"""A small web server before applications, as nginx is: `page_server.py PORT DIRECTORY NAME=PORT=FLAG,FLAG…`.

/NAME is handed to the application on that port. While one of its flag files is there, people see a page (503); while
DIRECTORY/broken-NAME is there, an error (500).
"""

import http.client
import http.server
import sys
from pathlib import Path

TEXT = "Sedang dalam pemeliharaan"
FOLDER = Path(sys.argv[2]) if __name__ == "__main__" else Path()
SITES = {
    name: (int(port), [Path(flag) for flag in flags.split(",")])
    for name, port, flags in (each.split("=") for each in sys.argv[3:] if each.count("=") == 2)
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.strip("/")
        port, flags = SITES[name]
        if (FOLDER / f"broken-{name}").exists():
            self.answer(500, "rusak")
        elif any(flag.exists() for flag in flags):
            self.answer(503, TEXT)
        else:
            self.answer(self.ask(port), "")

    def ask(self, port: int) -> int:
        application = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            application.request("GET", "/sehat")
            return application.getresponse().status
        except OSError:
            return 502
        finally:
            application.close()

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
