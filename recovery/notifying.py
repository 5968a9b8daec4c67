"""Sending a notice through Apprise, which knows the office's channels: mail, chat, webhooks, files."""

from pathlib import Path
from urllib.parse import urlsplit

from recovery.errors import NoticeError


def send(target: str, subject: str, body: str) -> None:
    """Given an Apprise URL, or `file:///path` to append to a file, send a notice. Raises NoticeError.

    The URL may hold a password: it never appears in the error.
    """
    if target.startswith("file://"):
        _append(Path(urlsplit(target).path), subject, body)
        return
    import apprise

    service = apprise.Apprise()
    if not service.add(target):
        raise NoticeError("a notice target is no Apprise URL", hint="see the reference in the inventory")
    if not service.notify(title=subject, body=body):
        raise NoticeError("a notice was refused by its channel", hint="look at the channel's own log")


def _append(path: Path, subject: str, body: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{subject}\n{body}\n\n")
    except OSError as error:
        raise NoticeError(f"a notice could not be written to a file ({error.strerror})") from error
