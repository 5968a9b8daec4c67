"""An application that writes, for the systemd test host: `database_service.py STATE PORT UPLOADS CLIENT…`.

It answers on /sehat from its database. While the file STATE/menulis is there it works: one transaction on two tables
after the other, and now and then a file; else STATE/diam is there. What fails is told in STATE/galat. CLIENT is the
argument list of a database client that reads SQL from its stdin. Standard library only.
"""

import http.server
import subprocess
import sys
import threading
import time
from pathlib import Path

# Its last statement is the only one that answers.
TRANSACTION = """
BEGIN;
INSERT INTO pegawai (nama, gaji) VALUES ('Ditulis', 1);
INSERT INTO mutasi (pegawai, jumlah) SELECT max(id), 1 FROM pegawai;
COMMIT;
SELECT count(*) FROM mutasi;
"""
PAUSE = 0.01
FILE_EVERY = 20


class Database:
    """One session with the database, begun again when it has ended."""

    def __init__(self, client: list[str]) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._session: subprocess.Popen[bytes] | None = None

    def ask(self, statements: str) -> int:
        """Run statements of which one answers with a number; return it. Raises OSError when there is no answer."""
        with self._lock:
            session = self._session or subprocess.Popen(self._client, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert session.stdin is not None and session.stdout is not None
            self._session = None
            session.stdin.write(statements.encode())
            session.stdin.flush()
            if not (answer := session.stdout.readline()):
                raise OSError(f"the database's client ended with {session.wait()}")
            self._session = session
            return int(answer)


def work(database: Database, state: Path, uploads: Path) -> None:
    """Write as long as the file says so."""
    while True:
        time.sleep(PAUSE)
        if not (state / "menulis").exists():
            (state / "diam").touch()
            continue
        (state / "diam").unlink(missing_ok=True)
        try:
            written = database.ask(TRANSACTION)
            if written % FILE_EVERY == 0:
                (uploads / f"tulis-{written}.txt").write_bytes(b"ditulis" * written)
        except OSError as error:
            with (state / "galat").open("a") as told:
                told.write(f"{error}\n")


def main() -> None:
    """Serve until SIGTERM."""
    state, port, uploads = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    database = Database(sys.argv[4:])
    threading.Thread(target=work, args=(database, state, uploads), daemon=True).start()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                database.ask("SELECT count(*) FROM bergaji;\n")
                self.send_response(200)
            except OSError:
                self.send_response(500)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
