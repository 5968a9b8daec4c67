"""Where backups are proven: a place apart from everything live, and what proofs that died left on a scratch server."""

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

from recovery.errors import ConfigurationError, PulihError
from recovery.installation import Installation
from recovery.sources.base import Source
from recovery.sources.identities import is_same_server
from recovery.sources.server import ServerSource


def open_proof(installation: Installation, key: str, directory: Path) -> Source:
    """Given "application/component" and its private directory, return the source into which its backup is loaded.

    Raises ConfigurationError when that would be the live server of any component.
    """
    require_apart(installation, key)
    return installation.source(key).scratch(directory)


def proof_copy(scratch: Source) -> str:
    """Return the name of a copy that no earlier try of the same proof had.

    A program that a killed try had called may take a moment to end, and make its file when this try has begun.
    """
    return scratch.beside(f"proof-{token_hex(4)}")


def require_apart(installation: Installation, key: str) -> None:
    """Raise ConfigurationError when a component's scratch server is the live server of another component.

    That of the component itself is looked at by whoever loads into it. One that does not answer says nothing: a machine
    that is off must not keep the backups of all others from being proven.
    """
    _, component = installation.component(key)
    source = installation.source(key)
    if component.scratch_server is None or not isinstance(source, ServerSource):
        return
    scratch = source.on_scratch_server("").identify()
    for other in _of_kind(installation, component.kind):
        try:
            live = installation.source(other).identify()
        except PulihError:
            continue
        if is_same_server(live, scratch):
            raise ConfigurationError(
                f"the scratch server of {key} is the live server of {other}",
                state="nothing was loaded there",
                hint="name another server (scratch_server), or none: then each proof makes one of its own",
            )


def sweep_proofs(installation: Installation, key: str) -> list[str]:
    """Given a component, drop the copies that dead proofs of this installation left on its scratch server."""
    _, component = installation.component(key)
    source = installation.source(key)
    if component.scratch_server is None or not isinstance(source, ServerSource):
        return []
    from recovery.sources.scratch_server import installation_label, proof_label

    directory = installation.state_directory / "scratch"
    labels = source.on_scratch_server("").proofs()
    # Looked for afterwards: a proof makes its directory before its copy.
    working = {proof_label(place) for place in directory.glob("*/*")}
    removed = []
    for label in labels:
        if label.startswith(installation_label(directory)) and label not in working:
            left = source.on_scratch_server(label)
            left.discard(left.beside(""))
            removed.append(f"{left.beside('')} ({label})")
    return removed


def _of_kind(installation: Installation, kind: str) -> Iterator[str]:
    for application in installation.applications.values():
        for component in application.components:
            if component.kind == kind:
                yield f"{application.name}/{component.name}"
