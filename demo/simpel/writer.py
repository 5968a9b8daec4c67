"""People at work: a process that keeps writing to SIMPEL over HTTP until SIGTERM.

python -m demo.simpel.writer --url http://127.0.0.1:8080 --rate 20
"""

import argparse
import http.client
import json
import signal
import sys
import threading
from random import Random
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from demo.simpel.uploads import KINDS, document

DOCUMENT_SHARE = 0.05
REFUSED = (OSError, http.client.HTTPException)


class Writer:
    """Writes attendance and now and then a document, at a bounded rate; counts what was accepted."""

    def __init__(self, url: str, rate: float, seed: int) -> None:
        self.url = url.rstrip("/")
        self.pause = 1 / rate
        self.random = Random(seed)
        self.stopped = threading.Event()
        self.people: list[dict[str, Any]] = []
        self.counts = {"absensi": 0, "dokumen": 0, "gagal": 0}

    def run(self, limit: int = 0) -> dict[str, int]:
        """Write until told to stop, or until `limit` writes were tried; return the counts."""
        tried = 0
        while not self.stopped.is_set() and (not limit or tried < limit):
            try:
                self._write()
            except REFUSED:
                # The application is being restored, or is slow: people try again.
                self.counts["gagal"] += 1
            tried += 1
            self.stopped.wait(self.pause)
        return self.counts

    def _write(self) -> None:
        if not self.people:
            self.people = self._employees()
        nip = self.random.choice(self.people)["nip"]
        if self.random.random() < DOCUMENT_SHARE:
            kind, suffix = self.random.choice(KINDS)
            query = urlencode({"nip": nip, "jenis": kind, "nama": f"{kind} – unggahan.{suffix}"}, quote_via=quote)
            self._post(f"/dokumen?{query}", document(self.random, suffix, kind, "Unggahan"))
            self.counts["dokumen"] += 1
        else:
            form = {"nip": nip, "jenis": self.random.choice(("masuk", "pulang")), "mesin": "WEB-1"}
            self._post("/absensi", urlencode(form).encode())
            self.counts["absensi"] += 1

    def _employees(self) -> list[dict[str, Any]]:
        request = Request(f"{self.url}/pegawai?cari=a", headers={"Accept": "application/json"})
        with urlopen(request, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["pegawai"]
        return found

    def _post(self, path: str, content: bytes) -> None:
        try:
            with urlopen(Request(self.url + path, data=content, method="POST"), timeout=10) as answer:
                answer.read()
        except HTTPError as error:
            error.close()
            # The employee may be one that the restored data does not know.
            self.people = []
            raise


def main() -> int:
    """Write until SIGTERM or SIGINT; print the counts as JSON and return 0."""
    parser = argparse.ArgumentParser(prog="python -m demo.simpel.writer", description="Pegawai yang sedang bekerja.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, default=10, help="penulisan tiap detik, paling banyak")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    writer = Writer(given.url, given.rate, given.seed)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: writer.stopped.set())
    print(json.dumps(writer.run()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
