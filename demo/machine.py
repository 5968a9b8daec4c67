"""SIMPEL on a machine of its own: Debian with systemd, in namespaces, reached by SSH as any other (HOST=systemd).

The machine ends with the process that keeps it; SIMPEL's data lies in the demonstration's directory.
"""

import os

from demo.keeper import Keeper
from demo.site import Site
from recovery.errors import ConfigurationError

HOSTS = ("local", "systemd")
KEEPER = "tests.testbed.systemd_demo"
# As the machine has them: what its web server looks for, and SIMPEL's own port.
FLAG = "/srv/simpel-pemeliharaan/tutup"
PORT = 8000


def choose_host(site: Site, name: str) -> None:
    """Given "local", "systemd", or "" for what the site has or else this machine, let the site have it.

    Raises ConfigurationError when it cannot be had here, or when the site was made with another one.
    """
    if name and name not in HOSTS:
        raise ConfigurationError(
            f"the demonstration has no host {name!r}", state="nothing was started", hint="make demo HOST=systemd"
        )
    if site.inventory.exists():
        if name not in ("", site.host):
            raise ConfigurationError(
                f"the demonstration in {site.root} was made on the host {site.host}",
                state="it was left as it is",
                hint=f"go on with it (HOST={site.host}), or begin anew with: make demo HOST={name}",
            )
    elif name == "systemd":
        if site.engine != "sqlite":
            raise ConfigurationError("SIMPEL on a machine of its own keeps its data in SQLite", hint="leave ENGINE out")
        if os.geteuid() != 0:
            raise ConfigurationError(
                "HOST=systemd needs root: it builds a Debian with debootstrap and boots it in own namespaces",
                state="nothing was started",
                hint="sudo apt install debootstrap, then: sudo make demo HOST=systemd",
            )
        site.host_file.write_text(f"{name}\n", encoding="ascii")


def host_settings(site: Site) -> dict[str, object]:
    """Return what the inventory says about the machine."""
    return {
        "name": "server-simpel",
        "kind": "ssh",
        "title": "Server SIMPEL (peragaan)",
        "address": "127.0.0.1",
        "port": site.ssh_port,
        "user": "root",
        "key": f"file:{site.machine / 'id_ed25519'}",
        "host_keys": str(site.machine / "known_hosts"),
    }


def service_settings() -> dict[str, object]:
    """Return what the inventory says about SIMPEL there."""
    return {
        "name": "simpel",
        "kind": "systemd",
        "units": ["simpel.service"],
        "health_url": f"http://127.0.0.1:{PORT}/sehat",
        "port": PORT,
        "maintenance": {"flag": FLAG, "url": "http://127.0.0.1/sehat", "text": "sedang dalam pemeliharaan"},
    }


def boot(site: Site) -> None:
    """Boot the machine with SIMPEL on it, unless it runs. Raises HostError with what it said."""
    _keeper(site).start(str(site.machine), str(site.ssh_port), str(site.simpel_port))


def shut_down(site: Site) -> bool:
    """End the machine; say whether it ran."""
    return _keeper(site).end()


def _keeper(site: Site) -> Keeper:
    return Keeper("the machine", KEEPER, site.root / "mesin.pid", site.root / "log" / "mesin.log")
