"""Codes that officials read and type: the document's code, and the one-time code of their device.

A one-time code binds nothing by itself; what it is worth comes from being judged near the moment of submission,
counted once, and typed together with the document's code. Source: RFC 6238 (TOTP), sections 5.2 and 6.
"""

import hmac
import re
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from recovery.errors import ConfigurationError
from recovery.records import schema

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 8
# How far the official's device, the server and the moment of pressing "Resume" may lie apart, in steps of 30 seconds.
STEPS_OF_TOLERANCE = 1


def document_code(sha256: str) -> str:
    """Given a hash, return the *kode dokumen*: its first 40 bits as eight Crockford characters, "ABCD-EFGH"."""
    bits = int(sha256[:10], 16)
    characters = "".join(CROCKFORD[(bits >> (5 * place)) & 31] for place in reversed(range(CODE_LENGTH)))
    return f"{characters[:4]}-{characters[4:]}"


def normal_code(typed: str) -> str:
    """Given a code as somebody typed it, return it as Crockford means it: case, dashes, O for 0, I and L for 1."""
    return re.sub(r"[\s\-–—]", "", typed).upper().translate(str.maketrans("OIL", "011"))


def typed_digits(code: str) -> str | None:
    """Given a code as somebody typed it, return its six digits, or None when it is no one-time code."""
    digits = re.sub(r"[\s\-]", "", code)
    return digits if re.fullmatch(r"[0-9]{6}", digits) else None


def matching_time_step(secret: str, code: str, moment: datetime) -> int | None:
    """Given a device's secret, a typed code and the submission's time, return the time step that made the code.

    Returns None when no step within the tolerance did.
    """
    import pyotp

    digits = typed_digits(code)
    if digits is None:
        return None
    device = pyotp.TOTP(secret)
    current = device.timecode(moment)
    if current < STEPS_OF_TOLERANCE:
        raise ConfigurationError("the server's clock stands at 1970", hint="set the clock of the Prefect server")
    matching = None
    for step in range(current - STEPS_OF_TOLERANCE, current + STEPS_OF_TOLERANCE + 1):
        if hmac.compare_digest(device.generate_otp(step).encode(), digits.encode()):
            matching = step
    return matching


def burn(connection: Connection, nip: str, time_step: int) -> bool:
    """Given an official and a time step, use it up; return False when it, or a later one, was used before."""
    table = schema.burnt_codes
    last = connection.execute(select(func.max(table.c.time_step)).where(table.c.nip == nip)).scalar()
    if last is not None and time_step <= last:
        return False
    connection.execute(insert(table).values(nip=nip, time_step=time_step))
    return True
