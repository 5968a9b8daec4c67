"""The shipped programs on a machine that is reached by SSH: kept there under the digest of their text."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recovery.errors import HostError
from recovery.hosts.ssh_errors import NOT_REACHED, connecting
from recovery.settings import HostSettings

if TYPE_CHECKING:
    from paramiko import Channel

DIRECTORY = Path(__file__).parent
INSTALLATION = "program_installation.py"
# Reads eight digits and so many bytes of program from stdin; without single quotes, every shell takes it as it is.
BOOTSTRAP = """import os,sys
if sys.version_info<(3,9):sys.exit("Python 3.9 is needed and this is "+sys.version.split()[0])
def read(n):
 b=b""
 while len(b)<n:
  c=os.read(0,n-len(b))
  if not c:os._exit(9)
  b+=c
 return b
exec(compile(read(int(read(8))),"program_installation","exec"))
"""
OLD_PYTHON = "Python 3.9 is needed"


@dataclass(frozen=True)
class Installed:
    """Where the shipped programs are on a machine, and what runs them there."""

    directory: str
    python: str
    version: str


@cache
def bundle() -> tuple[str, dict[str, str]]:
    """Return the digest of the shipped programs, and their texts by file name."""
    paths = [DIRECTORY / "helper.py", *sorted(DIRECTORY.glob("program_*.py"))]
    files = {path.name: path.read_text(encoding="utf-8") for path in paths if path.name != INSTALLATION}
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest(), files


def serve_command(settings: HostSettings) -> str:
    """Return the command line under which every program is run: it holds nothing of what is asked for."""
    return f'exec {settings.python} -I -S "$HOME"/.cache/pulih/{bundle()[0]}/helper.py connection serve'


def install(channel: "Channel", settings: HostSettings) -> Installed:
    """Given a fresh channel, see to it that the shipped programs are there, and return where. Raises HostError."""
    digest, files = bundle()
    mark = secrets.token_hex(16)
    program = (DIRECTORY / INSTALLATION).read_bytes()
    given = json.dumps({"mark": mark, "digest": digest, "files": files}).encode()
    with connecting(settings), channel:
        channel.settimeout(settings.answer_timeout)
        channel.exec_command(f"exec {settings.python} -I -S -c 'exec({json.dumps(BOOTSTRAP)})'")
        said = bytearray()
        try:
            channel.sendall(b"%08d" % len(program) + program + b"%08d" % len(given) + given)
        except OSError as error:  # pragma: no cover - when the program's end comes before all is sent, which is chance
            # A program that is not there, or too old, does not read; its own words say more.
            said += str(error).encode()
        output = _read_all(channel.recv)
        complaints = _read_all(channel.recv_stderr)
    _, found, answer = output.partition(mark.encode())
    if not found:
        raise _unusable(settings, channel.exit_status, (complaints or output or bytes(said)).decode(errors="replace"))
    result: dict[str, Any] = json.loads(answer)
    if "reason" in result:
        raise HostError(
            f"the shipped programs cannot be kept on {settings.name}: {result['reason']}",
            state=NOT_REACHED,
            hint=f"give the account {settings.user} a home directory there that it can write to and nobody else can",
        )
    return Installed(result["directory"], result["python"], result["version"])


def _read_all(receive: Any) -> bytes:
    data = bytearray()
    while chunk := receive(1 << 16):
        data += chunk
    return bytes(data)


def _unusable(settings: HostSettings, status: int, said: str) -> HostError:
    words = said.strip().rpartition("\n")[2][:300] or f"status {status}"
    old = OLD_PYTHON in said or "Unknown option: -I" in said
    return HostError(
        f"{settings.name} has no Python that runs the shipped programs ({words})",
        state=NOT_REACHED,
        hint="install Python 3.9 or newer there, or name one in the host's field `python`"
        + ("" if old else "; the account's login shell must run commands"),
    )
