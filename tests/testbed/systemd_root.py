"""The root file system of the systemd test host: Debian 12 with what applications here run on, built once per machine.

It lies in a cache outside of the project, under a name made of its recipe; every boot takes a fresh layer above it, and
holds a lock on it. Roots of other recipes that nobody holds are removed when one is built, and when this is run as a
program, which builds it; tests/testbed/install.sh does that.
"""

import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUITE = "bookworm"
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "procps", "iproute2", "ca-certificates"),
    *("openssh-server", "sudo", "nginx-light", "python3", "sqlite3"),
    *("mariadb-server", "postgresql"),
)
# What touches the machine's own kernel, waits for hardware, or starts what a test has not asked for.
MASKED = (
    *("systemd-networkd.service", "systemd-timesyncd.service", "systemd-resolved.service", "systemd-sysctl.service"),
    *("systemd-udevd.service", "systemd-udev-trigger.service", "systemd-modules-load.service"),
    *("systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount", "dev-hugepages.mount", "dev-mqueue.mount"),
    *("sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-kernel-config.mount", "sys-fs-fuse-connections.mount"),
    *("getty.target", "console-getty.service", "e2scrub_reap.service", "e2scrub_all.timer", "fstrim.timer"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "postgresql.service", "mariadb.service"),
)
ACCOUNT = "pulih"
SSHD = """\
HostKey /etc/ssh/testbed_host_key
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
"""
# The server starts when a test says so: masks of database servers are taken away by unmasking, in the layer of a boot.
POLICY = "#!/bin/sh\nexit 101\n"
# A change of anything above is another root; a change of how it is put together is a higher number here.
RECIPE = {"suite": SUITE, "packages": PACKAGES, "masked": MASKED, "sshd": SSHD, "version": 1}


def cache() -> Path:
    """Return the directory in which roots lie."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pulih-testbed"


def built_root() -> Path:
    """Return the root's directory, building it when it is not there.

    Raises RuntimeError with a sentence that says what this machine lacks.
    """
    digest = hashlib.sha256(json.dumps(RECIPE).encode()).hexdigest()[:12]
    root = cache() / f"debian-12-{digest}"
    if root.is_dir():
        return root
    _require()
    with _alone():
        if not root.is_dir():
            _build(root)
        remove_old_roots(root)
    return root


@contextmanager
def held_root() -> Iterator[Path]:
    """Lend the root's directory; while the block runs, nobody removes it."""
    while True:
        root = built_root()
        # On the directory itself: the lock goes with whoever holds it, however he ends.
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if root.is_dir():
                yield root
                return
        finally:
            os.close(descriptor)


def remove_old_roots(current: Path) -> None:
    """Remove the roots of other recipes beside this one, except those that a machine runs on. Only one at a time."""
    for root in cache().glob("debian-12-*"):
        if root == current:
            continue
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # First another name: half of a root must not be taken for one. The next build removes what is left of it.
            left = root.rename(root.with_name(f"partial-{root.name}-old"))
            shutil.rmtree(left)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


def _require() -> None:
    if os.geteuid() != 0:
        raise RuntimeError("the systemd test host needs root: it is built with debootstrap and runs in own namespaces")
    for program, package in (("debootstrap", "debootstrap"), ("unshare", "util-linux"), ("nsenter", "util-linux")):
        if shutil.which(program) is None:
            raise RuntimeError(f"the systemd test host needs {program}: run tests/testbed/install.sh ({package})")


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process of the machine build at a time."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(root: Path) -> None:
    # Whatever a killed build left: whoever holds the lock is alone.
    for left in cache().glob("partial-*"):
        shutil.rmtree(left)
    partial = cache() / f"partial-{root.name}"
    # Before anything is installed: no package may start its server in there.
    policy = partial / "usr/sbin/policy-rc.d"
    policy.parent.mkdir(parents=True)
    policy.write_text(POLICY)
    policy.chmod(0o755)
    # In namespaces of its own, so that no mount and no process of it outlives it.
    install = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(partial), _mirror()]
    log = cache() / "build.log"
    with log.open("wb") as output:
        done = subprocess.run(
            ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child=SIGKILL", *install],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=die_with_parent,
        )
    if done.returncode != 0:
        told = log.read_text(errors="replace")[-1500:]
        raise RuntimeError(f"the systemd test host could not be built ({log}): {told}")
    policy.unlink(missing_ok=True)  # debootstrap may have taken it for its own
    _arrange(partial)
    partial.rename(root)


def _arrange(root: Path) -> None:
    """Make the fresh root into a host that boots in a container and can be reached with keys alone."""
    units = root / "etc/systemd/system"
    for unit in MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    (units / "default.target").unlink(missing_ok=True)
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    (root / "etc/ssh/sshd_config.d/testbed.conf").write_text(SSHD)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (root / "etc/hostname").write_text("testhost\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost testhost\n::1 localhost\n")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    shutil.rmtree(root / "var/cache/apt")
    (root / "etc/nginx/sites-enabled/default").unlink(missing_ok=True)
    for command in (
        ["useradd", "--create-home", "--shell", "/bin/bash", ACCOUNT],
        # No password, and not locked: sshd turns locked accounts away, whatever key they have.
        ["usermod", "--password", "*", ACCOUNT],
    ):
        subprocess.run(["chroot", str(root), *command], check=True)


def _mirror() -> str:
    """Return the address from which this machine installs Debian's packages."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(LABEL) $(CODENAME) $(SITE)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    )
    for line in listed.stdout.splitlines():
        label, codename, site = line.split(" ", 2)
        if label == "Debian" and "-" not in codename:
            return site
    raise RuntimeError("the systemd test host needs a Debian mirror, and apt's sources on this machine name none")


def die_with_parent() -> None:
    """For a child before it begins: a test run that is killed must leave nothing behind (prctl PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


if __name__ == "__main__":
    try:
        print(built_root())
        with _alone():
            remove_old_roots(built_root())
    except RuntimeError as error:
        raise SystemExit(str(error)) from error
