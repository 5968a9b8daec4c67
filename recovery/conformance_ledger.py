"""What the ledger has of one procedure, against what the catalog's rows say: those can be changed without a key."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from recovery.errors import LedgerError, PulihError, SignatureError
from recovery.installation import Installation
from recovery.records import ledger, ledger_heads
from recovery.records.forms import Form
from recovery.records.ledger import Entry
from recovery.records.procedures import Procedure
from recovery.records.steps import StepRow
from recovery.retention import CLOCK_TOLERANCE

_Key = tuple[str, str, str, str]


def judge_chain(installation: Installation, connection: Connection, *, anchored: bool) -> list[str]:
    """Given the catalog, return what is wrong with the whole ledger, by itself and by the newest head in each store.

    `anchored` says that a procedure was closed, so that a store must hold a head. Raises StoreError when none could be
    looked at: without a head a chain that was written anew looks whole.
    """
    trusted = installation.signer.trusted_pem
    heads, findings, unread = [], [], []
    for name in sorted(installation.stores):
        try:
            head = ledger_heads.newest_head(installation.store(name), trusted)
        except (SignatureError, LedgerError) as error:
            findings.append(f"store {name}: {error.message}")
        except PulihError as error:
            unread.append(error)
        else:
            heads += [head] if head else []
    if unread and not heads and not findings:
        raise unread[0]
    if anchored and not heads and not findings:
        findings.append("no store holds a signed head")
    return findings + ledger.verify(connection, heads, trusted)


class LedgerOfProcedure:
    """The entries of one procedure. Of each thing the one counts that was made first: whoever writes into the catalog
    can add an entry to the chain, and put none before another."""

    def __init__(self, connection: Connection, procedure_id: str) -> None:
        self._first: dict[_Key, Entry] = {}
        for entry in ledger.entries(connection, procedure_id=procedure_id, last=None):
            facts = entry.facts if entry.kind == "form.stored" and isinstance(entry.facts, dict) else {}
            form = f"{facts.get('kind')} {facts.get('version')}" if facts else ""
            self._first.setdefault((entry.kind, entry.step_id, entry.component, form), entry)

    def judge_procedure(self, procedure: Procedure) -> list[str]:
        """Given the procedure, return why its row is not what was recorded when it was opened and closed."""
        reasons = []
        for kind in ("procedure.opened", "procedure.closed") if procedure.state == "closed" else ("procedure.opened",):
            facts = self._facts(kind)
            if facts is None:
                reasons.append(f"the ledger has no entry {kind!r} of it")
            else:
                other = sorted(name for name in facts if not _same(facts[name], getattr(procedure, name, None)))
                reasons += [f"not as in the ledger: its {name}" for name in other]
        return reasons

    def judge_step(self, row: StepRow) -> list[str]:
        """Given a step that is done, return why its row is not what was recorded when it was opened and done."""
        where = row.step_id, row.component
        done, opened = self._facts("step.done", *where), self._facts("step.opened", *where)
        if done is None or opened is None or not _same(done.get("evidence"), row.evidence):
            return ["the ledger does not have this evidence"]
        times = {
            "opening": self._is_of(row.opened_at, "step.opened", *where),
            "deadline": _same(opened.get("deadline"), row.deadline),
            "end": self._is_of(row.ended_at, "step.done", *where),
        }
        return [f"the ledger has another time of its {name}" for name, right in times.items() if not right]

    def has_form(self, form: Form) -> bool:
        """Given a version of a form, return whether it is the one that was issued."""
        facts = self._facts("form.stored", form=f"{form.kind} {form.version}")
        return facts is not None and (facts.get("number"), facts.get("pdf_sha256")) == (form.number, form.pdf_sha256)

    def _facts(self, kind: str, step_id: str = "", component: str = "", form: str = "") -> dict[str, Any] | None:
        entry = self._first.get((kind, step_id, component, form))
        return entry.facts if entry and isinstance(entry.facts, dict) else None

    def _is_of(self, recorded: str | None, kind: str, step_id: str, component: str) -> bool:
        """Whether a row's time is that of its entry; both are taken in one transaction."""
        at = datetime.fromisoformat(self._first[kind, step_id, component, ""].at)
        return recorded is not None and abs(datetime.fromisoformat(recorded) - at) <= CLOCK_TOLERANCE


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
