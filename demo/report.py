"""What the demonstration tells at its end: both procedures with their evidence, and the proof that the data is back."""

from dataclasses import dataclass
from typing import Any

from demo.running import Say, as_now
from demo.site import APPLICATION
from recovery.calendar import format_bytes, format_duration, format_moment, format_number
from recovery.canonical import digest
from recovery.errors import SourceError
from recovery.installation import Installation
from recovery.procedures.restore_document import printed_status, quiet_in_words
from recovery.records import backups, forms, ledger, officials, procedures, steps
from recovery.sop import PROCEDURE_TITLES, steps_of

Measured = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Proof:
    """Fingerprints of every component: in the backup, after the damage, after the restore; what the ledger lacks."""

    before: Measured
    damaged: Measured
    after: Measured
    ledger: list[str]


def proof_of(installation: Installation, backup_run: str = "") -> Measured:
    """Measure the live components; with a backup's run, return what was measured in its snapshot instead."""
    measured: Measured = {}
    for component in installation.application(APPLICATION).components:
        key = f"{APPLICATION}/{component.name}"
        if backup_run:
            with installation.catalog.read() as connection:
                backup = backups.of_procedure(connection, backup_run, key)
            assert backup is not None  # noqa: S101 — the run ended well, or we would not be here
            fingerprint = backup.facts["fingerprint"]
        else:
            try:
                fingerprint = installation.source(key).fingerprint().to_json()
            except SourceError as error:
                measured[key] = {"totals": None, "digest": error.message}
                continue
        measured[key] = {"totals": fingerprint["totals"], "digest": digest(fingerprint["objects"])[:16]}
    return measured


def tell_damage(sentences: list[str], say: Say) -> None:
    """Say what was destroyed."""
    for sentence in sentences:
        say(f"  ✗ {sentence}")


def tell_procedure(installation: Installation, procedure_id: str, say: Say) -> None:
    """Say step by step what a procedure left as evidence, in the SOP's words."""
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        rows = steps.list_steps(connection, procedure_id)
        deciding = {str(evidence["official"]) for row in rows if "official" in (evidence := row.evidence or {})}
        people = {nip: f"{officials.get(connection, nip).name} (NIP {nip})" for nip in deciding}
    say("")
    say(f"{PROCEDURE_TITLES[procedure.kind]} — {procedure.outcome}")
    for entry in steps_of(procedure.kind):
        for row in [row for row in rows if row.step_id == entry.id]:
            say(f"  {entry.title}" + (f" [{row.component}]" if row.component else ""))
            say(f"     {format_moment(row.ended_at)}")
            for line in _evidence(entry.id, row.evidence or {}, people):
                say(f"     {line}")


def tell_end(installation: Installation, proof: Proof, say: Say) -> None:
    """Say whether the data is back, where the forms lie, and what to try next."""
    say("")
    say("BUKTI BAHWA DATA KEMBALI (jumlah objek dan sidik digital)")
    for component in proof.before:
        say(f"  {component}")
        for words, measured in (("cadangan", proof.before), ("rusak   ", proof.damaged), ("kembali ", proof.after)):
            totals = measured[component]["totals"]
            counted = (
                f"{format_number(totals['rows'])} objek, {format_bytes(totals['bytes'])}" if totals else "tidak terbaca"
            )
            say(f"     {words}: {counted}, sidik {measured[component]['digest']}")
        same = proof.before[component]["digest"] == proof.after[component]["digest"]
        say("     " + ("SAMA dengan cadangan" if same else "BERBEDA dari cadangan"))
    with installation.catalog.read() as connection:
        papers = [
            form for procedure in procedures.list_all(connection) for form in forms.list_forms(connection, procedure.id)
        ]
    say("")
    say("BUKU BESAR: " + ("utuh" if not proof.ledger else "; ".join(proof.ledger)))
    say("FORMULIR (PDF)")
    for form in papers:
        say(f"  {form.number} versi {form.version}: {form.path}")
    say("")
    say(f"Berikutnya: `{as_now('make up')}` menjalankan semuanya lagi agar dicoba sendiri di peramban.")


def ledger_findings(installation: Installation) -> list[str]:
    """Return what is wrong with the ledger; empty when it is intact."""
    with installation.catalog.read() as connection:
        return ledger.verify(connection)


def failings(proof: Proof) -> list[str]:
    """Return sentences about what the story did not prove; empty when all was damaged, all is back and recorded."""
    changed = {
        words: [name for name in proof.before if proof.before[name]["digest"] != measured[name]["digest"]]
        for words, measured in (("damaged", proof.damaged), ("after", proof.after))
    }
    return [
        *(f"{name}: kerusakan tidak mengubah apa pun" for name in proof.before if name not in changed["damaged"]),
        *(f"{name}: data berbeda dari cadangan" for name in changed["after"]),
        *(f"buku besar: {finding}" for finding in proof.ledger),
        *(["tidak ada komponen yang diukur"] if not proof.before else []),
    ]


def _evidence(step_id: str, evidence: dict[str, Any], people: dict[str, str]) -> list[str]:
    match step_id:
        case "backup.1":
            totals = evidence["totals"]
            return [f"{format_number(totals['rows'])} objek, {format_bytes(totals['bytes'])} dibaca"]
        case "backup.2":
            counts = evidence["checks"]
            return [f"{counts['pass']} dari {counts['checks']} pemeriksaan lulus pada salinan yang dipulihkan"]
        case "backup.3":
            return [evidence["name"]]
        case "backup.4":
            return [f"{place['location']}" for place in evidence["locations"]] + [
                f"SHA-256 manifes {evidence['manifest_sha256'][:16]}…"
            ]
        case "restore.4":
            return [f"berhenti {format_moment(evidence['stopped_at'])}", quiet_in_words(evidence)]
        case "restore.5":
            return [f"{name}: {part['backup']}" for name, part in evidence["components"].items()] + [
                f"bukti tenang dan penukaran {format_duration(evidence['milliseconds'] / 1000)}"
            ]
        case "restore.6":
            return [
                f"{printed_status(evidence)}, lama henti {format_duration(evidence['downtime_milliseconds'] / 1000)}"
            ]
        case "restore.7":
            told = "terkirim" if evidence["notice"]["delivered"] else "GAGAL dikirim"
            return [f"formulir {evidence['form_number']}, pemberitahuan {told}"]
        case _:
            shown = [str(evidence[name]) for name in ("form_number", "decision") if name in evidence]
            shown += [f"oleh {people[evidence['official']]}"] if "official" in evidence else []
            return [", ".join(shown)]
