"""The demonstration's office: an ordinary installation in one directory, with keys, officials and an application.

Nothing here is a shortcut: `pulih apply` reads the inventory, and the same deployments, tasks, blocks and worker run.
"""

import base64
import json
import os
import random
import re
import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from recovery.crypto import generate_identity, generate_signing_key
from recovery.errors import HostError

if TYPE_CHECKING:
    from demo.engines import Engine

# The demonstration's people. They do not exist.
KABID = "198002022005012002"
KADIS = "197003031995031003"
EXECUTOR = "199001012015011001"
REQUESTER = "198505052010012005"
SCHEDULE = "jadwal-bulanan"
APPLICATION = "simpel"
# The letter with which the requester asks, in the intake folder.
LETTER_NUMBER = "800/045/BKD/2026"
LETTER_FILE = "surat-bkd-045.txt"
DATABASE_SUITE = "simpel-data.yaml"
# Below the ports that outgoing connections take (32768 and up on Linux), so that a stopped SIMPEL gets its port back.
_SIMPEL_PORTS = range(20000, 32000)


@dataclass(frozen=True)
class Site:
    """Where everything of the demonstration lies. Removing the directory removes all of it."""

    root: Path

    @property
    def inventory(self) -> Path:
        """The inventory that `pulih apply` reads."""
        return self.root / "inventory.yaml"

    @property
    def prefect_home(self) -> Path:
        """Files of the Prefect server and worker."""
        return self.root / "prefect"

    @property
    def state(self) -> Path:
        """Pulih's state directory: catalog, staging, forms."""
        return self.root / "pulih"

    @property
    def intake(self) -> Path:
        """Where letters lie that a request names."""
        return self.state / "surat-masuk"

    @property
    def store(self) -> Path:
        """The directory store in which backups end."""
        return self.root / "gudang-cadangan"

    @property
    def store_kind(self) -> str:
        """What keeps the backups: "directory", or an S3 server ("s3", "ceph"), chosen once."""
        return self.store_file.read_text(encoding="ascii").strip() if self.store_file.exists() else "directory"

    @property
    def store_file(self) -> Path:
        """The file that names the store."""
        return self.root / "gudang"

    @property
    def bucket_port(self) -> int:
        """The port of the S3 server."""
        return int((self.root / "s3.port").read_text(encoding="ascii"))

    @property
    def engine(self) -> str:
        """What keeps SIMPEL's database: one of demo.engines, chosen once."""
        return self.engine_file.read_text(encoding="ascii").strip() if self.engine_file.exists() else "sqlite"

    @property
    def engine_file(self) -> Path:
        """The file that names the engine."""
        return self.root / "mesin-basis-data"

    @property
    def database(self) -> Path:
        """SIMPEL's database, where SQLite keeps it."""
        return self.application / "simpel.db"

    @property
    def uploads(self) -> Path:
        """SIMPEL's uploads."""
        return self.application / "unggahan"

    @property
    def host(self) -> str:
        """Where SIMPEL runs: "local", or "systemd" for a machine of its own, chosen once."""
        return self.host_file.read_text(encoding="ascii").strip() if self.host_file.exists() else "local"

    @property
    def host_file(self) -> Path:
        """The file that names the host."""
        return self.root / "server"

    @property
    def machine(self) -> Path:
        """Keys and data of SIMPEL's own machine."""
        return self.root / "mesin"

    @property
    def application(self) -> Path:
        """Where SIMPEL's data lies, as seen from here."""
        return self.machine / "srv" / "simpel" if self.host == "systemd" else self.root / "simpel"

    def on_host(self, path: Path) -> str:
        """Given a path below `application`, return it as SIMPEL's host has it."""
        return f"/srv/simpel/{path.relative_to(self.application)}" if self.host == "systemd" else str(path)

    @property
    def ssh_port(self) -> int:
        """The port that leads to the sshd of SIMPEL's own machine."""
        return int((self.root / "ssh.port").read_text(encoding="ascii"))

    @property
    def supervisor(self) -> Path:
        """Configuration of the service manager that keeps SIMPEL running."""
        return self.root / "supervisord.conf"

    @property
    def service_manager_pid(self) -> Path:
        """The file with the number of the service manager's process, while that runs."""
        return self.root / "supervisord.pid"

    @property
    def notices(self) -> Path:
        """The file that stands for the requester's mail box."""
        return self.root / "pemberitahuan.txt"

    @property
    def office_notices(self) -> Path:
        """The file that stands for the office's mail box: what waits for an official, and what went wrong."""
        return self.root / "pemberitahuan-dinas.txt"

    @property
    def phones(self) -> Path:
        """Secrets of the demonstration officials' phones. Real officials' secrets are shown once and kept nowhere."""
        return self.root / "ponsel-peraga.json"

    @property
    def simpel_url(self) -> str:
        """Where SIMPEL answers."""
        return f"http://127.0.0.1:{self.simpel_port}"

    @property
    def simpel_port(self) -> int:
        """SIMPEL's port: chosen once by `prepare`, so that two demonstrations on one machine do not meet."""
        return int((self.root / "simpel.port").read_text(encoding="ascii"))


def prepare(site: Site) -> None:
    """Given a site, write keys, inventory, service configuration, letter and the application's data, once."""
    if site.inventory.exists():
        return
    # Here, because every engine and the inventory know the site.
    from demo.engines import engine_of
    from demo.inventory import inventory

    engine = engine_of(site)
    for directory in (site.root, site.state, site.store, site.root / "kunci", site.root / "log"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("simpel.port", "ssh.port", "s3.port"):
        (site.root / name).write_text(f"{free_port()}\n", encoding="ascii")
    recipients = _write_keys(site)
    _write_letter(site)
    _write_suites(site, engine)
    site.uploads.parent.mkdir(parents=True, exist_ok=True)
    engine.make()
    engine.fill()
    _write_supervisor(site, engine)
    # Last: its being there says that all else is.
    site.inventory.write_text(
        yaml.safe_dump(inventory(site, engine, *recipients), allow_unicode=True, sort_keys=False), encoding="utf-8"
    )


def free_port() -> int:
    """Return a port of this machine that nobody listens on. Raises HostError when none was found."""
    for port in random.sample(_SIMPEL_PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise HostError("none of 100 ports that were tried is free", state="nothing was prepared", hint="try again")


def _write_keys(site: Site) -> tuple[str, str]:
    identity, operations = generate_identity()
    escrow_identity, escrow = generate_identity()
    write_private(site.root / "kunci" / "operasional.txt", identity.encode())
    write_private(site.root / "kunci" / "amplop-escrow.txt", escrow_identity.encode())
    write_private(site.root / "kunci" / "tanda-tangan.pem", generate_signing_key())
    write_private(site.root / "kunci" / "pendaftaran.key", base64.b64encode(secrets.token_bytes(32)))
    write_private(site.root / "kunci" / "pemberitahuan.url", f"file://{site.notices}".encode())
    write_private(site.root / "kunci" / "pemberitahuan-dinas.url", f"file://{site.office_notices}".encode())
    write_private(site.root / "kunci" / "prefect.url", f"sqlite+aiosqlite:///{site.prefect_home}/prefect.db".encode())
    return operations, escrow


def write_private(path: Path, content: bytes) -> None:
    """Given a path and a line, write it so that only this account can read it."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content + b"\n")


def _write_letter(site: Site) -> None:
    site.intake.mkdir(mode=0o700, exist_ok=True)
    (site.intake / LETTER_FILE).write_text(
        f"BADAN KEPEGAWAIAN DAERAH\nNomor: {LETTER_NUMBER}\n\n"
        "Mohon data aplikasi SIMPEL dipulihkan karena tabel dan berkas terhapus.\n",
        encoding="utf-8",
    )


def _write_suites(site: Site, engine: "Engine") -> None:
    """Write the owner's rules with the names under which this engine's tables are judged."""
    for path in (Path(__file__).resolve().parent / "suites").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        if path.name == DATABASE_SUITE:
            text = re.sub(r"asset: (\w+)", lambda found: f"asset: {engine.table(found[1])}", text)
        (site.root / path.name).write_text(text, encoding="utf-8")


def _write_supervisor(site: Site, engine: "Engine") -> None:
    python = sys.executable
    here = Path(__file__).resolve().parent.parent
    log = site.root / "log"
    site.supervisor.write_text(
        f"""[unix_http_server]
file={site.root}/supervisor.sock
chmod=0600

[supervisord]
logfile={log}/supervisord.log
pidfile={site.service_manager_pid}
nodaemon=false

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{site.root}/supervisor.sock

[program:simpel]
command={python} -m demo.simpel --database {engine.address} --uploads {site.uploads} --port {site.simpel_port}
directory={here}
autostart={"true" if site.host == "local" else "false"}
autorestart=true
startsecs=0
stopwaitsecs=10
stdout_logfile={log}/simpel.log
redirect_stderr=true

[program:pegawai]
command={python} -m demo.simpel.writer --url {site.simpel_url} --rate 20
directory={here}
autostart=false
autorestart=false
stdout_logfile={log}/pegawai.log
redirect_stderr=true
{engine.programs()}""",
        encoding="utf-8",
    )


def read_phones(path: Path) -> dict[str, str]:
    """Given the file of the demonstration's phones, return secrets by NIP; empty when nobody is enrolled yet."""
    if not path.exists():
        return {}
    phones: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return phones


def write_phones(path: Path, phones: dict[str, str]) -> None:
    """Given secrets by NIP, write the file of the demonstration's phones, readable by its owner only."""
    write_private(path, json.dumps(phones, indent=1).encode())
