"""Databases and trees for the tests of the judge: an original, and a copy of it that a test may spoil."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from recovery.hosts.local import LocalHost
from recovery.quality.judge import judge
from recovery.quality.verdict import Check, Verdict
from recovery.sources.base import Fingerprint
from recovery.sources.sqlite import SqliteSource

MOMENT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
# Numbers as NIKs are: they must never show up anywhere.
NIKS = tuple(f"35030{number:011d}" for number in range(4_711_000, 4_711_040))

STATEMENTS = (
    "CREATE TABLE kecamatan (id INTEGER PRIMARY KEY, nama TEXT NOT NULL)",
    "CREATE TABLE penduduk (nik TEXT PRIMARY KEY, nama TEXT NOT NULL, lahir DATE,"
    " kecamatan_id INTEGER REFERENCES kecamatan (id), saldo INTEGER NOT NULL DEFAULT 0)",
    'CREATE TABLE "Tabel Aneh; DROP" ("ID" INTEGER PRIMARY KEY, "order" TEXT)',
    "CREATE TABLE catatan (id INTEGER PRIMARY KEY, isi TEXT)",
    "CREATE INDEX penduduk_nama ON penduduk (nama)",
    "CREATE TRIGGER penduduk_diubah AFTER UPDATE ON penduduk BEGIN INSERT INTO catatan (isi) VALUES (new.nik); END",
    "CREATE VIEW dewasa AS SELECT nik, nama FROM penduduk WHERE lahir < '2008-01-01'",
    "INSERT INTO kecamatan VALUES (1, 'Panggul'), (2, 'Pule')",
    "INSERT INTO \"Tabel Aneh; DROP\" VALUES (1, 'satu')",
)


@dataclass(frozen=True)
class Copy:
    """A copy, and the fingerprint of what it was copied from."""

    path: Path
    expected: Fingerprint

    @property
    def url(self) -> str:
        return f"sqlite:///file:{quote(str(self.path))}?mode=ro&immutable=1&uri=true"

    def spoil(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    def judge(self, suite: Path | None = None, url: str = "", measured: Fingerprint | None = None) -> Verdict:
        return judge(url or self.url, self.expected, measured or measure(self.path), suite=suite, moment=MOMENT)


def make_copy(directory: Path) -> Copy:
    original = directory / "asal.db"
    with closing(sqlite3.connect(original)) as connection, connection:
        for statement in STATEMENTS:
            connection.execute(statement)
        connection.executemany(
            "INSERT INTO penduduk VALUES (?, ?, '1990-05-17', 1, 10)", [(nik, f"Orang {nik}") for nik in NIKS]
        )
    path = directory / "salinan $aneh 100%.db"
    shutil.copy(original, path)
    return Copy(path, measure(original))


def measure(path: Path) -> Fingerprint:
    return SqliteSource(LocalHost(), str(path)).fingerprint()


def not_passed(verdict: Verdict) -> set[tuple[str, str, str]]:
    """What did not pass: name, object and how it counts."""
    return {(check.name, check.object, check.counts_as) for check in verdict.checks if check.counts_as != "pass"}


def message_of(verdict: Verdict, name: str, object: str) -> str:
    return next(check.message for check in verdict.checks if (check.name, check.object) == (name, object))


def check(state: str = "pass", severity: str = "critical", name: str = "row_count", object: str = "tabel") -> Check:
    return Check(name, object, state, severity, "1", "keterangan")  # type: ignore[arg-type]
