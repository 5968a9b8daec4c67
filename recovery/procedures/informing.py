"""Telling the requester something, and recording whether it arrived."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from recovery.installation import Installation
from recovery.notifying import deliver
from recovery.points import reached
from recovery.procedures.run_notices import OFFICE
from recovery.records import notices, officials
from recovery.records.procedures import Procedure


@dataclass(frozen=True)
class Telling:
    """What a requester was to be told, in one or more tries: when first and last (ISO UTC), whether it reached him, and
    what went wrong in the last try."""

    step_id: str
    subject: str
    first_at: str
    last_at: str
    delivered: bool
    detail: str


def inform_requester(
    installation: Installation,
    procedure: Procedure,
    step_id: str,
    *,
    subject: str,
    body: str,
    personal: str = "",
    again: bool = False,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Given a text for the requester of a restore, send it to his contact and the office's targets; record the result.

    `personal` goes to his own contact alone: with the receipt code, whoever reads the office's mail could acknowledge
    in his name. `delivered` says that he was reached, or, when he has no contact, anybody. `again`: a further try, from
    which the office's targets are left out that this subject has reached.

    Returns {"recipient", "delivered", "channels", "detail"}. Never raises for a failed delivery: it is recorded, and
    the procedure goes on.
    """
    with installation.catalog.read() as connection:
        requester = officials.get(connection, procedure.parameters["request"]["nip_pemohon"])
        had = _channels_reached(connection, procedure, step_id, subject) if again else set()
    own = [requester.contact] if requester.contact else []
    office = [reference for reference in installation.office.notice_targets if reference and reference not in had]
    results = [(requester.nip, reference, deliver(reference, subject, body + personal)) for reference in own]
    # An office that is told in his place is recorded as he is: nobody else will be.
    recipient = OFFICE if own else requester.nip
    results += [(recipient, reference, deliver(reference, subject, body)) for reference in office]
    reached("notice: sent")
    if not results:
        results = [(requester.nip, "-", "no contact is configured")]
    with installation.catalog.begin() as connection:
        for who, reference, trouble in results:
            notices.record_notice(
                connection,
                procedure_id=procedure.id,
                step_id=step_id,
                recipient=who,
                channel=reference,
                subject=subject,
                delivered=trouble == "",
                detail=trouble,
                sent_at=now,
            )
    return {
        "recipient": requester.nip,
        "name": requester.name,
        "delivered": any(who == requester.nip and trouble == "" for who, _reference, trouble in results),
        "channels": [*own, *office],
        "detail": "; ".join(trouble for _who, _reference, trouble in results if trouble),
    }


def tellings(connection: Connection, procedure: Procedure) -> list[Telling]:
    """Given a restore, return what its requester was to be told, what was tried last at the end."""
    tries = defaultdict(list)
    for notice in notices.list_notices(connection, procedure.id):
        if notice.recipient == procedure.parameters["request"]["nip_pemohon"]:
            tries[notice.step_id, notice.subject].append(notice)
    told = [
        Telling(*key, sent[0].sent_at, sent[-1].sent_at, any(each.delivered for each in sent), sent[-1].detail)
        for key, sent in tries.items()
    ]
    return sorted(told, key=lambda each: each.last_at)


def unless_told(installation: Installation, procedure: Procedure, subject: str) -> str:
    """Given the subject of what a restore's requester was to be told, return what whoever reads of its end must read,
    too, when it did not reach him; "" when it did. By the records, so that a retry says the same."""
    with installation.catalog.read() as connection:
        told = [each for each in tellings(connection, procedure) if each.subject == subject]
    if not told or told[-1].delivered:
        return ""
    return f"\nPemohon BELUM diberi tahu (pesan sistem: {told[-1].detail}); sampaikan sendiri."


def _channels_reached(connection: Connection, procedure: Procedure, step_id: str, subject: str) -> set[str]:
    return {
        notice.channel
        for notice in notices.list_notices(connection, procedure.id)
        if notice.delivered and (notice.step_id, notice.subject) == (step_id, subject)
    }
