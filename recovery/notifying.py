"""Sending a notice through Apprise, which knows the office's channels: mail, chat, webhooks; or into a file."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from recovery.errors import ConfigurationError, KeyMissingError, NoticeError
from recovery.secrets import resolve

logger = logging.getLogger(__name__)

FILE = "file://"


def deliver(reference: str, subject: str, body: str) -> str:
    """Given the reference of a target, send a notice there; return "" or what went wrong.

    Never raises for a failed delivery: whoever tells several people goes on with the next, and records the result.
    The target's URL may hold a password and is never told.
    """
    try:
        send(_target(reference), subject, body)
    except (NoticeError, KeyMissingError, ConfigurationError) as error:
        logger.warning("a notice was not delivered to %s: %s", reference, error.message)
        return error.message
    return ""


def send(target: str, subject: str, body: str) -> None:
    """Given an Apprise URL, or `file:///path` to append to a file, send a notice. Raises NoticeError.

    The URL may hold a password: it never appears in the error.
    """
    if target.startswith(FILE):
        _append(target.removeprefix(FILE), f"{subject}\n{body}\n\n")
        return
    import apprise

    service = apprise.Apprise()
    with _unlogged():
        added = service.add(target)
    if not added:
        raise NoticeError(
            "a notice target is no Apprise URL",
            state="the notice was not sent",
            hint="correct the secret that the inventory refers to; Apprise's documentation lists the URLs",
        )
    # Said to be text, since mail goes out as HTML otherwise and all lines become one.
    if not service.notify(title=subject, body=body, body_format=apprise.NotifyFormat.TEXT):
        raise NoticeError(
            "a notice was refused by its channel, or the channel did not answer",
            state="the notice was not sent",
            hint="look at the channel's own log",
        )


def _target(reference: str) -> str:
    try:
        return resolve(reference).decode()
    except UnicodeDecodeError:
        # Without the cause: it quotes the secret.
        raise NoticeError(
            f"the notice target {reference} is no text",
            state="the notice was not sent",
            hint="keep its address there as UTF-8 text",
        ) from None


@contextmanager
def _unlogged() -> Iterator[None]:
    """Apprise logs a URL that it cannot read, the password's first and last letter included, or all of it."""
    apprise = logging.getLogger("apprise")
    before, apprise.disabled = apprise.disabled, True
    try:
        yield
    finally:
        apprise.disabled = before


def _append(path: str, text: str) -> None:
    try:
        # For its owner alone: a notice may hold a receipt code.
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(text.encode())
    except OSError as error:
        raise NoticeError(
            f"a notice could not be written to a file ({error.strerror})",
            state="the notice was not sent",
            hint="let the worker's account write to the file that the notice target names",
        ) from error
