"""Entries of the ledger that were lost before a rebuild: declared by a signature, or else a finding."""

import json
from typing import Any

from sqlalchemy import Row

from recovery.canonical import canonical_json
from recovery.crypto import Signer, verify_signature
from recovery.errors import SignatureError

REBUILT = "ledger.rebuilt"


def declare(first: int, last: int, continues: str, signer: Signer) -> dict[str, Any]:
    """Given the first and last entry that are lost, and the hash of the last from its signed head, return what the
    entry behind them says; when none is lost, `last` is the one before `first`."""
    declared = _declared(first, last, continues)
    return {**declared, "signature": signer.sign(canonical_json(declared)).hex()}


def is_declared(entry: Row[Any], sequence: int, public_pem: bytes) -> bool:
    """Given an entry, the number of the one that was found before it and trusted keys, return whether the entry says,
    signed by one of them, that all between was lost."""
    if entry.kind != REBUILT or not public_pem:
        return False
    declared = _declared(sequence + 1, entry.sequence - 1, entry.previous)
    try:
        signature = bytes.fromhex(json.loads(entry.facts)["lost"]["signature"])
        verify_signature(public_pem, canonical_json(declared), signature)
    except (ValueError, KeyError, TypeError, SignatureError):
        return False
    return True


def _declared(first: int, last: int, continues: str) -> dict[str, Any]:
    return {"format": 1, "kind": REBUILT, "first": first, "last": last, "continues": continues}
