"""Procedures are opened once, closed once, and an application has one open restore at a time."""

import threading

import pytest
from sqlalchemy import insert, select

from recovery.errors import ConflictError, NotFoundError, RecordsError
from recovery.records import ledger, procedures, schema
from recovery.records.catalog import Catalog
from recovery.records.forms import store_form


def _open(catalog: Catalog, id: str, kind: str = "restore", application: str = "simpel") -> procedures.Procedure:
    parameters = {"berkas": "surat.pdf"}
    return procedures.open_procedure(
        catalog, id, kind, application=application, parameters=parameters, reason="hilang", release="0.1.0"
    )


def _kinds(catalog: Catalog) -> list[str]:
    with catalog.read() as connection:
        assert ledger.verify(connection) == []
        return list(connection.execute(select(schema.ledger.c.kind).order_by(schema.ledger.c.sequence)).scalars())


def test_a_procedure_is_opened_once(catalog: Catalog) -> None:
    """A run that comes again gets what was recorded first, also after the end."""
    opened = _open(catalog, "r1")
    assert (opened.state, opened.outcome, opened.closed_at) == ("open", "", None)
    assert opened.parameters == {"berkas": "surat.pdf"}
    assert _open(catalog, "r1") == opened
    closed = procedures.close_procedure(catalog, "r1", "pulih")
    assert (closed.state, closed.outcome) == ("closed", "pulih")
    assert procedures.close_procedure(catalog, "r1", "pulih") == closed == _open(catalog, "r1")
    assert _kinds(catalog) == ["procedure.opened", "procedure.closed"]


def test_an_id_belongs_to_one_kind_and_application(catalog: Catalog) -> None:
    """Whoever changes a run's parameters gets no other procedure under the same id."""
    _open(catalog, "r1")
    with pytest.raises(ConflictError, match="procedure r1 is a restore of simpel; the recorded procedure is untouched"):
        _open(catalog, "r1", application="other")


def test_an_outcome_is_not_changed(catalog: Catalog) -> None:
    """The recorded one stands."""
    _open(catalog, "r1")
    procedures.close_procedure(catalog, "r1", "ditolak")
    with pytest.raises(ConflictError, match="procedure r1 was closed as 'ditolak' and cannot become 'pulih'"):
        procedures.close_procedure(catalog, "r1", "pulih")


def test_a_second_open_restore_of_an_application_is_refused_by_name(catalog: Catalog) -> None:
    """Also when the first waits for an official for days; another application is free, and so are backups."""
    first = _open(catalog, "r1")
    with pytest.raises(ConflictError) as caught:
        _open(catalog, "r2")
    assert str(caught.value) == (
        f"a restore of simpel is open already: procedure r1, since {first.opened_at}; nothing was opened\n"
        "HINT: finish that restore first: Resume it, or Retry it when it failed; or end it by `pulih close` when its "
        "service was not stopped yet, when the guard has settled what died, or when it waits for the requester's "
        "receipt alone"
    )
    _open(catalog, "r3", application="other")
    _open(catalog, "b1", kind="backup")
    procedures.close_procedure(catalog, "r1", "ditolak")
    _open(catalog, "r2")
    with catalog.read() as connection:
        assert [procedure.id for procedure in procedures.list_open(connection)] == ["r3", "b1", "r2"]
        assert [procedure.id for procedure in procedures.list_all(connection, "restore")] == ["r1", "r3", "r2"]


def test_the_database_itself_refuses_a_second_open_restore(catalog: Catalog) -> None:
    """Whatever the code forgets to ask."""
    _open(catalog, "r1")
    row = {"id": "r2", "kind": "restore", "application": "simpel", "state": "open", "release": "", "parameters": "{}"}
    with pytest.raises(RecordsError, match="refused a change that contradicts"), catalog.begin() as connection:
        connection.execute(insert(schema.procedures).values(row | {"opened_at": ""}))


def test_of_two_restores_that_are_opened_at_once_one_is_refused(catalog: Catalog) -> None:
    """Two requesters, one second."""
    barrier, outcomes = threading.Barrier(4), []

    def try_to_open(id: str) -> None:
        barrier.wait(30)
        try:
            _open(catalog, id)
            outcomes.append("opened")
        except ConflictError:
            outcomes.append("refused")

    threads = [threading.Thread(target=try_to_open, args=(f"r{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["opened", "refused", "refused", "refused"]


def test_a_newer_approval_of_a_schedule_closes_the_ones_that_wait(catalog: Catalog) -> None:
    """Those of other schedules stay."""
    for id, schedule in (("s1", "bulanan"), ("s2", "harian"), ("s3", "bulanan"), ("s3", "bulanan")):
        procedures.open_procedure(catalog, id, "schedule", schedule=schedule, parameters={}, release="0.1.0")
    with catalog.read() as connection:
        assert ["s2", "s3"] == [each.id for each in procedures.list_open(connection)]
        assert "diganti" == procedures.get(connection, "s1").outcome
    assert 1 == _kinds(catalog).count("procedure.closed")


def test_a_procedure_is_found_by_the_number_of_its_form(catalog: Catalog) -> None:
    """Officials know the number, not the id."""
    opened = _open(catalog, "r1")
    with catalog.begin() as connection:
        for version in (1, 2):
            store_form(
                connection,
                number="001/FLR",
                kind="restore",
                procedure_id="r1",
                version=version,
                facts={},
                pdf_sha256="ab",
                path="/f.pdf",
            )
        assert procedures.by_form(connection, "001/FLR") == opened
        assert procedures.by_form(connection, "002/FLR") is None
        with pytest.raises(NotFoundError, match="no procedure has the id 'r9'"):
            procedures.get(connection, "r9")
