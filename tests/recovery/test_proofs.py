"""Proofs on a scratch server, as an installation has them: apart from everything live, and swept when they died."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recovery.doctor.applications import examine_applications
from recovery.errors import ConfigurationError
from recovery.guard.report import Report
from recovery.guard.sweeping import sweep
from recovery.procedures.drill import begin_drill, prove
from recovery.proofs import open_proof, proof_copy, require_apart, sweep_proofs
from recovery.records import backups
from recovery.settings import ComponentSettings, ScratchServerSettings
from recovery.sources.base import Fingerprint, Measured
from recovery.sources.postgresql import PostgresqlSource
from tests.recovery.sources.postgresql_databases import PLAIN, connect, dumped
from tests.testbed.postgresql import PostgreSQLServer, run_postgresql
from tests.testbed.small_office import SmallOffice, open_office

pytestmark = pytest.mark.slow

KEY = "simpel/induk"


@pytest.fixture(scope="module")
def live() -> Iterator[PostgreSQLServer]:
    """The server of the application."""
    with run_postgresql() as server:
        server.execute("CREATE DATABASE simpel")
        server.execute(PLAIN, "simpel")
        yield server


@pytest.fixture(scope="module")
def scratch() -> Iterator[PostgreSQLServer]:
    """The server of the proofs."""
    with run_postgresql() as server:
        yield server


@pytest.fixture
def office(tmp_path: Path, live: PostgreSQLServer, scratch: PostgreSQLServer) -> Iterator[SmallOffice]:
    """An office whose one component is in a server, and proven on another."""
    office = open_office(tmp_path / "kantor", running=False)
    application = office.installation.applications["simpel"]
    application.components[:] = [component("induk", live, scratch)]
    yield office
    office.installation.catalog.dispose()


def component(name: str, live: PostgreSQLServer, scratch: PostgreSQLServer | None) -> ComponentSettings:
    place = scratch and ScratchServerSettings(server=str(scratch.directory), user=scratch.user)
    return ComponentSettings(
        name=name,
        kind="postgresql",
        database="simpel",
        server=str(live.directory),
        user=live.user,
        lock_timeout=3,
        scratch_server=place,
    )


def databases(server: PostgreSQLServer) -> list[str]:
    with closing(connect(server, "postgres")) as connection:
        query = "SELECT datname FROM pg_database WHERE oid >= 16384 ORDER BY 1"
        return [name for (name,) in connection.execute(query)]


def test_a_backup_is_proven_on_the_scratch_server_and_counts(office: SmallOffice, scratch: PostgreSQLServer) -> None:
    procedure_id = "proof-there"
    seen: list[list[str]] = []
    fingerprint = PostgresqlSource.fingerprint

    def looking(self: PostgresqlSource, copy: str | None = None, measured: Measured | None = None) -> Fingerprint:
        seen.append(databases(scratch))
        return fingerprint(self, copy, measured)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PostgresqlSource, "fingerprint", looking)
        office.back_up(procedure_id)
        assert "pass" == prove(office.installation, begin_drill(office.installation, "drill")["id"], KEY).verdict
    with office.installation.catalog.read() as connection:
        backup = backups.newest_verified(connection, "simpel", "induk")
    assert backup is not None
    assert (backup.state, backup.verdict) == ("secured", "pass")
    assert [len(names) for names in seen] == [1, 1], "measured there, and nowhere else: in the drill, too"
    assert databases(scratch) == []


def test_the_guard_drops_what_a_dead_proof_left_there_and_nothing_else(
    office: SmallOffice, scratch: PostgreSQLServer
) -> None:
    installation = office.installation
    directory = installation.scratch("mati", KEY)
    proof = open_proof(installation, KEY, directory)
    dump = dumped(installation.source(KEY))  # type: ignore[arg-type]
    copy = dump.load("proof", into=proof)  # type: ignore[arg-type]
    foreign = "simpel.pulih-000000abcdef"
    scratch.execute(f'CREATE DATABASE "{foreign}"')
    try:
        # The proof may be at work: its directory is there.
        assert sweep_proofs(installation, KEY) == []
        directory.rmdir()
        report = Report()
        sweep(installation, datetime.now(UTC), report)
        assert [(action.kind, action.component) for action in report.actions] == [("guard.swept", KEY)]
        assert report.actions[0].message == (
            f"removed the copy {copy} ({copy[-12:]}) that a dead proof left on {scratch.directory}"
        )
        assert report.alarms == []
        assert databases(scratch) == [foreign]
    finally:
        scratch.execute(f'DROP DATABASE "{foreign}"')


def test_a_component_without_a_scratch_server_has_nothing_to_sweep_there(
    office: SmallOffice, live: PostgreSQLServer
) -> None:
    office.installation.applications["simpel"].components[:] = [component("induk", live, None)]
    assert sweep_proofs(office.installation, KEY) == []
    require_apart(office.installation, KEY)
    report = Report()
    sweep(office.installation, datetime.now(UTC), report)
    assert report.actions == []


def test_a_scratch_server_that_does_not_answer_is_an_alarm_of_the_sweep(office: SmallOffice, tmp_path: Path) -> None:
    (own,) = office.installation.applications["simpel"].components
    own.scratch_server = ScratchServerSettings(server=str(tmp_path / "tiada"), user="x")
    report = Report()
    sweep(office.installation, datetime.now(UTC), report)
    assert [(alarm.kind, alarm.subject) for alarm in report.alarms] == [("sweep", KEY)]


def test_the_live_server_of_another_component_is_no_scratch_server(
    office: SmallOffice, live: PostgreSQLServer, scratch: PostgreSQLServer, tmp_path: Path
) -> None:
    """Whatever it is called; a component that cannot be asked says nothing, so the others go on."""
    components = office.installation.applications["simpel"].components
    silent = component("diam", live, None)
    silent.server = str(tmp_path / "tiada")
    components.append(silent)
    components.append(ComponentSettings(name="berkas", kind="files", path=str(tmp_path)))
    require_apart(office.installation, KEY)
    scratch.execute("CREATE DATABASE simpel")
    try:
        components.append(component("hidup", scratch, None))
        message = f"the scratch server of {KEY} is the live server of simpel/hidup; nothing was loaded there"
        with pytest.raises(ConfigurationError, match=message):
            open_proof(office.installation, KEY, tmp_path)
        findings = [each for each in examine_applications(office.installation) if each.subject == f"component {KEY}"]
        assert [(each.state, each.message) for each in findings] == [("problem", message.partition(";")[0])]
    finally:
        scratch.execute("DROP DATABASE simpel")


def test_no_two_tries_of_a_proof_have_a_copy_in_common(office: SmallOffice, tmp_path: Path) -> None:
    """What a killed try had called may make its file when the next one has begun."""
    with closing(open_proof(office.installation, KEY, tmp_path / "proof")) as proof:
        # On a scratch server the copy has the proof's own label, and who comes later is kept out by that.
        assert proof_copy(proof) == proof_copy(proof)
    source = office.installation.source(KEY).in_own_server(tmp_path)
    assert proof_copy(source) != proof_copy(source)
