"""The small office, whose application has two services under a real supervisord, each behind a maintenance page."""

import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from recovery.settings import ServiceSettings
from tests.recovery.procedures.processes import answers, wait_for
from tests.testbed.page_server import TEXT
from tests.testbed.small_office import SmallOffice, describe, open_office

# In the order in which they are stopped; the other one is started first.
NAMES = ("depan", "belakang")
HERE = Path(__file__).parent


@dataclass
class TwoServices:
    """The office, and what its people see."""

    office: SmallOffice
    folder: Path
    pages: int

    def seen(self, name: str) -> int:
        """The status with which the web server answers for a service."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.pages}/{name}", timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def all_seen(self) -> tuple[int, ...]:
        return tuple(self.seen(name) for name in NAMES)

    def flag(self, name: str) -> Path:
        return self.folder / f"tutup-{name}"

    def break_page(self, name: str) -> Path:
        """Let the web server fail for a service; the file's removal mends it."""
        broken = self.folder / f"broken-{name}"
        broken.touch()
        return broken

    def share_flag(self, shared: bool) -> None:
        """Let both services have one flag, or each its own."""
        for service in self.office.installation.applications["simpel"].services:
            assert service.maintenance is not None
            service.maintenance.flag = str(self.flag("satu" if shared else service.name))


@contextmanager
def run_two_services(root: Path) -> Iterator[TwoServices]:
    """Build the office below a directory, and start everything."""
    office = open_office(root, running=False)
    # Not below it: the path of a socket may have 107 characters only.
    folder = Path(tempfile.mkdtemp(prefix="dua"))
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(1 + len(NAMES))]
        pages, *ports = [int(probe.getsockname()[1]) for probe in probes]
    configuration = folder / "supervisord.conf"
    # Each site has two flags: its own, and the one that both may share.
    sites = [
        f"{name}={port}={folder}/tutup-{name},{folder}/tutup-satu" for name, port in zip(NAMES, ports, strict=True)
    ]
    configuration.write_text(_configuration(folder, office, ports))
    daemons = [
        subprocess.Popen(
            [Path(sys.executable).with_name("supervisord"), "-c", configuration], stdout=subprocess.DEVNULL
        ),
        subprocess.Popen([sys.executable, "-S", str(HERE / "page_server.py"), str(pages), str(folder), *sites]),
    ]
    application = office.installation.applications["simpel"]
    application.services[:] = [
        ServiceSettings.model_validate(
            {
                "name": name,
                "kind": "supervisor",
                "program": name,
                "configuration": str(configuration),
                "health_url": f"http://127.0.0.1:{port}/sehat",
                "port": port,
                "maintenance": {
                    "flag": f"{folder}/tutup-{name}",
                    "url": f"http://127.0.0.1:{pages}/{name}",
                    "text": TEXT,
                },
                "stop_timeout": 60,
                "start_timeout": 60,
            }
        )
        for name, port in zip(NAMES, ports, strict=True)
    ]
    describe(office)
    wait_for(lambda: (folder / "s").exists() and answers(pages), "supervisord and the web server")
    for service in office.installation.services("simpel"):
        service.start()
        service.open()
    try:
        yield TwoServices(office, folder, pages)
    finally:
        for daemon in daemons:
            daemon.terminate()
            daemon.wait()
        office.installation.catalog.dispose()
        shutil.rmtree(folder)


def _configuration(folder: Path, office: SmallOffice, ports: list[int]) -> str:
    programs = "".join(
        f"""
[program:{name}]
command={sys.executable} -S {HERE}/web_service.py run {office.root}/service-{name} {port} {office.database}
autostart=false
startsecs=0
"""
        for name, port in zip(NAMES, ports, strict=True)
    )
    for name in NAMES:
        (office.root / f"service-{name}").mkdir()
    return f"""
[unix_http_server]
file={folder}/s
[supervisord]
nodaemon=true
pidfile={folder}/pid
logfile={folder}/log
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/s
{programs}"""
