"""The small office as most are: application and database server on another machine, reached by SSH by an account
without root's rights, with exact lines of sudoers and the least rights in the server."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from recovery.hosts.services_sudo import commands_for, sudoers
from recovery.settings import ComponentSettings
from tests.testbed.small_office import SmallOffice, content_of, describe, open_office
from tests.testbed.systemd_engines import DATABASE, DOCS, ENGINES, MachineEngine
from tests.testbed.systemd_host import SystemdHost
from tests.testbed.systemd_root import ACCOUNT
from tests.testbed.systemd_site import PORT, STATE, UNIT, UPLOADS, WORKER, install_site, site_settings

PROGRAM = Path(__file__).with_name("database_service.py")
WAIT_SECONDS = 60


@dataclass
class MachineOffice(SmallOffice):
    """The office, its application's machine, and the database server there."""

    machine: SystemdHost | None = None
    server: MachineEngine | None = None

    @property
    def there(self) -> SystemdHost:
        """The machine."""
        assert self.machine is not None
        return self.machine

    @property
    def engine(self) -> MachineEngine:
        """The server."""
        assert self.server is not None
        return self.server

    def rows(self) -> list[tuple[Any, ...]]:
        """See SmallOffice.rows."""
        return list(self.engine.rows(DATABASE))

    def rows_of_copy(self, copy: str) -> list[tuple[Any, ...]]:
        """See SmallOffice.rows_of_copy."""
        return list(self.engine.rows(copy))

    def files_of_copy(self, copy: str) -> dict[str, bytes]:
        """See SmallOffice.files_of_copy."""
        return content_of(self.there.inside(copy))

    def damage(self) -> None:
        """See SmallOffice.damage. What is left of the database does not serve the application any more."""
        self.engine.run("DELETE FROM mutasi; DELETE FROM pegawai WHERE id % 2 = 0; DROP VIEW bergaji", DATABASE)
        self.engine.run("UPDATE pegawai SET nama = 'rusak'", DATABASE)
        self.damage_files()

    def strays(self, copies: set[str]) -> set[str]:
        """See SmallOffice.strays."""
        there = self.engine.databases()
        wanted = {DATABASE, *(copy for copy in copies if copy in there)}
        closed = set() if there.get(DATABASE) else {f"{DATABASE}, which is closed or gone"}
        own = {Path(UPLOADS).name, *(Path(copy).name for copy in copies)}
        beside = {path.name for path in self.there.inside(UPLOADS).parent.iterdir()} - own
        return beside | (there.keys() - wanted) | closed

    def let_write(self, allowed: bool) -> None:
        """Let the running application work, or only answer; return when it has heard of it."""
        flag, idle = (self.there.inside(f"{STATE}/{name}") for name in ("menulis", "diam"))
        if allowed:
            flag.touch()
        else:
            flag.unlink()
        wait_until(lambda: idle.exists() is not allowed, "the application writes, or no more")

    def written(self) -> int:
        """How many transactions of the application are in the database."""
        ((number,),) = self.engine.run("SELECT count(*) FROM mutasi", DATABASE)
        return int(number)

    def troubles(self) -> str:
        """What the application met while it wrote; forgotten then."""
        told = self.there.inside(f"{STATE}/galat")
        text = told.read_text() if told.exists() else ""
        told.unlink(missing_ok=True)
        return text

    def remote_programs(self) -> list[str]:
        """What sshd's logins run on the machine now, and not sshd itself."""
        found = self.there.run("ps", "-o", "args=", "-p", ",".join(self._below_sshd()), ok=(0, 1)).splitlines()
        return [line for line in found if not line.startswith("sshd")]

    def cut(self) -> None:
        """Kill what of sshd serves connections; what listens goes on."""
        names = self.there.run("ps", "-o", "pid=,args=", "-p", ",".join(self._below_sshd())).splitlines()
        serving = [pid for pid, name in (line.split(maxsplit=1) for line in names) if name.startswith("sshd: pulih")]
        assert serving
        self.there.run("kill", "-KILL", *serving)

    def _below_sshd(self) -> list[str]:
        return self.there.run("cat", "/sys/fs/cgroup/system.slice/ssh.service/cgroup.procs").split()


def open_machine_office(root: Path, machine: SystemdHost, kind: str) -> MachineOffice:
    """Build the office below a directory; on the machine its application, running, and a database server with it."""
    office = open_office(root)
    # Its own service of the same name stays behind: the application has moved.
    office.stop_service_for_good()
    engine = ENGINES[kind](machine)
    install_site(machine, ACCOUNT)
    _write_uploads(machine, office.uploads)
    engine.start()
    _install_program(machine, engine)
    settings = site_settings(sudo=True, stop_timeout=60, start_timeout=60)
    # As docs/services.md says it, and docs/hosts.md of the key.
    machine.write("/root/pulih.sudoers", sudoers("server", ACCOUNT, commands_for([settings])))
    machine.run("visudo", "-cf", "/root/pulih.sudoers")
    machine.run("install", "-o", "root", "-g", "root", "-m", "0440", "/root/pulih.sudoers", "/etc/sudoers.d/pulih")
    _restrict_key(machine)
    installation = office.installation
    installation.hosts["server"] = machine.settings("server", ACCOUNT)
    application = installation.applications["simpel"]
    application.services[:] = [settings]
    application.components[:] = [
        ComponentSettings.model_validate({**engine.component(root / "keys"), "name": "data"}),
        ComponentSettings(name="berkas", kind="files", path=UPLOADS),
    ]
    describe(office)
    given = {field.name: getattr(office, field.name) for field in fields(office)}
    return MachineOffice(**{**given, "uploads": machine.inside(UPLOADS)}, machine=machine, server=engine)


def _write_uploads(machine: SystemdHost, uploads: Path) -> None:
    for name, content in content_of(uploads).items():
        machine.write(f"{UPLOADS}/{name}", content.decode())
    machine.run("chown", "-R", f"{ACCOUNT}:{ACCOUNT}", UPLOADS)


def _install_program(machine: SystemdHost, engine: MachineEngine) -> None:
    """Put the program that works with the server in the place of the site's own."""
    machine.write("/opt/simpel/database_service.py", PROGRAM.read_text())
    # No systemd reads an argument with a space in it unless it is quoted.
    client = " ".join(f'"{word}"' for word in engine.client())
    run = f"/usr/bin/python3 /opt/simpel/database_service.py {STATE} {PORT} {UPLOADS} {client}"
    machine.unit(UNIT, f"[Unit]\nDescription=SIMPEL\n[Service]\nUser={ACCOUNT}\nExecStart={run}\n")
    machine.systemctl("start", UNIT, WORKER)
    wait_until(lambda: machine.answer("/sehat")[0] == 200, "the application is well")


def _restrict_key(machine: SystemdHost) -> None:
    (options,) = re.findall(r"^ *(restrict,\S+) ssh-ed25519 ", (DOCS / "hosts.md").read_text(), re.M)
    # Whoever comes to its sshd comes from the machine's own loopback.
    options = options.replace("10.20.30.10", "127.0.0.1")
    keys = machine.inside(f"/home/{ACCOUNT}/.ssh/authorized_keys")
    keys.write_text(f"{options} {keys.read_text()}")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Return when a condition holds. Raises TimeoutError with what was waited for."""
    give_up_at = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > give_up_at:
            raise TimeoutError(what)
        time.sleep(0.05)
