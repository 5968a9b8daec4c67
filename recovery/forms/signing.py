"""The place of electronic signatures: an interface, and what a driver behind it must guarantee. No driver yet.

A form that carries only approvals by one-time code is a record of the system. The legal act is the signature of an
official, by hand on paper or electronically; until a driver exists the office signs outside and files the result.
"""

from typing import Protocol

from recovery.forms.model import Official
from recovery.forms.render import SignatureField


class SignatureDriver(Protocol):
    """Puts one official's electronic signature (PAdES) into one field of a form.

    A driver must guarantee:
    - every signature field of the form exists before the first signature is made; the first signature certifies the
      document and permits only the filling of fields; a later signature appends and changes no byte before it;
    - the returned file begins with the very bytes of the file that was issued, the field names and their number are
      unchanged, and the signer is the official who was asked for;
    - it judges a signed file by one overall verdict that an appended, rewritten or flipped byte makes false;
    - no passphrase, private key or NIK passes through Prefect, a log, an error or the records;
    - the sentence about BSrE stands on a file only when a BSrE certificate signs it: the form is rendered with
      `Document.signed_with_bsre` before signing, and a signing that fails discards that rendering.
    """

    def sign(self, pdf: bytes, official: Official, box: SignatureField) -> bytes:
        """Given an issued form, who signs and where, return the signed file.

        Raises FormError when nothing was signed or the result does not keep the guarantees above.
        """
        ...
