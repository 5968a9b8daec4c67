"""Identities of sources, as backups and plans keep them: what tells one from every other, compared by one rule.

What not every release of ours, nor of a server, says of itself counts only where both sides say it.
"""

from typing import Any

from recovery.canonical import digest

SERVER_UID = "server_uid"


def identity_of(found: dict[str, Any], **known: Any) -> dict[str, Any]:
    """Given what a server says of itself and what else is known of a source, return the source's identity."""
    uid = {SERVER_UID: found[SERVER_UID]} if found.get(SERVER_UID) else {}
    return {**known, "system": found["system"], **uid}


def is_same_server(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Given what two servers say of themselves now, or two identities, say whether they are one server."""
    return one["system"] == other["system"] and SERVER_UID not in differences(one, other)


def is_approved(approved: str, live: dict[str, Any]) -> bool:
    """Given the digest of the identity that was approved and an identity of now, say whether they are the same."""
    return approved in (digest(live), digest(_without_uid(live)))


def differences(made_of: dict[str, Any], live: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Given the identity of what was backed up and of what would be replaced, return each part in which they differ.

    It is no error, since a server may have been built anew; people decide, because a database of the same name on
    another server may be a test's.
    """
    if not (made_of.get(SERVER_UID) and live.get(SERVER_UID)):
        made_of, live = _without_uid(made_of), _without_uid(live)
    return {
        name: {"backup": made_of.get(name, ""), "target": live.get(name, "")}
        for name in sorted(made_of.keys() | live.keys())
        if made_of.get(name) != live.get(name)
    }


def _without_uid(identity: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in identity.items() if name != SERVER_UID}
