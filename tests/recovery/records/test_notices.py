"""Notices are recorded, delivered or not; a receipt code counts once and is kept only as a hash."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from recovery.errors import ConflictError
from recovery.records import ledger, notices, schema
from recovery.records.catalog import Catalog
from recovery.records.procedures import open_procedure


@pytest.fixture(autouse=True)
def run(catalog: Catalog) -> str:
    """The id of an open restore."""
    return open_procedure(catalog, "r1", "restore", application="simpel", parameters={}, release="0.1.0").id


def _issue(catalog: Catalog) -> str:
    with catalog.begin() as connection:
        return notices.issue_receipt_code(connection, "r1")


def _use(catalog: Catalog, code: str, procedure_id: str = "r1") -> bool:
    with catalog.begin() as connection:
        return notices.use_receipt_code(connection, procedure_id, code)


def test_a_notice_is_recorded_whether_it_was_delivered_or_not(catalog: Catalog) -> None:
    """With a ledger entry each."""
    with catalog.begin() as connection:
        failed = notices.record_notice(
            connection,
            "r1",
            step_id="restore.7",
            recipient="198601012010011001",
            channel="mailto",
            subject="Status kerusakan",
            delivered=False,
            detail="ditolak",
            sent_at=datetime(2026, 11, 20, tzinfo=UTC),
        )
        sent = notices.record_notice(connection, "r1", recipient="x", channel="file", subject="s", delivered=True)
    with catalog.read() as connection:
        assert notices.list_notices(connection, "r1") == [failed, sent]
        assert ledger.verify(connection) == []
        kinds = connection.execute(select(schema.ledger.c.kind).order_by(schema.ledger.c.sequence)).scalars().all()
    assert (failed.delivered, failed.sent_at) == (False, "2026-11-20T00:00:00.000000+00:00")
    assert kinds == ["procedure.opened", "notice.sent", "notice.sent"]


def test_a_receipt_code_counts_once(catalog: Catalog) -> None:
    """Eight characters that nobody misreads; only for its own procedure."""
    code = _issue(catalog)
    assert len(code) == 8
    assert set(code) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    assert _use(catalog, code, "r2") is False
    assert _use(catalog, "00000000" if code != "00000000" else "11111111") is False
    assert _use(catalog, "") is False
    assert _use(catalog, "\udcff") is False
    assert _use(catalog, code) is True
    assert _use(catalog, code) is False
    with pytest.raises(ConflictError, match="the receipt of procedure r1 was acknowledged at"):
        _issue(catalog)


def test_a_receipt_code_is_read_as_it_was_meant(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """People type lower case and dashes, O for 0, I and L for 1."""
    monkeypatch.setattr(notices, "ALPHABET", "01")
    code = _issue(catalog)
    typed = code.replace("0", "o").replace("1", "l", 1).replace("1", "I")
    assert _use(catalog, f" {typed[:4]}-{typed[4:]}") is True


def test_a_code_is_not_used_up_by_a_decision_that_was_rolled_back(catalog: Catalog) -> None:
    """It is used in the decision's transaction."""
    code = _issue(catalog)
    with pytest.raises(KeyError), catalog.begin() as connection:
        assert notices.use_receipt_code(connection, "r1", code) is True
        raise KeyError("x")
    assert _use(catalog, code) is True


def test_a_code_that_got_lost_is_replaced(catalog: Catalog) -> None:
    """Then the first one counts no more."""
    first, second = _issue(catalog), _issue(catalog)
    assert _use(catalog, first) is False
    assert _use(catalog, second) is True


def test_a_code_is_kept_only_as_a_slow_salted_hash(catalog: Catalog) -> None:
    """Whoever copies the catalog must not acknowledge in the requester's name."""
    code = _issue(catalog)
    with catalog.read() as connection:
        row = connection.execute(select(schema.receipt_codes)).one()
        everything = repr(connection.execute(select(schema.ledger)).all()) + repr(row)
    assert code not in everything
    assert len(row.salt) == 32
    assert len(row.code_hash) == 64
