"""The catalog and who is in it: every role held by somebody in office, with a device whose secret can be opened."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from recovery import calendar
from recovery.doctor.finding import Finding, attempt
from recovery.installation import Installation
from recovery.records import officials
from recovery.records.officials import Official
from recovery.secrets import resolve


def examine_people(installation: Installation) -> Iterator[Finding]:
    """Yield what is to be said about the catalog, the officials in it, the holidays, and where alarms are told."""
    yield from _catalog(installation)
    yield from _holidays(installation)
    if not installation.office.notice_targets:
        mend = "name a target in the inventory: office.notice_targets"
        yield Finding("notice targets", "warning", "the office has none, so nobody is told of an alarm", mend)
    for reference in installation.office.notice_targets:
        # Its URL holds a password, perhaps; nothing is sent.
        yield attempt(f"notice target {reference}", partial(resolve, reference), "readable")


def _catalog(installation: Installation) -> Iterator[Finding]:
    finding = attempt("catalog", lambda: installation.catalog.check(), "of this release")
    yield finding
    if finding.state != "ok":
        return
    with installation.catalog.read() as connection:
        everybody = officials.list_all(connection)
    for official in everybody:
        yield from _official(installation, official)
    today = _today()
    for role in ("pemohon", "kadis", "kabid", "pelaksana"):
        if not any(role in official.roles and official.is_in_office(today) for official in everybody):
            mend = "add one to the inventory and apply"
            yield Finding(f"role {role}", "problem", "no official in office has it", mend)


def _official(installation: Installation, official: Official) -> Iterator[Finding]:
    subject = f"official {official.nip}"
    if not official.is_in_office(_today()):
        mend = "his answers do not count today; name his successor in the inventory"
        yield Finding(subject, "warning", "is not in office today", mend)
    elif official.contact:
        contact = attempt(f"contact of {official.nip}", partial(resolve, official.contact), "readable")
        if contact.state != "ok":
            yield contact
    if not official.is_enrolled():
        yield Finding(subject, "warning", "has no enrolled device", f"pulih official enrol {official.nip}")
        return

    def open_secret() -> None:
        key = installation.enrolment_key()
        with installation.catalog.read() as connection:
            officials.secret_of(connection, official.nip, key)

    finding = attempt(subject, open_secret, "enrolled")
    if finding.state != "ok":
        yield finding


def _holidays(installation: Installation) -> Iterator[Finding]:
    if installation.office.working_days != "kerja":
        return
    year = int(_today()[:4])
    doubt, mend = calendar.warning(year)
    yield Finding("holidays", "warning" if doubt else "ok", doubt or f"{year} follows the decree", mend)


def _today() -> str:
    return calendar.to_date(datetime.now(UTC)).isoformat()
