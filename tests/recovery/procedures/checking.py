"""What must be true of an office after a procedure, whatever happened to the processes that worked on it."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from recovery.records import backups, forms, leases, ledger, ledger_heads, notices, procedures, schema, steps
from recovery.sets import open_set, read_back, set_prefix
from recovery.sop import steps_of
from recovery.sources.base import Fingerprint
from recovery.stores.base import TEMPORARY
from tests.recovery.procedures.playing import COMPONENTS, Play
from tests.testbed.small_office import SmallOffice

Data = tuple[list[tuple[Any, ...]], dict[str, bytes]]
Whole = dict[str, Fingerprint]
RESTORED, PUT_BACK = "berhasil", "dikembalikan"
# Restores that officials refused: the outcome, and the last step that was done.
REFUSED = {
    "returned": ("dikembalikan", "restore.2"),
    "rejected": ("ditolak", "restore.3"),
    "cancelled": ("dibatalkan", "restore.3"),
}


@dataclass(frozen=True)
class Known:
    """The application's data as it was backed up, and as it was when the restore began.

    And of both the fingerprint of each component, which has what rows and files alone do not: schema, modes, times,
    links, empty directories.
    """

    backed_up: Data
    damaged: Data
    backed_up_whole: Whole = field(default_factory=dict)
    damaged_whole: Whole = field(default_factory=dict)


def content(office: SmallOffice) -> Data:
    """The application's data now."""
    return office.rows(), office.files()


def whole(office: SmallOffice) -> Whole:
    """The fingerprints of the application's components now."""
    return {component: office.installation.source(component).fingerprint() for component in COMPONENTS}


def torn(office: SmallOffice, known: Known) -> Iterator[str]:
    """Say which component is neither what was backed up nor what was there before, at any instant."""
    for part, name in enumerate(("rows", "files")):
        if content(office)[part] not in (known.backed_up[part], known.damaged[part]):
            yield f"the {name} are neither the old nor the new ones"


def wrong(play: Play, known: Known, failed: tuple[str, ...] = ()) -> Iterator[str]:
    """Say what is not as it must be after the procedure; `failed` names the components or steps given up."""
    office = play.office
    with office.installation.catalog.read() as connection:
        yield from _records(office, connection, play, failed)
        yield from _forms(office, connection)
        status = _status(connection, play)
        if play.procedure == "backup":
            yield from _backup_form(connection, play)
        elif play.procedure in REFUSED:
            yield from _refusal(connection, play)
        else:
            yield from _restore_form(connection, play, status)
        yield from _sets(office, connection, failed)
    yield from _data(office, known, status)
    yield from _leftovers(office, status)


def _status(connection: Connection, play: Play) -> str:
    """What became of a restore by the records, which says which data must be live; "" for a backup."""
    if play.procedure == "backup":
        return ""
    if play.procedure in REFUSED:
        return REFUSED[play.procedure][0]
    return str((steps.evidence_of(connection, play.procedure_id, "restore.6") or {}).get("status"))


def _data(office: SmallOffice, known: Known, status: str) -> Iterator[str]:
    restored = status in ("", RESTORED)
    expected = known.backed_up if restored else known.damaged
    for component, there in (known.backed_up_whole if restored else known.damaged_whole).items():
        for difference in there.differences(office.installation.source(component).fingerprint()):
            yield f"{component} is not that of {status or 'the application'!r}: {difference}"
    for part, name in enumerate(("rows", "files")):
        if content(office)[part] != expected[part]:
            yield f"the {name} are not those of {status or 'the application'!r}"
    if status and not office.service_running():
        yield "the service is not healthy"
    for component in COMPONENTS if status else ():
        copies = office.installation.source(component).copies()
        if status != RESTORED and copies:
            yield f"{component} has copies left: {copies}"
        if status == RESTORED and len(copies) != 1:
            yield f"{component} has {len(copies)} safety copies"
        if status == RESTORED and copies and not _is_damaged(office, component, copies[0], known):
            yield f"the safety copy of {component} is not the old data"


def _is_damaged(office: SmallOffice, component: str, copy: str, known: Known) -> bool:
    rows, files = known.damaged
    if component.endswith("berkas"):
        return office.files_of_copy(copy) == files
    return office.rows_of_copy(copy) == rows


def _records(office: SmallOffice, connection: Connection, play: Play, failed: tuple[str, ...]) -> Iterator[str]:
    heads = ledger_heads.read_heads(office.installation.store("utama"), office.installation.signer.public_pem)
    yield from ledger.verify(connection, heads)
    if not heads or heads[-1] != ledger.head(connection):
        yield "the ledger's head is not anchored in the store"
    for procedure in procedures.list_all(connection):
        if procedure.state != "closed":
            yield f"the {procedure.kind} procedure is not closed"
    expected = {
        (entry.id, component)
        for entry in steps_of(play.kind)
        if play.procedure not in REFUSED or entry.id <= REFUSED[play.procedure][1]
        for component in (COMPONENTS if entry.per_component else ("",))
    }
    rows = {(row.step_id, row.component): row for row in steps.list_steps(connection, play.procedure_id)}
    entries = Counter(
        (row.step_id, row.component)
        for row in connection.execute(select(schema.ledger).where(schema.ledger.c.kind == "step.done"))
        if row.procedure_id == play.procedure_id
    )
    for key in sorted(expected):
        if key[0] in failed or key[1] in failed:
            continue
        if key not in rows or rows[key].state != "done":
            yield f"step {key} is {rows[key].state if key in rows else 'missing'}"
        if entries[key] != 1:
            yield f"step {key} has {entries[key]} closing entries in the ledger"
    if set(rows) - expected:
        yield f"steps that the SOP does not have: {sorted(set(rows) - expected)}"
    # A step that failed at the very moment of taking a lease may have got it: then it ends by itself.
    if (held := leases.list_leases(connection)) and not failed:
        yield f"leases are held: {[lease['resource'] for lease in held]}"


def _forms(office: SmallOffice, connection: Connection) -> Iterator[str]:
    papers = list(connection.execute(select(schema.forms)))
    numbers: dict[str, set[str]] = {}
    for paper in papers:
        numbers.setdefault(paper.kind, set()).add(paper.number)
        pdf = Path(paper.path)
        if not pdf.is_file() or hashlib.sha256(pdf.read_bytes()).hexdigest() != paper.pdf_sha256:
            yield f"the file of form {paper.number} version {paper.version} is not the recorded one"
            continue
        stored = [path for path in (office.root / "store" / "formulir").rglob(pdf.name) if path.is_file()]
        if [pdf.read_bytes()] != [path.read_bytes() for path in stored]:
            yield f"form {paper.number} version {paper.version} lies {len(stored)} times in the store"
    for sequence in connection.execute(select(schema.number_sequences)):
        issued = sorted(int(number.split("/")[0]) for number in numbers.get(sequence.series, ()))
        if issued != list(range(1, sequence.last + 1)):
            yield f"the numbers of {sequence.series} have gaps: {issued} up to {sequence.last}"
    known = {Path(paper.path).name for paper in papers}
    for path in (office.root / "state" / "formulir").rglob("*"):
        if path.is_file() and path.name not in known:
            yield f"{path.name} is no form on record"


def _backup_form(connection: Connection, play: Play) -> Iterator[str]:
    versions = [form for form in forms.list_forms(connection, play.procedure_id) if form.kind == "backup"]
    made = backups.list_of_procedure(connection, play.procedure_id)
    if [form.version for form in versions] != [1, 2]:
        yield f"the form has the versions {[form.version for form in versions]}"
    if len({backup.key for backup in made}) != len(made):
        yield "a component has two backups"
    for form in versions:
        text = json.dumps(form.facts, ensure_ascii=False)
        for backup in made:
            named = f'"{backup.name}"' in text and backup.facts["digests"]["cipher_sha256"] in text
            if named != (backup.state == "secured"):
                yield f"version {form.version} of the form is untrue about {backup.key}"


def _restore_form(connection: Connection, play: Play, status: str) -> Iterator[str]:
    meant = {"Berhasil": RESTORED, "Gagal–dikembalikan ke salinan pengaman": PUT_BACK}
    versions = [form for form in forms.list_forms(connection, play.procedure_id) if form.kind == "restore"]
    if [form.version for form in versions] != [1, 2]:
        yield f"the form has the versions {[form.version for form in versions]}"
    for form in versions:
        if [status] != [meant.get(value, value) for value in _values(form.facts, "Status")]:
            yield f"version {form.version} of the form is untrue: the restore was {status!r}"
    procedure = procedures.get(connection, play.procedure_id)
    if procedure.outcome != status:
        yield f"the outcome is {procedure.outcome!r} and the restore was {status!r}"


def _refusal(connection: Connection, play: Play) -> Iterator[str]:
    outcome, last = REFUSED[play.procedure]
    procedure = procedures.get(connection, play.procedure_id)
    if procedure.outcome != outcome:
        yield f"the outcome is {procedure.outcome!r} and not {outcome!r}"
    papers = [(form.kind, form.version) for form in forms.list_forms(connection, play.procedure_id)]
    if papers != [("restore_request", version) for version in range(1, int(last.rpartition(".")[2]) + 1)]:
        yield f"the forms are {papers}"
    if not notices.list_notices(connection, play.procedure_id):
        yield "the requester was not told"


def _values(facts: dict[str, Any], label: str) -> list[str]:
    rows = [row for section in facts["sections"] for block in section["blocks"] for row in block["rows"]]
    return [row["value"] for row in rows if row["label"].startswith(label)]


def _sets(office: SmallOffice, connection: Connection, failed: tuple[str, ...]) -> Iterator[str]:
    store, public_pem = office.installation.store("utama"), office.installation.signer.public_pem
    secured = [backup for backup in backups.list_backups(connection) if backup.state == "secured"]
    for backup in secured:
        prefix = set_prefix(backup.unit, backup.application, str(backup.name))
        backup_set = open_set(
            store,
            prefix,
            public_pem,
            application=backup.application,
            component=backup.component,
            manifest_sha256=backup.manifest_sha256,
        )
        read_back(store, prefix, backup_set.manifest, public_pem)
    held = {info.key.split("/")[-2] for info in store.list("bkd/") if info.key.endswith("/manifest.json.sig")}
    if missing := {backup.name for backup in secured} - held:
        yield f"the store lacks the sets {missing}"
    # What fails after a set was put and before that is on record leaves a good set, which the catalog calls named.
    known = {backup.name for backup in backups.list_backups(connection) if backup.key in failed}
    if unknown := held - {backup.name for backup in secured} - known:
        yield f"the store holds the sets {unknown}, which are not on record"


def _leftovers(office: SmallOffice, status: str) -> Iterator[str]:
    state = office.root / "state"
    for folder in ("staging", "scratch"):
        if left := list((state / folder).rglob("*")):
            yield f"{folder} is not empty: {[str(path.relative_to(state)) for path in left][:4]}"
    # What a killed put leaves in a store is no object; the sweep of stores takes it when it is old.
    for abandoned in office.installation.store("utama").sweep(-1):
        if not Path(abandoned).name.startswith(TEMPORARY):
            yield f"the store holds {abandoned}"
    copies = {copy for component in COMPONENTS for copy in office.installation.source(component).copies()}
    if stray := office.strays(copies if status == RESTORED else set()):
        yield f"beside the data lie {sorted(stray)}"
