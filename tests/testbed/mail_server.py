"""A small real mail server on loopback: it speaks SMTP, keeps what it gets, and can refuse."""

import base64
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    """What the server got, and what it refuses."""

    port: int = 0
    refuse: str = ""  # "", "login", "recipient" or "content"
    logins: list[str] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)


class _Conversation(socketserver.StreamRequestHandler):
    """One SMTP conversation (RFC 5321 and RFC 4954, as far as clients need them)."""

    mail_server: MailServer

    def handle(self) -> None:
        self._say("220 mail.invalid ESMTP")
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            match verb.upper():
                case "EHLO":
                    self._say("250-mail.invalid\r\n250 AUTH PLAIN")
                case "AUTH":
                    self._login(rest)
                case "RCPT":
                    self._say("550 no such mailbox" if self.mail_server.refuse == "recipient" else "250 ok")
                case "DATA":
                    self._data()
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")

    def _login(self, rest: str) -> None:
        self.mail_server.logins.append(base64.b64decode(rest.split()[1]).decode())
        self._say("535 no" if self.mail_server.refuse == "login" else "235 welcome")

    def _data(self) -> None:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if self.mail_server.refuse == "content":
            self._say("554 refused")
            return
        mail = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mail_server.mails.append(mail)
        self._say("250 kept")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def mail_server(refuse: str = "") -> Iterator[MailServer]:
    """Run a mail server on a free port while the block runs."""
    kept = MailServer(refuse=refuse)
    handler = type("Conversation", (_Conversation,), {"mail_server": kept})
    with _Server(("127.0.0.1", 0), handler) as server:
        kept.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()
