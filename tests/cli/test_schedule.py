"""pulih schedule writes the Jadwal Back Up as a PDF."""

import hashlib

from tests.cli.conftest import Office, Pulih


def test_the_approved_schedule_is_written_and_its_hash_is_told(pulih: Pulih, office: Office) -> None:
    """It is the file that was issued."""
    pdf = office.root / "jadwal.pdf"
    ended = pulih("--inventory", office.inventory, "--json", "schedule", "bulanan", "--pdf", pdf)
    assert 0 == ended.code
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF-")
    assert hashlib.sha256(content).hexdigest() == ended.document["sha256"]
    assert ("approved", 2) == (ended.document["state"], ended.document["version"])
    assert ended.document["number"].startswith("001/JBU/KOMINFO/")


def test_a_changed_schedule_is_written_as_a_draft_and_called_so(pulih: Pulih, broken: Office) -> None:
    """Nobody takes it for the approved one."""
    broken.change_inventory(lambda data: data["schedules"][0].update(retention_days=30))
    pdf = broken.root / "jadwal.pdf"
    ended = pulih("--inventory", broken.inventory, "schedule", "bulanan", "--pdf", pdf)
    assert 0 == ended.code
    assert f"{pdf}: a draft without a number, NOT approved (changed)" == ended.out.splitlines()[0]
    assert pdf.read_bytes().startswith(b"%PDF-")


def test_an_unknown_schedule_ends_with_3(pulih: Pulih, office: Office) -> None:
    """Nothing is written."""
    pdf = office.root / "none.pdf"
    ended = pulih("--inventory", office.inventory, "schedule", "tahunan", "--pdf", pdf)
    assert 3 == ended.code
    assert not pdf.exists()


def test_a_place_that_cannot_be_written_ends_with_22(pulih: Pulih, office: Office) -> None:
    """A sentence, and no traceback."""
    ended = pulih("--inventory", office.inventory, "schedule", "bulanan", "--pdf", "/proc/none.pdf")
    assert 22 == ended.code
    assert "/proc/none.pdf cannot be written" in ended.err
