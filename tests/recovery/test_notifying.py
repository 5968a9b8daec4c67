"""Notices arrive, by a real mail server and in a real file, or their failure is told without a secret."""

import logging
import socket
from pathlib import Path

import pytest

from recovery.errors import NoticeError
from recovery.notifying import send
from tests.testbed.mail_server import mail_server

BODY = "Status: berhasil.\nKode tanda terima: ABCD1234\nBerikan kode ini."
PASSWORD = "sangat-rahasia"


def url_of(port: int) -> str:
    return f"mailto://pulih:{PASSWORD}@127.0.0.1:{port}/?from=pulih@kominfo.invalid&to=rina@bkd.invalid"


def test_a_mail_arrives_with_subject_and_all_lines() -> None:
    """What the requester reads is what was written: a code that runs into its neighbours is no code."""
    with mail_server() as server:
        send(url_of(server.port), "Status permintaan restore simpel: berhasil – selesai", BODY)
    (mail,) = server.mails
    assert "Status permintaan restore simpel: berhasil – selesai" == mail["Subject"]
    assert "rina@bkd.invalid" in mail["To"]
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert BODY.splitlines() == [line.strip() for line in plain.get_content().strip().splitlines()]
    html = mail.get_body(("html",))
    assert html is None or 2 <= html.get_content().count("<br")
    assert [f"\0pulih\0{PASSWORD}"] == server.logins


@pytest.mark.parametrize("refuse", ["login", "recipient", "content"])
def test_a_refusal_is_told_without_the_password(refuse: str, caplog: pytest.LogCaptureFixture) -> None:
    """Wherever the mail server stops the mail, it did not arrive."""
    caplog.set_level(logging.INFO)
    with mail_server(refuse) as server, pytest.raises(NoticeError) as raised:
        send(url_of(server.port), "Status", BODY)
    assert [] == server.mails
    assert "a notice was refused by its channel, or the channel did not answer" == raised.value.message
    assert PASSWORD not in str(raised.value) + caplog.text


def test_a_server_that_is_not_there_is_told() -> None:
    """The port is bound and nobody listens."""
    with socket.socket() as closed, pytest.raises(NoticeError, match="did not answer"):
        closed.bind(("127.0.0.1", 0))
        send(url_of(closed.getsockname()[1]), "Status", BODY)


@pytest.mark.parametrize(
    "target", ["", "nonsense", f"unknown://{PASSWORD}@host", f"mailto://{PASSWORD}", f"mailto://a:{PASSWORD}@127.0.0.1"]
)
def test_a_target_that_is_no_url_is_told_without_repeating_it(target: str, caplog: pytest.LogCaptureFixture) -> None:
    """It may be a password that somebody wrote where a URL belongs."""
    caplog.set_level(logging.WARNING)
    with pytest.raises(NoticeError) as raised:
        send(target, "Status", BODY)
    assert "a notice target is no Apprise URL" == raised.value.message
    assert PASSWORD not in str(raised.value)
    assert "" == caplog.text


def test_a_file_gets_every_notice_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    """A notice may hold a receipt code. The path is taken as it is written."""
    path = tmp_path / "pemberitahuan #1 %20.txt"
    send(f"file://{path}", "Satu", "isi")
    send(f"file://{path}", "Dua – dua", "isi")
    assert "Satu\nisi\n\nDua – dua\nisi\n\n" == path.read_text(encoding="utf-8")
    assert 0o600 == path.stat().st_mode & 0o777


@pytest.mark.parametrize("path", ["/proc/no/such/place", "/dev/full", "/proc", ""])
def test_a_file_that_cannot_be_written_is_told(path: str) -> None:
    """A notice that is nowhere was not sent."""
    with pytest.raises(NoticeError, match="a notice could not be written to a file"):
        send(f"file://{path}", "Status", BODY)
