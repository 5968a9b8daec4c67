"""What the sabotage tests need of PostgreSQL: good databases, a rich one to be spoilt, and the ways to spoil it."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from recovery.hosts.program_postgresql_client import program
from recovery.sources.postgresql import PostgresqlSource
from tests.recovery.sabotage import postgresql_shapes as shapes
from tests.recovery.sabotage.corpus import Loss
from tests.recovery.sabotage.proving import Original, dump_of
from tests.recovery.sources.postgresql_databases import PLAIN, RICH_DATABASE, make_database, make_rich, source_of
from tests.recovery.sources.test_postgresql_structure import LOSSES
from tests.testbed.postgresql import PostgreSQLServer, run_postgresql

WHOLE = "(seluruh basis data)"
HOW = re.compile(r"-- database: (.*)")
# What pg_dump can be told to leave out of an archive, and the checks that must fail when it was.
LEFT_OUT: dict[str, tuple[list[str], tuple[tuple[str, str], ...]]] = {
    "no rows": (["--schema-only"], (("row_count", "public.tanpa_kunci"), ("fingerprint", "public.induk"))),
    "one table": (["--exclude-table=tanpa_kunci"], (("fingerprint", "public.tanpa_kunci"), ("relations", WHOLE))),
    "one table's rows": (["--exclude-table-data=tanpa_kunci"], (("row_count", "public.tanpa_kunci"),)),
    # Later programs would publish the schema all the same, and loading that is refused.
    "a schema": (
        ['--exclude-schema="Arsip Lama"', "--no-publications"],
        (("schemas", WHOLE), ("policies", WHOLE), ("rules", WHOLE)),
    ),
    "large objects": (["--no-blobs"], (("fingerprint", "(large objects)"),)),
    "rights": (["--no-privileges"], (("rights", WHOLE), ("default privileges", WHOLE))),
    "comments": (["--no-comments"], (("comments", WHOLE),)),
    "publications": (["--no-publications"], (("publications", WHOLE),)),
    "rows of unlogged tables": (["--no-unlogged-table-data"], (("row_count", "public.sementara"),)),
}
EXCHANGED = """
ALTER TABLE public.induk RENAME TO antara; ALTER TABLE public.tanpa_kunci RENAME TO induk;
ALTER TABLE public.antara RENAME TO tanpa_kunci
"""


class PostgresqlCorpus:
    """See tests.recovery.sabotage.corpus.Corpus."""

    good = shapes.GOOD
    quick = shapes.QUICK

    def __init__(self, server: PostgreSQLServer) -> None:
        self._server = server
        self._number = 0

    @classmethod
    @contextmanager
    def serve(cls) -> "Iterator[PostgresqlCorpus]":
        """Start a server."""
        with run_postgresql("wal_level=logical") as server:
            yield cls(server)

    def make(self, statements: str) -> PostgresqlSource:
        """Make a database of its own out of statements."""
        how = HOW.search(statements)
        if how is None:
            return make_database(self._server, statements)
        self._number += 1
        name = f"bentuk{self._number}"
        self._server.execute(f"CREATE DATABASE {name} {how[1]}")
        self._server.execute(statements, name)
        return source_of(self._server, name)

    def many_tables(self, number: int) -> PostgresqlSource:
        """Make a database of so many tables."""
        return self.make(shapes.many_tables(number))

    def rich(self) -> PostgresqlSource:
        """Make a database with objects of every kind."""
        return make_rich(self._server)

    def copy(self, original: Original, name: str) -> str:
        """Make a good copy of what was dumped, without the time that loading takes after the first one."""
        source = original.source
        first, copy = source.beside("bagus"), source.beside(name)
        if first not in source.copies():
            self.load(original, first)
        self._server.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{first}"')
        # A template's own rights, settings and comment are not taken over with its content.
        for statement in RICH_DATABASE.format(name=f'"{copy}"').strip().splitlines():
            self._server.execute(statement)
        return copy

    def load(self, original: Original, copy: str, plain: bytes | None = None) -> None:
        """Load a dump, or other bytes in its place, beside the live data."""
        with original.source.load(copy, original.server_globals) as stream:
            stream.write(original.plain if plain is None else plain)
            stream.finish()

    def losses(self) -> list[Loss]:
        """What a copy may lose: one of each kind of object, and the check that must say so."""
        return [Loss(statement, statement, check_of(found)) for statement, found in LOSSES.items()] + [
            Loss("two tables exchanged", EXCHANGED, ("fingerprint", "public.induk"))
        ]

    def lose(self, copy: str, statement: str) -> None:
        """Spoil a copy."""
        prepared = f"SET search_path = public; {statement.format(copy=chr(34) + copy + chr(34))}"
        self._server.execute(prepared, copy)

    def archives(self, original: Original) -> dict[str, tuple[Callable[[], bytes], tuple[tuple[str, str], ...]]]:
        """Archives that are valid and not what was dumped: what makes each, and the checks that must fail."""
        database = original.source.database  # type: ignore[attr-defined]
        found: dict[str, tuple[Callable[[], bytes], tuple[tuple[str, str], ...]]] = {
            f"an archive without {name}": (lambda options=options: self._archive(database, *options), fails)
            for name, (options, fails) in LEFT_OUT.items()
        }
        found["an empty but valid archive"] = (
            lambda: dump_of(self.make("SELECT 1")).plain,
            (("fingerprint", "public.induk"), ("totals", WHOLE), ("functions", WHOLE)),
        )
        found["the wrong database"] = (
            lambda: dump_of(self.make(PLAIN)).plain,
            (("fingerprint", "public.induk"), ("relations", WHOLE)),
        )
        return found

    def stale(self) -> tuple[Original, bytes]:
        """A dump, and the bytes of one that was made before a row was changed and a counter went on."""
        source = self.make(PLAIN)
        yesterday = dump_of(source)
        self._server.execute("UPDATE pegawai SET gaji = gaji + 1 WHERE id = 7", source.database)
        return dump_of(source), yesterday.plain

    def _archive(self, database: str, *options: str) -> bytes:
        place = [f"--host={self._server.directory}", f"--username={self._server.user}", f"--dbname={database}"]
        argv = [program("pg_dump"), "--format=custom", "--compress=0", *place, *options]
        return subprocess.run(argv, capture_output=True, check=True).stdout


def check_of(found: str) -> tuple[str, str]:
    """Given the first words of a difference between fingerprints, return the check that must fail for it."""
    if matched := re.match(r"object '(.*?)'(?: |$)", found):
        return "fingerprint", matched[1]
    if " stands at " in found:
        return "sequence positions", WHOLE
    return re.match(r"structure: ([a-z ]+?)(?: '|$)", found)[1], WHOLE  # type: ignore[index]
