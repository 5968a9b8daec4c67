"""The requester is told by every channel, and the records say which of them failed, without a secret."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recovery.installation import Installation
from recovery.procedures.informing import inform_requester, tellings, unless_told
from recovery.records import ledger, notices, officials, schema
from recovery.records.procedures import Procedure, open_procedure
from recovery.settings import KeySettings, OfficeSettings, OfficialSettings
from tests.testbed.mail_server import mail_server

REQUESTER = "198505052010012005"
PASSWORD = "sangat-rahasia"


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation that knows one requester, whose contact is the secret `contact`; the office's is `office`."""
    (tmp_path / "contact").write_text(f"file://{tmp_path / 'requester.txt'}")
    (tmp_path / "office").write_text(f"file://{tmp_path / 'office.txt'}")
    built = Installation(
        office=OfficeSettings(state_directory=str(tmp_path / "state"), notice_targets=[f"file:{tmp_path / 'office'}"]),
        keys=KeySettings(
            operations_recipient="age1x",
            escrow_recipient="age1y",
            operations_identity="file:/none",
            signing_key="file:/none",
            enrolment_key="file:/none",
        ),
        hosts={},
        stores={},
        applications={},
        schedules={},
    )
    built.catalog.upgrade()
    _put_requester(built, f"file:{tmp_path / 'contact'}")
    yield built
    built.catalog.dispose()


def _put_requester(installation: Installation, contact: str) -> None:
    with installation.catalog.begin() as connection:
        settings = OfficialSettings(
            nip=REQUESTER, name="Rina Misal", position="Kasubbag", unit="bkd", roles=["pemohon"], contact=contact
        )
        officials.put(connection, settings)


@pytest.fixture
def procedure(installation: Installation) -> Procedure:
    """An open restore of the requester."""
    parameters = {"request": {"nip_pemohon": REQUESTER}}
    return open_procedure(
        installation.catalog, "r1", "restore", application="simpel", parameters=parameters, release="0.1.0"
    )


def inform(installation: Installation, procedure: Procedure) -> dict[str, object]:
    return inform_requester(installation, procedure, "restore.7", subject="Status", body="Selesai.")


def test_what_is_personal_goes_to_the_requester_alone(
    installation: Installation, procedure: Procedure, tmp_path: Path
) -> None:
    """Whoever reads the office's mail must not be able to acknowledge in the requester's name."""
    inform_requester(installation, procedure, "restore.7", subject="Status", body="Selesai.\n", personal="Kode: X")
    assert "Status\nSelesai.\nKode: X\n\n" == (tmp_path / "requester.txt").read_text()
    assert "Kode" not in (tmp_path / "office.txt").read_text()


def recorded(installation: Installation) -> list[notices.Notice]:
    with installation.catalog.read() as connection:
        return notices.list_notices(connection, "r1")


def test_requester_and_office_are_told(installation: Installation, procedure: Procedure, tmp_path: Path) -> None:
    """Both files got it, and both are recorded by their reference."""
    told = inform(installation, procedure)
    assert "Status\nSelesai.\n\n" == (tmp_path / "requester.txt").read_text()
    assert "Status\nSelesai.\n\n" == (tmp_path / "office.txt").read_text()
    assert (True, "", "Rina Misal") == (told["delivered"], told["detail"], told["name"])
    assert {(f"file:{tmp_path / 'contact'}", True), (f"file:{tmp_path / 'office'}", True)} == {
        (notice.channel, notice.delivered) for notice in recorded(installation)
    }


def test_a_mail_that_is_refused_is_recorded_without_the_password(
    installation: Installation, procedure: Procedure, tmp_path: Path
) -> None:
    """The others are told nevertheless; nothing of the URL is in catalog or ledger."""
    with mail_server("login") as server:
        place = f"pulih:{PASSWORD}@127.0.0.1:{server.port}"
        (tmp_path / "contact").write_text(f"mailto://{place}/?from=a@b.invalid&to=rina@bkd.invalid")
        told = inform(installation, procedure)
    assert False is told["delivered"], "the office was reached, but he was not"
    assert "a notice was refused by its channel, or the channel did not answer" == told["detail"]
    assert {(REQUESTER, False), ("kantor", True)} == {
        (notice.recipient, notice.delivered) for notice in recorded(installation)
    }
    with installation.catalog.read() as connection:
        everything = str([entry.to_json() for entry in ledger.entries(connection)]) + str(recorded(installation))
    assert "a notice was refused" in everything
    assert PASSWORD not in everything and "127.0.0.1" not in everything


def test_a_mail_that_is_taken_is_recorded_as_delivered(
    installation: Installation, procedure: Procedure, tmp_path: Path
) -> None:
    """The whole way, to a real mail server."""
    with mail_server() as server:
        (tmp_path / "contact").write_text(f"mailto://127.0.0.1:{server.port}/?from=a@b.invalid&to=rina@bkd.invalid")
        told = inform(installation, procedure)
    assert ["Status"] == [mail["Subject"] for mail in server.mails]
    assert (True, "") == (told["delivered"], told["detail"])


@pytest.mark.parametrize("secret", [None, b"", b"\xff\xfe", b"nonsense"])
def test_a_channel_of_no_use_stops_nothing(
    installation: Installation, procedure: Procedure, tmp_path: Path, secret: bytes | None
) -> None:
    """The secret is missing, empty, no text, or no URL."""
    for name in ("contact", "office"):
        (tmp_path / name).unlink() if secret is None else (tmp_path / name).write_bytes(secret)
    told = inform(installation, procedure)
    assert False is told["delivered"]
    assert told["detail"]
    assert [False, False] == [notice.delivered for notice in recorded(installation)]


def test_nobody_to_tell_is_recorded_too(installation: Installation, procedure: Procedure) -> None:
    """An auditor sees that the requester was not told, and why."""
    _put_requester(installation, "")
    installation.office = installation.office.model_copy(update={"notice_targets": []})
    assert (False, "no contact is configured") == (
        (told := inform(installation, procedure))["delivered"],
        told["detail"],
    )
    (notice,) = recorded(installation)
    assert (False, "no contact is configured") == (notice.delivered, notice.detail)


def test_a_further_try_is_sent_to_whom_none_has_reached(
    installation: Installation, procedure: Procedure, tmp_path: Path
) -> None:
    """The office is not told of the same every hour; and that it was told is not that he was."""
    (tmp_path / "contact").write_text("nonsense")
    moments = [datetime(2026, 11, 20, hour, tzinfo=UTC) for hour in (1, 2, 3)]
    for moment in moments[:2]:
        given = {"subject": "Status", "body": "Selesai.", "now": moment}
        assert not inform_requester(installation, procedure, "guard", again=True, **given)["delivered"]
    inform_requester(installation, procedure, "restore.2", subject="Lain", body="Lain.", now=moments[1])
    assert "Status\nSelesai.\n\nLain\nLain.\n\n" == (tmp_path / "office.txt").read_text()
    with installation.catalog.read() as connection:
        told, other = tellings(connection, procedure)
    assert ("guard", "Status", False) == (told.step_id, told.subject, told.delivered)
    assert [schema.timestamp(moment) for moment in moments[:2]] == [told.first_at, told.last_at]
    assert ("restore.2", "Lain", False) == (other.step_id, other.subject, other.delivered)
    complaint = f"\nPemohon BELUM diberi tahu (pesan sistem: {told.detail}); sampaikan sendiri."
    assert told.detail and complaint == unless_told(installation, procedure, "Status")
    (tmp_path / "contact").write_text(f"file://{tmp_path / 'requester.txt'}")
    inform_requester(installation, procedure, "guard", subject="Status", body="Selesai.", again=True, now=moments[2])
    assert "Status\nSelesai.\n\n" == (tmp_path / "requester.txt").read_text()
    assert "" == unless_told(installation, procedure, "Status") == unless_told(installation, procedure, "Tidak pernah")
    with installation.catalog.read() as connection:
        assert [("Lain", False), ("Status", True)] == [
            (each.subject, each.delivered) for each in tellings(connection, procedure)
        ]


def test_an_office_that_is_told_in_his_place_counts_as_he_does(
    installation: Installation, procedure: Procedure
) -> None:
    """Without a contact of his own nobody else will tell him."""
    _put_requester(installation, "")
    assert inform(installation, procedure)["delivered"]
    with installation.catalog.read() as connection:
        (told,) = tellings(connection, procedure)
    assert told.delivered
