"""Pulih on the systemd test host, installed there as docs/operations.md tells an administrator to: its own lines, the
units as they are, accounts without any right, PostgreSQL for server and catalog. nginx lets officials in.

Release and packages are this checkout's and those of the tests' own Python, lent to the machine.
"""

import base64
import json
import platform
import re
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import yaml

from demo.officials import Browser, Phone
from deployments.server import LocalServer
from tests.flows.waiting import wait_until
from tests.testbed.only_root import did_not_run
from tests.testbed.systemd_engines import documented
from tests.testbed.systemd_host import WEB, SystemdHost, run_systemd_host

CHECKOUT = Path(__file__).resolve().parents[2]
RELEASE, ENVIRONMENT = "/opt/pulih", "/opt/pulih/.venv"
PACKAGES = f"{ENVIRONMENT}/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
PYTHON = "/opt/python"
STORES = ("/srv/cadangan", "/mnt/cadangan-terpisah")
MAIL_BOX = "/srv/pemberitahuan/dinas.txt"
UI = "https://pulih.contoh.go.id"
LOGIN = "dinas:rahasia-server"
CREDENTIALS = "/etc/pulih/credentials"
UNIT, PORT, DATABASE = "simpeg.service", 8081, "/srv/simpeg/data/simpeg.sqlite"
PROGRAM = Path(__file__).with_name("web_service.py")
SERVICE = {
    "name": "web",
    "kind": "systemd",
    "units": [UNIT],
    "sudo": True,
    "health_url": f"http://127.0.0.1:{PORT}/sehat",
    "port": PORT,
}
SECRETS = {
    "notice-target": f"file://{MAIL_BOX}",
    "prefect-database": "postgresql+asyncpg://prefect:rahasia-prefect@127.0.0.1/prefect",
    "catalog": "postgresql+psycopg://pulih:rahasia-pulih@127.0.0.1/pulih",
}
DATABASES = """\
CREATE ROLE prefect LOGIN PASSWORD 'rahasia-prefect';
CREATE DATABASE prefect OWNER prefect;
CREATE ROLE pulih LOGIN PASSWORD 'rahasia-pulih';
CREATE DATABASE pulih OWNER pulih;
"""
# The login of a proxy is its own; the server's goes no further than the proxy.
NGINX = f"""\
server {{
    listen 127.0.0.1:80;
    location / {{
        proxy_pass http://127.0.0.1:4200;
        proxy_set_header Authorization "Basic {base64.b64encode(LOGIN.encode()).decode()}";
    }}
}}
"""


@dataclass
class InstalledPulih:
    """The machine with Pulih on it, and what people and administrators do there."""

    machine: SystemdHost

    def rows(self) -> list[str]:
        """The names in the application's database."""
        return self.machine.run("sqlite3", DATABASE, "SELECT nama FROM pegawai ORDER BY id").splitlines()

    @property
    def browser(self) -> Browser:
        """An official's browser."""
        return Browser(LocalServer(self.machine.data, self.machine.ports[WEB]))

    def verb(self, *words: str, ok: tuple[int, ...] = (0,)) -> str:
        """Run a verb as the page says; return what it prints."""
        return self.machine.run("/usr/local/sbin/pulih", *words, ok=ok)

    def enrol(self, nip: str) -> Phone:
        """Enrol an official's phone."""
        uri = json.loads(self.verb("official", "enrol", nip, "--json"))["uri"]
        return Phone(re.findall("secret=([A-Z2-7]+)", uri)[0])

    def property(self, unit: str, name: str) -> str:
        """What systemd knows of a unit."""
        return self.machine.systemctl("show", unit, f"--property={name}", "--value").strip()

    def journal(self, unit: str) -> str:
        """All that a unit said."""
        return self.machine.run("journalctl", f"--unit={unit}", "--output=cat", "--no-pager", "--quiet")

    def begin(self, unit: str) -> int:
        """Start a unit that does its work and ends; return the status with which it ended."""
        self.machine.systemctl("start", unit, ok=(0, 1))
        return int(self.property(unit, "ExecMainStatus"))

    def after(self, unit: str, ended: str) -> str:
        """Wait until a unit has ended again since it did at `ended`; return when it did, by the machine's own clock."""

        def look() -> str:
            now = self.property(unit, "InactiveEnterTimestampMonotonic")
            return now if now != ended else ""

        return wait_until(look, f"{unit} has ended", every=0.1)

    def notices(self) -> str:
        """What the office was told."""
        box = self.machine.inside(MAIL_BOX)
        return box.read_text(encoding="utf-8") if box.exists() else ""

    def answers(self) -> bool:
        """Whether the Prefect server answers."""
        return self.machine.answer("/api/health")[0] == 200

    def sql(self, statement: str, database: str) -> list[str]:
        """Run SQL as the database server's administrator; return the lines of its answer."""
        command = ("psql", "--quiet", "--tuples-only", "--no-align", f"--dbname={database}", f"--command={statement}")
        return self.machine.run(*command, user="postgres").splitlines()

    @contextmanager
    def without(self, *names: str) -> Iterator[None]:
        """While this lasts, the files of these credentials are not there."""
        files = [self.machine.inside(f"{CREDENTIALS}/{name}") for name in names]
        for file in files:
            file.rename(file.with_suffix(".away"))
        try:
            yield
        finally:
            for file in files:
                file.with_suffix(".away").rename(file)

    def retry(self, run: str) -> None:
        """Press "Retry" in the UI: this is what it sends."""
        body = json.dumps({"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True}).encode()
        url = f"{self.machine.web_url}/api/flow_runs/{run}/set_state"
        with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=60) as answer:
            assert "ACCEPT" == json.load(answer)["status"]

    def workers(self, pool: str) -> list[str]:
        """The names of the workers that a pool has heard from."""
        joined = "SELECT w.name FROM worker w JOIN work_pool p ON p.id = w.work_pool_id"
        return self.sql(f"{joined} WHERE p.name = '{pool}'", "prefect")


@contextmanager
def installed_pulih(directory: Path) -> Iterator[InstalledPulih]:
    """Boot a machine and install Pulih on it, to where the server answers and the inventory is applied."""
    with run_systemd_host(directory, lent=_lent()) as machine:
        _make_environment(machine)
        # The machine's other tests reach it by an account of this name.
        machine.run("userdel", "--remove", "pulih")
        files, applied, _ = page_lines()
        run_lines(machine, files)
        _make_databases(machine)
        _fill_in(machine)
        pulih = InstalledPulih(machine)
        run_lines(machine, applied[:1])
        wait_until(pulih.answers, "the Prefect server answers", every=0.2)
        # It asks, and nobody is there.
        run_lines(machine, [line.replace("pulih apply", "pulih apply --yes") for line in applied[1:2]])
        yield pulih


def page_lines() -> tuple[list[str], list[str], list[str]]:
    """The lines of the page: those that make accounts and files; those that start the server, apply, start the rest,
    and look; and those that let the worker that destroys have the account of the other."""
    files, applied, one_account = (block.splitlines() for block in documented("operations.md", "sh"))
    return files, applied, one_account


def run_lines(machine: SystemdHost, lines: list[str]) -> None:
    """Run lines of the page where it says that they are run."""
    machine.run("/bin/sh", "-eu", stdin="\n".join([f"cd {RELEASE}", *lines]))


def _lent() -> dict[str, Path]:
    lent = {RELEASE: CHECKOUT, PACKAGES: Path(sysconfig.get_path("purelib"))}
    # Packages differ from one Python to the next, so the machine has this one. Debian's own it has already.
    return lent if sys.base_prefix == "/usr" else {PYTHON: Path(sys.base_prefix), **lent}


def _make_environment(machine: SystemdHost) -> None:
    """Make a virtual environment there whose packages are the lent ones, as if they were installed there just now."""
    python = f"{PYTHON}/bin/python3"
    if sys.base_prefix == "/usr":
        python = "/usr/bin/python3"
        here, there = platform.python_version(), machine.run(python, "--version").removeprefix("Python ").strip()
        if there != here:
            raise did_not_run(f"the machine has Python {there}, and the packages are those of {here}")
    else:
        machine.write("/etc/ld.so.conf.d/python.conf", f"{PYTHON}/lib\n")
        machine.run("ldconfig")
    # A server that ran here has left its pages among the packages: there it could not.
    machine.run("sh", "-c", f"rm -rf {ENVIRONMENT}/bin {ENVIRONMENT}/pyvenv.cfg {PACKAGES}/prefect/server/ui*_build")
    machine.run(python, "-m", "venv", "--without-pip", ENVIRONMENT)
    for name in ("pulih", "prefect"):
        _, program = (Path(sys.prefix) / "bin" / name).read_text(encoding="utf-8").split("\n", 1)
        machine.write(f"{ENVIRONMENT}/bin/{name}", f"#!{ENVIRONMENT}/bin/python\n{program}", mode=0o755)
    # The release is installed from where it lies, which is elsewhere here.
    machine.run("sh", "-c", f"rm {PACKAGES}/__editable__*")
    machine.write(f"{PACKAGES}/pulih.pth", f"{RELEASE}\n")


def _make_databases(machine: SystemdHost) -> None:
    machine.systemctl("unmask", "postgresql")
    machine.systemctl("start", "postgresql")
    machine.run("psql", "--quiet", "--set=ON_ERROR_STOP=1", user="postgres", stdin=DATABASES)


def _fill_in(machine: SystemdHost) -> None:
    made = json.loads(machine.run(f"{ENVIRONMENT}/bin/pulih", "key", "new", "/root/kunci", "--json"))
    recipients = {key["kind"]: key["public"] for key in made["keys"]}
    machine.write("/etc/pulih/inventory.yaml", yaml.safe_dump(_inventory(recipients), sort_keys=False))
    for name, file in (
        ("operations-identity", "operations.txt"),
        ("signing-key", "signing.pem"),
        ("enrolment-key", "enrolment.key"),
    ):
        machine.run("install", "-m", "0600", f"/root/kunci/{file}", f"{CREDENTIALS}/{name}")
    for name, secret in SECRETS.items():
        machine.write(f"{CREDENTIALS}/{name}", f"{secret}\n", mode=0o600)
    machine.run("tee", "--append", "/etc/prefect/server.env", stdin=_variables(SERVER))
    machine.run("tee", "--append", "/etc/pulih/prefect.env", stdin=_variables(CLIENT))
    drop_in = "/etc/systemd/system/pulih-.service.d/credentials.conf"
    lines = f"LoadCredential=catalog:{CREDENTIALS}/catalog\nSetCredential=catalog:\\n\n"
    machine.run("tee", "--append", drop_in, stdin=lines)
    machine.systemctl("daemon-reload")
    machine.write("/etc/nginx/conf.d/prefect.conf", NGINX)
    machine.systemctl("restart", "nginx")
    machine.run("install", "-d", "-o", "pulih", "-m", "0700", *STORES, str(Path(MAIL_BOX).parent))
    _make_application(machine)


SERVER = {
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": SECRETS["prefect-database"],
    "PREFECT_SERVER_API_AUTH_STRING": LOGIN,
    "PREFECT_SERVER_UI_API_URL": f"{UI}/api",
}
CLIENT = {
    "PREFECT_API_URL": "http://127.0.0.1:4200/api",
    "PREFECT_API_AUTH_STRING": LOGIN,
    "PREFECT_UI_URL": UI,
}


def _variables(values: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _inventory(recipients: dict[str, str]) -> dict[str, Any]:
    """The example with its first application and schedule, and a catalog in PostgreSQL."""
    inventory: dict[str, Any] = yaml.safe_load((CHECKOUT / "deployments" / "inventory.example.yaml").read_text())
    inventory["office"]["catalog"] = "credential:catalog"
    for kind in ("operations", "escrow"):
        inventory["keys"][f"{kind}_recipient"] = recipients[kind]
    del inventory["applications"][1:], inventory["schedules"][1:]
    inventory["applications"][0]["services"] = [SERVICE]
    return inventory


def _make_application(machine: SystemdHost) -> None:
    """Make the application, of Pulih's own account, which may stop and start its unit and nothing else."""
    machine.write("/srv/simpeg/berkas/sk.txt", "Surat keputusan")
    machine.inside("/srv/simpeg/data").mkdir()
    rows = (
        "CREATE TABLE pegawai (id INTEGER PRIMARY KEY, nama TEXT); INSERT INTO pegawai (nama) VALUES ('Siti'), ('Agus')"
    )
    machine.run("sqlite3", DATABASE, rows)
    machine.run("chown", "-R", "pulih:pulih", "/srv/simpeg")
    machine.write("/opt/simpeg/web_service.py", PROGRAM.read_text(encoding="utf-8"))
    run = f"/usr/bin/python3 /opt/simpeg/web_service.py run /srv/simpeg {PORT} {DATABASE}"
    machine.unit(UNIT, f"[Service]\nUser=pulih\nExecStart={run}\n")
    machine.systemctl("start", UNIT)
    lines = machine.run("/usr/local/sbin/pulih", "sudoers", "aplikasi", "--account", "pulih")
    machine.run("install", "-m", "0440", "/dev/stdin", "/etc/sudoers.d/pulih", stdin=lines)
    machine.run("visudo", "--check")
