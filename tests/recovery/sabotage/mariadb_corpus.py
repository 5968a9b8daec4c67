"""What the sabotage tests need of MariaDB: good databases, a rich one to be spoilt, and the ways to spoil it."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from recovery.sources.mariadb import MariadbSource
from tests.recovery.sabotage import mariadb_shapes as shapes
from tests.recovery.sabotage.corpus import Loss
from tests.recovery.sabotage.postgresql_corpus import HOW, WHOLE, check_of
from tests.recovery.sabotage.proving import Original, dump_of
from tests.recovery.sources.mariadb_databases import PLAIN, make_database, make_rich, source_of
from tests.recovery.sources.test_mariadb_structure import COUNTERS, LOSSES
from tests.testbed.mariadb import MariaDBServer, run_mariadb

EXCHANGED = "RENAME TABLE induk TO antara, tanpa_kunci TO induk, antara TO tanpa_kunci"
ROWS = re.compile(rb"^INSERT INTO `([^`]*)`.*?;\n", re.DOTALL | re.MULTILINE)
KEY = b",\n  FULLTEXT KEY `cari` (`select`)"


class MariadbCorpus:
    """See tests.recovery.sabotage.corpus.Corpus."""

    good = shapes.GOOD
    quick = shapes.QUICK

    def __init__(self, server: MariaDBServer) -> None:
        self._server = server
        self._number = 0

    @classmethod
    @contextmanager
    def serve(cls) -> "Iterator[MariadbCorpus]":
        """Start a server."""
        with run_mariadb() as server:
            yield cls(server)

    def make(self, statements: str) -> MariadbSource:
        """Make a database of its own out of statements."""
        how = HOW.search(statements)
        if how is None:
            return make_database(self._server, statements)
        self._number += 1
        name = f"bentuk{self._number}"
        self._server.execute(f"CREATE DATABASE {name} {how[1]}")
        self._server.execute(statements, name)
        return source_of(self._server, name)

    def many_tables(self, number: int) -> MariadbSource:
        """Make a database of so many tables."""
        return self.make(shapes.many_tables(number))

    def rich(self) -> MariadbSource:
        """Make a database with objects of every kind."""
        return make_rich(self._server)

    def copy(self, original: Original, name: str) -> str:
        """Load what was dumped: a MariaDB database cannot be made after the model of another one."""
        copy = original.source.beside(name)
        self.load(original, copy)
        return copy

    def load(self, original: Original, copy: str, plain: bytes | None = None) -> None:
        """Load a dump, or other bytes in its place, beside the live data."""
        with original.source.load(copy, original.server_globals) as stream:
            stream.write(original.plain if plain is None else plain)
            stream.finish()

    def losses(self) -> list[Loss]:
        """What a copy may lose: one of each kind of object, and the check that must say so."""
        found = {**LOSSES, **COUNTERS}
        # A table more has no fingerprint that could differ.
        more = {name: ("tables", WHOLE) for name, said in found.items() if said.endswith(" was not expected")}
        return [Loss(name, name, more.get(name) or check_of(said)) for name, said in found.items()] + [
            Loss("two tables exchanged", EXCHANGED, ("fingerprint", "induk"))
        ]

    def lose(self, copy: str, statement: str) -> None:
        """Spoil a copy."""
        self._server.execute(f"SET SESSION sql_mode = '', foreign_key_checks = 0;\n{statement};", copy)

    def archives(self, original: Original) -> dict[str, tuple[Callable[[], bytes], tuple[tuple[str, str], ...]]]:
        """Dumps that can be loaded and are not what was dumped: what makes each, and the checks that must fail."""
        plain = original.plain
        return {
            "a dump without rows": (
                lambda: ROWS.sub(b"", plain),
                (("row_count", "tanpa_kunci"), ("fingerprint", "induk"), ("totals", WHOLE)),
            ),
            "a dump without one table's rows": (
                lambda: ROWS.sub(lambda found: b"" if found[1] == b"tanpa_kunci" else found[0], plain),
                (("row_count", "tanpa_kunci"),),
            ),
            "a dump without one table": (
                lambda: _without(plain, b"masa"),
                (("fingerprint", "masa"), ("tables", WHOLE)),
            ),
            "a dump without an index": (lambda: _replaced(plain, KEY, b""), (("tables", WHOLE),)),
            "a dump with a value changed": (
                lambda: _replaced(plain, b"(1,2019,'a')", b"(1,2019,'b')"),
                (("fingerprint", "surat"),),
            ),
            "a database of the same shape": (self._another, (("fingerprint", "tanpa_kunci"), ("row_count", "surat"))),
        }

    def stale(self) -> tuple[Original, bytes]:
        """A dump, and the bytes of one that was made before a row was changed and a counter went on."""
        source = self.make(PLAIN)
        yesterday = dump_of(source)
        self._server.execute("UPDATE pegawai SET gaji = gaji + 1 WHERE id = 7", source.database)
        return dump_of(source), yesterday.plain

    def _another(self) -> bytes:
        other = make_rich(self._server)
        self._server.execute("UPDATE tanpa_kunci SET isi = 'lain'; DELETE FROM surat", other.database)
        return dump_of(other).plain


def _without(plain: bytes, table: bytes) -> bytes:
    head = b"\n--\n-- Table structure for table `"
    begin = plain.index(head + table + b"`")
    return plain[:begin] + plain[plain.index(head, begin + 1) :]


def _replaced(plain: bytes, old: bytes, new: bytes) -> bytes:
    assert plain.count(old) == 1, old
    return plain.replace(old, new)
