"""A web service of the tests: `web_service.py run|start|stop STATE PORT DATABASE`.

Its own process, answering on /sehat from its database; it obeys files in STATE that tests put there: `ignore-stop`
(does not stop), `refuse-start` (does not start), `unhealthy` (answers 500), `unhealthy-with-TABLE` and
`unhealthy-without-TABLE` (answers 500 while that table is in the database, or is not).
"""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path


def run(state: Path, port: int, database: str) -> None:
    """Serve until SIGTERM, unless told to ignore it."""
    import http.server  # here: starting and stopping need none of it, and the tests do little else

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ill = (state / "unhealthy").exists()
            try:
                with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
                    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
                connection.close()
            except sqlite3.Error:
                ill, tables = True, set()
            ill = ill or any((state / f"unhealthy-with-{table}").exists() for table in tables)
            lacking = [path.name.removeprefix("unhealthy-without-") for path in state.glob("unhealthy-without-*")]
            ill = ill or not tables.issuperset(lacking)
            self.send_response(500 if ill else 200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    def end(number: int, frame: object) -> None:
        if not (state / "ignore-stop").exists():
            os._exit(0)

    signal.signal(signal.SIGTERM, end)
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def start(state: Path, port: int, database: str) -> int:
    """Start the service in the background, as an init script would: of one that runs there is no second."""
    if (state / "refuse-start").exists() or serving(state):
        return 0  # a return code that may lie
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, "run", str(state), str(port), database],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    (state / "pid").write_text(str(process.pid))
    return 0


def serving(state: Path) -> int:
    """Process that serves for STATE, whether it listens yet or not; 0 if none does.

    The file alone proves nothing: an office that is put back has an old one, whose number is somebody else's now.
    """
    try:
        pid = int((state / "pid").read_text())
        told = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pid if os.fsencode(__file__) in told and os.fsencode(state) in told else 0


def kill_service(state: Path) -> None:
    """Kill what serves for STATE, whatever it was told; when this returns, it is gone and listens no more."""
    pid = serving(state)
    if not pid:
        return
    try:
        os.kill(pid, signal.SIGKILL)
        # Its command line goes before its sockets do; what is left when it has ended is a zombie, or nothing.
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
            time.sleep(0.005)
    except (FileNotFoundError, ProcessLookupError):
        return


def stop(state: Path) -> int:
    """Ask the service to stop; says 0 whatever comes of it."""
    pid = serving(state)
    if not pid:
        return 0
    try:
        os.kill(pid, signal.SIGTERM)
        for _ in range(20):
            os.kill(pid, 0)
            time.sleep(0.02)
    except ProcessLookupError:
        pass
    return 0


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    if sys.argv[1] == "run":
        run(folder, int(sys.argv[3]), sys.argv[4])
    sys.exit(start(folder, int(sys.argv[3]), sys.argv[4]) if sys.argv[1] == "start" else stop(folder))
