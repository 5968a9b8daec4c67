"""Starting and stopping the demonstration: service manager, Prefect server, worker, officials' phones."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from demo.bucket import close_bucket, open_bucket
from demo.machine import boot, shut_down
from demo.site import APPLICATION, EXECUTOR, KABID, KADIS, REQUESTER, SCHEDULE, Site, prepare, read_phones, write_phones
from deployments.server import LocalServer, running_server, start_server, start_worker, stop
from recovery.errors import HostError

Say = Callable[[str], None]

# More than it gives SIMPEL and a database server together.
END_SECONDS = 60


def as_now(line: str) -> str:
    """Given a command line, return it as whoever runs this must type it: what root made belongs to root."""
    return f"sudo {line}" if "SUDO_USER" in os.environ else line


def start(site: Site, say: Say, *, port: int = 0) -> LocalServer:
    """Bring everything up, each part only when it is not up yet; return the Prefect server. Says what it does."""
    say(f"Menyiapkan kantor peraga: kunci, inventaris, aplikasi SIMPEL dan datanya ({site.engine})")
    prepare(site)
    if site.store_kind != "directory":
        say(f"Menyalakan server S3 untuk gudang cadangan ({site.store_kind})")
        open_bucket(site)
    if site.host == "systemd":
        say("Menyalakan mesin SIMPEL: Debian dengan systemd dan nginx (kali pertama dibangun dulu, beberapa menit)")
        boot(site)
    else:
        say("Menjalankan SIMPEL di bawah supervisord")
    start_services(site)
    say("Menjalankan server Prefect (sekitar 15 detik)")
    server = start_server(site.prefect_home, port=port)
    os.environ.update(server.environment())
    say("pulih apply: memasang blok, jadwal, dan formulir ke server")
    apply_inventory(site, server)
    say("Mendaftarkan perangkat para pejabat peraga")
    enrol_officials(site)
    say("Menjalankan worker")
    start_worker(server, query_seconds=1)
    return server


def stop_all(site: Site) -> list[str]:
    """Stop worker, server and service manager; return what was stopped. The data stays."""
    stopped = stop(site.prefect_home) if site.prefect_home.exists() else []
    if _stop_services(site):
        stopped.append("supervisord")
    if shut_down(site):
        stopped.append("mesin SIMPEL")
    if close_bucket(site):
        stopped.append("server S3")
    return stopped


def is_up(site: Site) -> bool:
    """Say whether the demonstration's server runs."""
    return running_server(site.prefect_home) is not None


def has_approved_schedule(site: Site) -> bool:
    """Say whether the demonstration's schedule is approved as its inventory has it."""
    from recovery.inventory import load_inventory
    from recovery.procedures.schedule_approval import approval_of

    return approval_of(load_inventory(site.inventory).installation(), SCHEDULE).approved


def has_backup(site: Site) -> bool:
    """Say whether every component of the demonstration's application has a backup that counts."""
    from recovery.inventory import load_inventory
    from recovery.records.backups import newest_verified

    installation = load_inventory(site.inventory).installation()
    with installation.catalog.read() as connection:
        components = installation.application(APPLICATION).components
        return all(newest_verified(connection, APPLICATION, component.name) for component in components)


def start_services(site: Site) -> None:
    """Start the service manager, which starts SIMPEL. Raises HostError with what it said."""
    if _control(site, "pid").returncode == 0:
        return
    done = subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(site.supervisor)], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise HostError(
            f"supervisord did not start: {done.stderr.strip()[-300:]}",
            state="nothing runs",
            hint=f"read {site.root}/log/supervisord.log",
        )


def _stop_services(site: Site) -> bool:
    """Stop SIMPEL and its service manager; say whether that ran. Raises HostError when it does not end."""
    if _control(site, "shutdown").returncode != 0:
        return False
    # It has only taken note of the wish. The last thing that it does is to remove this.
    give_up_at = time.monotonic() + END_SECONDS
    while site.service_manager_pid.exists():
        if time.monotonic() > give_up_at:
            raise HostError(
                f"supervisord does not end within {END_SECONDS} seconds",
                state="it still runs",
                hint=f"read {site.root}/log/supervisord.log",
            )
        time.sleep(0.05)
    return True


def people_at_work(site: Site, working: bool) -> None:
    """Let the people who write to SIMPEL begin or end their work."""
    _control(site, "start" if working else "stop", "pegawai")


def apply_inventory(site: Site, server: LocalServer) -> None:
    """Run `pulih apply` as an administrator would. Raises HostError with what it said."""
    environment = {**os.environ, **server.environment(), "PULIH_INVENTORY": str(site.inventory)}
    here = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "apply", "--yes", str(site.inventory)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=here,
    )
    if done.returncode != 0:
        raise HostError(
            f"pulih apply failed: {(done.stderr or done.stdout).strip()[-2000:]}", hint="read the message above"
        )


def enrol_officials(site: Site) -> None:
    """Enrol the demonstration's officials, and keep their phones' secrets so that the demonstration can play them."""
    from recovery.inventory import load_inventory
    from recovery.records.officials import enrol

    phones = read_phones(site.phones)
    installation = load_inventory(site.inventory).installation()
    for nip in (KADIS, KABID, EXECUTOR, REQUESTER):
        if nip not in phones:
            phones[nip] = enrol(installation.catalog, nip, installation.enrolment_key()).secret
            write_phones(site.phones, phones)


def _control(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(site.supervisor), *words],
        capture_output=True,
        text=True,
    )
