"""pulih verify: read a backup's set in its stores again and check signature and every byte."""

from dataclasses import dataclass
from typing import Any

import click

from cli.completing import backup_names
from cli.output import Output
from recovery.calendar import format_moment
from recovery.errors import NotFoundError, PulihError, SetError, StoreError
from recovery.installation import Installation
from recovery.records import backup_entries, backups, destructions
from recovery.retention_plan import places_of
from recovery.sets import open_set, read_back, set_prefix


@click.command("verify")
@click.argument("name", shell_complete=backup_names)
@click.pass_obj
def command(output: Output, name: str) -> None:
    """Check the backup NAME in every store that holds it: signature, manifest, SHA-256 of every part.

    This does not load the data again; a restore's rehearsal does. Every store is read, also after one was found bad,
    since what counts then is whether another copy is good.
    """
    installation = output.installation
    with installation.catalog.read() as connection:
        backup = backups.by_name(connection, name)
        if backup is not None:
            backup_entries.require_as_recorded(connection, backup)
    if backup is None or not backup.stores:
        raise NotFoundError(
            f"no backup in a store has the name {name!r}",
            state="nothing was read",
            hint="`pulih backups` lists the names",
        )
    if backup.state == "destroyed":
        _show_destroyed(output, backup)
        return
    public_pem = installation.signer.trusted_pem
    results = [_look(installation, backup, store_name, public_pem) for store_name in backup.stores]
    output.show(
        {"name": name, "verdict": _worst(results), "stores": [result.to_json() for result in results]},
        [line for result in results for line in result.lines(name)],
    )
    verdict = _worst(results)
    if verdict != "pass":
        worst = next(result for result in results if result.verdict == verdict)
        raise _with_way_out(worst.error, [result.store for result in results if result.verdict == "pass"])


def _show_destroyed(output: Output, backup: backups.Backup) -> None:
    """A destroyed set is meant to be missing: what is bad is when something of it is still there."""
    installation = output.installation
    with installation.catalog.read() as connection:
        destruction = destructions.of_backup(connection, backup.id)
        unexplained = [each for each in destructions.verify(connection) if str(backup.name) in each]
    results = [_look_for_remains(installation, backup, name) for name in places_of(installation, backup)]
    verdict = "fail" if unexplained else _worst(results)
    since = destruction.ended_at if destruction else None
    output.show(
        {"name": backup.name, "verdict": verdict, "stores": [result.to_json() for result in results]},
        [
            f"{backup.name}: was destroyed on {format_moment(since)}, on purpose",
            *(line for result in results for line in result.lines(str(backup.name))),
            *unexplained,
        ],
    )
    if unexplained:
        raise SetError(
            unexplained[0],
            state="nothing was changed",
            hint="somebody changed the catalog by hand; run `pulih ledger verify`",
        )
    if verdict != "destroyed":
        worst = next(result for result in results if result.verdict == verdict)
        raise _with_way_out(worst.error, [])


def _look_for_remains(installation: Installation, backup: backups.Backup, store_name: str) -> "Looked":
    try:
        prefix = set_prefix(backup.unit, backup.application, str(backup.name))
        left = [info.key for info in installation.store(store_name).list(f"{prefix}/")]
    except (StoreError, NotFoundError) as error:
        return Looked(store_name, "error", error=error)
    if not left:
        return Looked(store_name, "destroyed")
    remains = SetError(
        f"{len(left)} objects of the destroyed set are there, the first is {left[0]}",
        state="the set cannot be restored from them",
        hint="its removal was interrupted, or somebody put them back: the next run of `pemusnahan` ends what it began",
    )
    return Looked(store_name, "fail", error=remains)


@dataclass(frozen=True)
class Looked:
    """What was found in one store: `fail` says that the copy is bad, `error` that it could not be looked at."""

    store: str
    verdict: str
    warnings: tuple[str, ...] = ()
    error: PulihError | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        message = self.error.message if self.error else ""
        return {"store": self.store, "verdict": self.verdict, "warnings": list(self.warnings), "error": message}

    def lines(self, name: str) -> list[str]:
        """Return it for people."""
        if self.error:
            said = "is BAD" if self.verdict == "fail" else "could not be looked at"
            return [f"{name}: the copy in {self.store} {said}: {self.error.message}"]
        if self.verdict == "destroyed":
            return [f"{name}: nothing of it is left in {self.store}"]
        good = f"{name}: signature and every byte are as recorded in {self.store}"
        return [good, *(f"  warning: {warning}" for warning in self.warnings)]


def _look(installation: Installation, backup: backups.Backup, store_name: str, public_pem: bytes) -> Looked:
    try:
        return Looked(store_name, "pass", tuple(_read_all(installation, backup, store_name, public_pem)))
    except SetError as error:
        return Looked(store_name, "fail", error=error)
    except (StoreError, NotFoundError) as error:
        return Looked(store_name, "error", error=error)


def _read_all(installation: Installation, backup: backups.Backup, store_name: str, public_pem: bytes) -> list[str]:
    """Read all of one copy; return warnings. Raises SetError, SignatureError, DigestError, StoreError."""
    store = installation.store(store_name)
    prefix = set_prefix(backup.unit, backup.application, str(backup.name))
    found = open_set(
        store,
        prefix,
        public_pem,
        application=backup.application,
        component=backup.component,
        manifest_sha256=backup.manifest_sha256,
    )
    # Opening compares sizes; only reading tells of a flipped bit.
    read_back(store, prefix, found.manifest, public_pem)
    return found.check_parts()


def _worst(results: "list[Looked]") -> str:
    verdicts = {result.verdict for result in results}
    return next(verdict for verdict in ("fail", "error", "pass", "destroyed") if verdict in verdicts)


def _with_way_out(error: PulihError | None, good: list[str]) -> PulihError:
    assert error is not None  # noqa: S101 — every result that is not "pass" has one
    if good:
        error.hint = f"the copy in {', '.join(good)} is good: use that one, and find out what happened here"
    return error
