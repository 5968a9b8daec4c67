"""A quick look at the ledger: from the newest head that each store holds to the ledger's end.

`pulih ledger verify` looks at all of it.
"""

from typing import Any

from recovery.errors import PulihError
from recovery.guard.report import Alarm, Report
from recovery.installation import Installation
from recovery.records import ledger, ledger_heads, procedures
from recovery.records.ledger import Entry, Head

MEND = "run `pulih ledger verify`; keep the catalog as it is, and tell the auditor"

CREDENTIALS = "somebody has that store's credentials: change them, and tell the auditor"


def look_at_chain(installation: Installation, report: Report) -> None:
    """Raise an alarm for everything that is wrong with the ledger since it was last signed into a store."""
    heads: dict[str, Head | None] = {}
    for name in sorted(installation.stores):
        try:
            head = ledger_heads.newest_head(installation.store(name), installation.signer.trusted_pem)
        except PulihError as error:
            report.trouble("ledger", f"head in the store {name}", error)
            continue
        heads[name] = head
    held = {head for head in heads.values() if head is not None}
    with installation.catalog.read() as connection:
        refused = ledger.entries(connection, kind=ledger.HEAD_REFUSED)
        closed = any(procedure.state == "closed" for procedure in procedures.list_all(connection))
        findings = [
            finding
            for head in sorted(held, key=lambda each: each.sequence)
            for finding in ledger.verify_since(connection, head)
        ]
    if closed and not held:
        findings.append("procedures were closed, but no store holds a signed head")
    # Every head sees what is wrong after it; once is enough.
    for finding in dict.fromkeys(findings):
        report.alarm(Alarm("ledger", "ledger", finding, MEND))
    for name, head in heads.items():
        since = [entry for entry in refused if name in _refusing_stores(entry)]
        if since and (head is None or head.sequence < since[-1].sequence):
            message = str(_refusing_stores(since[-1])[name])
            report.alarm(Alarm("ledger", f"head in the store {name}", message, CREDENTIALS, since[-1].at))


def _refusing_stores(entry: Entry) -> dict[str, Any]:
    facts = entry.facts if isinstance(entry.facts, dict) else {}  # somebody may have changed it
    stores = facts.get("stores")
    return stores if isinstance(stores, dict) else {}
