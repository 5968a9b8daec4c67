"""The one exception tree. One class per kind of failure that an operator treats differently.

Every message says what failed (lower case, no full stop), in which state the data is, and what to do.
Errors of outside libraries and programs are translated into these at the adapter that calls them.
"""

# How `pulih guard` ends when it raises alarms: nothing failed, but people must see to something.
ALARMS_EXIT_CODE = 30


class PulihError(Exception):
    """Base of every error that Pulih raises on purpose.

    `message` says what failed; `state` says in which state the data is; `hint` says what to do next.
    None of the three may contain a secret or a personal datum.
    """

    exit_code = 1

    def __init__(self, message: str, *, state: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.state = state
        self.hint = hint

    def __str__(self) -> str:
        sentence = f"{self.message}; {self.state}" if self.state else self.message
        return f"{sentence}\nHINT: {self.hint}" if self.hint else sentence


class ConfigurationError(PulihError):
    """The inventory, a block or a setting is wrong; nothing was touched."""

    exit_code = 2


class NotFoundError(PulihError):
    """Something that was named does not exist: an application, a backup, an official, a procedure."""

    exit_code = 3


class ConflictError(PulihError):
    """Something already exists or is in use: a name, a lease, a second restore of one application."""

    exit_code = 4


class LeaseHeldError(ConflictError):
    """Another procedure works on this application now."""


class LeaseLostError(ConflictError):
    """The lease was taken over while we worked; whoever holds the newer token decides."""


class SourceError(PulihError):
    """A component could not be read, loaded or swapped."""

    exit_code = 10


class SourceMissingError(SourceError):
    """The database or directory is not there."""


class SourceLockedError(SourceError):
    """Another program keeps the source locked longer than we wait."""


class SourceCorruptError(SourceError):
    """The source is damaged or is not what the inventory says it is."""


class SourceBusyError(SourceError):
    """Something still has the source open although the service is stopped."""


class SwapError(SourceError):
    """Making a copy live, or undoing it, did not succeed; the state says what is live."""


class HostError(PulihError):
    """A machine could not be reached or a program could not be run there."""

    exit_code = 11


class CommandError(HostError):
    """A program ended with a status other than the ones that mean success, or ran out of time."""

    def __init__(
        self, message: str, *, state: str = "", hint: str = "", code: int | None = None, stderr: str = ""
    ) -> None:
        super().__init__(message, state=state, hint=hint)
        self.code = code
        self.stderr = stderr


class ServiceError(PulihError):
    """A web service did not do what it was told, judged by what it does and not by a return code."""

    exit_code = 12


class StoreError(PulihError):
    """A store refused, lost or changed something."""

    exit_code = 13


class StoreFullError(StoreError):
    """No space is left where the bytes should go."""


class StoreReadOnlyError(StoreError):
    """The store or staging directory cannot be written."""


class ObjectExistsError(StoreError):
    """A name in the store is taken; nothing is ever overwritten."""


class ObjectMissingError(StoreError):
    """An object that should be in the store is not there."""


class ObjectTooLargeError(StoreError):
    """An object is larger than anything that belongs under its name, so it was not read."""


class ObjectUnreadableError(StoreError):
    """One object cannot be read although its store answers: others go on without it."""


class SetError(PulihError):
    """A backup set is not what was stored: damaged, incomplete, unsigned, or of another component."""

    exit_code = 14


class SignatureError(SetError):
    """The manifest's signature does not match; nothing in the set can be trusted."""


class DigestError(SetError):
    """Bytes do not have the SHA-256 that the manifest promises."""


class KeyMissingError(PulihError):
    """A key or identity that is needed here is not there, or is not readable, or is of no use."""

    exit_code = 15


class VerificationFailedError(PulihError):
    """Verdict `fail`: the copy was looked at and it is not what it should be."""

    exit_code = 16


class VerificationError(PulihError):
    """Verdict `error`: the checker could not look; nothing is known about the copy."""

    exit_code = 17


class RecordsError(PulihError):
    """The catalog could not be read or written, or it contradicts itself."""

    exit_code = 18


class LedgerError(RecordsError):
    """The ledger's chain is broken, or a head in a store contradicts it."""

    exit_code = 19


class ApprovalError(PulihError):
    """An answer to an approval does not count. Never says which secret part was wrong."""

    exit_code = 20


class ProcedureError(PulihError):
    """A step cannot be done in the state in which the procedure is."""

    exit_code = 21


class FormError(PulihError):
    """A form could not be rendered."""

    exit_code = 22


class NoticeError(PulihError):
    """A notice could not be delivered. Recorded; never stops a procedure."""

    exit_code = 23
