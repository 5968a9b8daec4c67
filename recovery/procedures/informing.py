"""Telling the requester something, and recording whether it arrived."""

from typing import Any

from recovery.installation import Installation
from recovery.notifying import deliver
from recovery.points import reached
from recovery.records import notices, officials
from recovery.records.procedures import Procedure


def inform_requester(
    installation: Installation, procedure: Procedure, step_id: str, *, subject: str, body: str, personal: str = ""
) -> dict[str, Any]:
    """Given a text for the requester of a restore, send it to his contact and the office's targets; record the result.

    `personal` goes to his own contact alone: with the receipt code, whoever reads the office's mail could acknowledge
    in his name. `delivered` says that he was reached, or, when he has no contact, anybody.

    Returns {"recipient", "delivered", "channels", "detail"}. Never raises for a failed delivery: it is recorded, and
    the procedure goes on.
    """
    with installation.catalog.read() as connection:
        requester = officials.get(connection, procedure.parameters["request"]["nip_pemohon"])
    references = [reference for reference in (requester.contact, *installation.office.notice_targets) if reference]
    own = [reference for reference in (requester.contact,) if reference]
    results = [deliver(reference, subject, body + personal) for reference in own]
    results += [deliver(reference, subject, body) for reference in references[len(own) :]]
    reached("notice: sent")
    delivered = any(result == "" for result in (results[: len(own)] or results))
    if not references:
        results = ["no contact is configured"]
    with installation.catalog.begin() as connection:
        for reference, trouble in zip(references or ["-"], results, strict=True):
            notices.record_notice(
                connection,
                procedure_id=procedure.id,
                step_id=step_id,
                recipient=requester.nip,
                channel=reference,
                subject=subject,
                delivered=trouble == "",
                detail=trouble,
            )
    return {
        "recipient": requester.nip,
        "name": requester.name,
        "delivered": delivered,
        "channels": references,
        "detail": "; ".join(filter(None, results)),
    }
