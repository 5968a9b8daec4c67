"""What cannot be done yet, or not so, is refused in a sentence that says what is missing. None needs a backup."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recovery.calendar import to_date
from recovery.errors import ConfigurationError, NotFoundError, ProcedureError, PulihError
from recovery.procedures.backup import b2_verify, b4_secure
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.conclude import conclude_schedule
from recovery.procedures.decided import decided
from recovery.procedures.people import signer
from recovery.procedures.questions import question_of
from recovery.procedures.restore.begin import begin_restore, check_request
from recovery.procedures.restore.plan import incident_moment, recovery_point
from recovery.procedures.schedule_approval import recorded_approval
from recovery.procedures.schedule_begin import begin_schedule, draw_up
from recovery.records import officials, procedures
from recovery.settings import OfficialSettings
from tests.testbed.small_office import REQUESTER, SmallOffice, restore_request

# Nothing here looks at the service.
WITHOUT_SERVICE = True


def refusal(kind: type[PulihError], call: Callable[[], Any]) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


def test_a_step_before_its_turn_says_which_comes_first(office: SmallOffice) -> None:
    """Retrying the run does them in their order."""
    installation = office.installation
    run = begin_backup(installation, "run", schedule_name="bulanan", routine=True)["id"]
    assert refusal(ProcedureError, lambda: b2_verify.verify(installation, run, "simpel/data")) == (
        "simpel/data has no dump to verify; nothing was verified\nHINT: retry the run: step 1 comes first"
    )
    assert refusal(ProcedureError, lambda: b4_secure.secure(installation, run, "simpel/data")) == (
        "the backup of simpel/data has no name; it is not stored\nHINT: retry the run: step 3 comes first"
    )
    assert refusal(ProcedureError, lambda: decided(installation, run, "backup.6")) == (
        "nobody has decided step backup.6 yet; the step is open\n"
        "HINT: resume the suspended run in the Prefect UI with the official's answer"
    )
    assert refusal(ProcedureError, lambda: question_of(installation, run, "backup.1")) == (
        "step backup.1 is not decided by an official; nothing was asked"
    )


def test_a_schedule_that_nobody_decided_is_not_concluded(office: SmallOffice) -> None:
    """Closing it would take it for decided."""
    begin_schedule(office.installation, "run", "bulanan")
    draw_up(office.installation, "run")
    assert refusal(ProcedureError, lambda: conclude_schedule(office.installation, "run")) == (
        "the schedule of run is not decided; it stays open\nHINT: answer the suspended run"
    )


def test_a_backup_that_cites_no_form_is_not_begun(office: SmallOffice) -> None:
    """A typing mistake must not become a routine backup."""
    given = {"schedule_name": "bulanan", "routine": False, "cites": "7/FPB"}
    assert refusal(NotFoundError, lambda: begin_backup(office.installation, "run", **given)) == (
        "no backup form has the number '7/FPB'; nothing was backed up\n"
        "HINT: copy the number from the form of the run that failed; `pulih backups` lists them"
    )


def test_a_request_with_a_nik_is_refused(office: SmallOffice) -> None:
    """It would stand on forms and in the catalog for years. The number itself is not repeated."""
    request = restore_request(uraian_kerusakan="Data milik 3503012345678901 hilang.")
    assert refusal(ConfigurationError, lambda: begin_restore(office.installation, str(uuid.uuid4()), request)) == (
        "the field uraian_kerusakan of the request holds a 16-digit number (a NIK?); nothing was touched\n"
        "HINT: write the request without it; a NIP (18 digits) is fine"
    )


def test_a_requester_who_is_not_in_office_is_refused(office: SmallOffice) -> None:
    """His answer in step 8 would not count, so the procedure could never end."""
    yesterday = to_date(datetime.now(UTC) - timedelta(days=1)).isoformat()
    left = OfficialSettings(
        nip=REQUESTER, name="Rina Misal", position="Jabatan", unit="bkd", roles=["pemohon"], valid_until=yesterday
    )
    with office.installation.catalog.begin() as connection:
        officials.put(connection, left)
    refused = (
        f"the requester {REQUESTER} is not in office on {to_date(datetime.now(UTC)).isoformat()}; nothing was touched\n"
        "HINT: let a requester who is in office ask for it; or set his valid_from and valid_until right in the "
        "inventory and run `pulih apply`"
    )
    request = restore_request()
    assert refused == refusal(NotFoundError, lambda: check_request(office.installation, request))
    assert refused == refusal(NotFoundError, lambda: begin_restore(office.installation, "run", request))


def test_what_a_restore_rests_on_is_never_its_target(office: SmallOffice) -> None:
    """A worker has its settings from blocks, which were validated as an inventory only when they were applied."""
    installation = office.installation
    application = installation.applications["simpel"]
    data, *others = application.components
    for place, words in (
        ("state/catalog.sqlite", "lies in the state directory"),
        ("store/bkd", "lies in the store 'utama'"),
        ("keys/signing", "is the same place as the key file of signing_key"),
        (".", "holds the state directory"),
    ):
        components = [*others, data.model_copy(update={"path": str(office.root / place)})]
        installation.applications["simpel"] = application.model_copy(update={"components": components})
        said = refusal(ConfigurationError, lambda: begin_restore(installation, "run", restore_request()))
        assert said.startswith(f"simpel/data is never restored: its path {words} ({office.root}/")
        assert "it can never be a restore target; nothing was touched\nHINT: `pulih apply` says whether" in said
    with installation.catalog.read() as connection:
        assert procedures.find(connection, "run") is None


def test_a_recovery_point_without_a_zone_is_in_wib() -> None:
    """As people write it; one with a zone means what it says."""
    expected = "2026-11-20T15:00:00.000000+00:00"
    for text in ("2026-11-20 22:00:00", "2026-11-20T22:00:00+07:00", "2026-11-20T15:00:00Z"):
        assert expected == recovery_point(text)
        assert expected == incident_moment(text)
    assert recovery_point("  ") is None and incident_moment("") is None


def test_what_older_releases_recorded_is_still_read(office: SmallOffice) -> None:
    """They knew no approved schedules; and an official may have left the office."""
    catalog = office.installation.catalog
    old = procedures.open_procedure(catalog, "old", "backup", schedule="bulanan", parameters={}, release="0.0.1")
    assert (recorded_approval(old).schedule, recorded_approval(old).state) == ("bulanan", "never")
    with catalog.read() as connection:
        gone = signer(connection, "196001011985011001")
    assert ("", "196001011985011001", "") == (gone.name, gone.nip, gone.position)
