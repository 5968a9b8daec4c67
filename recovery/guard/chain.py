"""A quick look at the ledger: from the newest head that each store holds to the ledger's end.

`pulih ledger verify` looks at all of it.
"""

from recovery.errors import PulihError
from recovery.guard.report import Alarm, Report
from recovery.installation import Installation
from recovery.records import ledger, procedures

MEND = "run `pulih ledger verify`; keep the catalog as it is, and tell the auditor"


def look_at_chain(installation: Installation, report: Report) -> None:
    """Raise an alarm for everything that is wrong with the ledger since it was last signed into a store."""
    heads = set()
    for name in sorted(installation.stores):
        try:
            head = ledger.newest_head(installation.store(name), installation.signer.trusted_pem)
        except PulihError as error:
            report.trouble("ledger", f"head in the store {name}", error)
            continue
        if head is not None:
            heads.add(head)
    with installation.catalog.read() as connection:
        closed = any(procedure.state == "closed" for procedure in procedures.list_all(connection))
        findings = [
            finding
            for head in sorted(heads, key=lambda each: each.sequence)
            for finding in ledger.verify_since(connection, head)
        ]
    if closed and not heads:
        findings.append("procedures were closed, but no store holds a signed head")
    # Every head sees what is wrong after it; once is enough.
    for finding in dict.fromkeys(findings):
        report.alarm(Alarm("ledger", "ledger", finding, MEND))
