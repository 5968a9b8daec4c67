"""A real Ceph object gateway on loopback (Debian's radosgw, one monitor, one store in memory): versions, Object Lock,
conditional writes and policies, over HTTP and over HTTPS with a certificate of a private CA.

`python -m tests.testbed.s3_ceph DIRECTORY PORT [BUCKET]` keeps one with a lockable bucket, for the demonstration.
"""

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.testbed.s3 import BACKUP, OWNER, REMOVAL, S3Server, die_with_parent, free_ports

START_SECONDS = 120
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "stores.md"
PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "ceph", "openssl")

# One machine, one copy, no authentication between the daemons: what is tested is the gateway's S3.
CONFIGURATION = """[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{monitor},v1:127.0.0.1:{monitor_old}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = false
run dir = {place}/run
admin socket = {place}/run/$name.$pid.asok
pid file = {place}/run/$name.pid
log file = {place}/log/$name.log
mon cluster log file = {place}/log/cluster.log
crash dir = {place}/run
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail warn = 2
mon data avail crit = 1
mon max pg per osd = 2000
osd objectstore = memstore
memstore device bytes = 6442450944
osd memory target = 939524096
osd class load list = *
osd class default list = *
osd max object name len = 1024
osd max object namespace len = 256
[mon]
paxos propose interval = 0.05
paxos min wait = 0.01
mon data = {place}/mon/$id
[osd]
osd data = {place}/osd/$id
osd journal = {place}/osd/$id/journal
[client]
keyring = {place}/keyring
[client.rgw]
ms mon client mode = crc
rgw data = {place}/rgw
rgw frontends = beast endpoint=127.0.0.1:{plain} ssl_endpoint=127.0.0.1:{secure} ssl_certificate={place}/server.pem
rgw enable apis = s3, admin
rgw thread pool size = 32
"""


@contextmanager
def run_ceph(port: int = 0) -> Iterator[S3Server]:
    """Start monitor, store and gateway, with the users of tests.testbed.s3, and yield the gateway.

    Raises RuntimeError naming Debian's packages when they are not there, or with what a daemon said.
    """
    lacking = [program for program in PROGRAMS if shutil.which(program) is None]
    if lacking:
        raise RuntimeError(f"{', '.join(lacking)} is not there: sudo apt install radosgw ceph-mon ceph-osd openssl")
    # Not pytest's directory: a unix socket's path has at most 107 bytes.
    place = Path(tempfile.mkdtemp(prefix="pulih-ceph-"))
    try:
        with ExitStack() as daemons:
            yield _start(place, port, daemons)
    finally:
        shutil.rmtree(place)


def _start(place: Path, port: int, daemons: ExitStack) -> S3Server:
    for folder in ("mon", "osd/0", "rgw", "run", "log"):
        (place / folder).mkdir(parents=True)
    monitor, monitor_old, secure, plain = free_ports(4)
    plain = port or plain
    make_certificates(place)
    identity = str(uuid.uuid4())
    ports = {"monitor": monitor, "monitor_old": monitor_old, "plain": plain, "secure": secure}
    (place / "ceph.conf").write_text(CONFIGURATION.format(fsid=identity, place=place, **ports), encoding="ascii")
    (place / "keyring").touch()
    addresses = f"[v2:127.0.0.1:{monitor},v1:127.0.0.1:{monitor_old}]"
    _run(place, "monmaptool", "--create", "--clobber", "--fsid", identity, "--addv", "a", addresses, f"{place}/monmap")
    _run(place, "ceph-mon", "--mkfs", "-i", "a", "--monmap", f"{place}/monmap")
    _daemon(place, daemons, "ceph-mon", "-f", "-i", "a")
    store = str(uuid.uuid4())
    _retried(place, "ceph", "--connect-timeout", "5", "osd", "new", store)
    _run(place, "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", store)
    _daemon(place, daemons, "ceph-osd", "-f", "-i", "0")
    _daemon(place, daemons, "radosgw", "-f", "-n", "client.rgw")
    _wait_for_answer(place, f"http://127.0.0.1:{plain}/")
    for name, secret in (OWNER, BACKUP, REMOVAL):
        keys = [f"--uid={name}", f"--display-name={name}", f"--access-key={name}", f"--secret-key={secret}"]
        _run(place, "radosgw-admin", "-n", "client.rgw", "user", "create", *keys)
    return S3Server(
        f"http://127.0.0.1:{plain}",
        f"https://localhost:{secure}",
        str(place / "ca.pem"),
        versions=True,
        directory=place,
    )


def make_certificates(place: Path) -> None:
    """Given a directory, make a private CA (ca.pem) and the certificate of localhost with its key (server.pem)."""
    request = ["-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout"]
    _openssl("req", "-x509", *request, f"{place}/ca.key", "-out", f"{place}/ca.pem", "-subj", "/CN=Pulih test CA")
    _openssl(
        "req", *request[:3], "-keyout", f"{place}/server.key", "-out", f"{place}/server.csr", "-subj", "/CN=localhost"
    )
    (place / "names").write_text("subjectAltName=DNS:localhost\n", encoding="ascii")
    signer = ["-CA", f"{place}/ca.pem", "-CAkey", f"{place}/ca.key", "-CAcreateserial", "-extfile", f"{place}/names"]
    _openssl("x509", "-req", "-days", "30", "-in", f"{place}/server.csr", *signer, "-out", f"{place}/server.crt")
    (place / "server.pem").write_bytes((place / "server.key").read_bytes() + (place / "server.crt").read_bytes())


def set_quota(server: S3Server, user: str, size: int) -> None:
    """Given one of the users and a number of bytes, let him store no more than that; -1 for as much as there is."""
    _run(
        server.directory, "radosgw-admin", "-n", "client.rgw", "quota", "set", "--quota-scope=user", f"--uid={user}",
        f"--max-size={size}",
    )  # fmt: skip
    _run(
        server.directory, "radosgw-admin", "-n", "client.rgw", "quota", "enable" if size >= 0 else "disable",
        "--quota-scope=user", f"--uid={user}",
    )  # fmt: skip


def documented_policy(bucket: str) -> str:
    """Given a bucket, return the policy that docs/stores.md prints, for that bucket."""
    (policy,) = re.findall(r"```json\n(.+?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    return str(policy).replace("cadangan-kominfo", bucket)


def _daemon(place: Path, daemons: ExitStack, program: str, *arguments: str) -> None:
    log = daemons.enter_context((place / "log" / f"{program}.out").open("wb"))
    process = subprocess.Popen(
        [program, "-c", f"{place}/ceph.conf", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        preexec_fn=die_with_parent,
    )
    # Nothing of it outlives the test, so nothing needs an orderly end.
    daemons.callback(process.wait)
    daemons.callback(process.kill)


def _wait_for_answer(place: Path, url: str) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError as error:
            if time.monotonic() > give_up_at:
                said = "\n".join(path.read_text(errors="replace")[-2000:] for path in (place / "log").glob("*.out"))
                raise RuntimeError(f"Ceph's gateway does not answer: {said}") from error
            time.sleep(0.1)


def _retried(place: Path, *command: str) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            _run(place, *command)
        except RuntimeError:
            if time.monotonic() > give_up_at:
                raise
        else:
            return


def _run(place: Path, program: str, *arguments: str) -> None:
    configuration = [] if program == "monmaptool" else ["-c", f"{place}/ceph.conf"]
    done = subprocess.run(
        [program, *configuration, *arguments],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=START_SECONDS,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{program} failed: {done.stderr.decode(errors='replace')[-2000:]}")


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl failed: {done.stderr.decode()}")


def main() -> None:
    """Keep a gateway until we are ended."""
    _, port, *buckets = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with run_ceph(int(port)) as server:
        for bucket in buckets:
            server.client().create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
            server.client().put_bucket_policy(Bucket=bucket, Policy=documented_policy(bucket))
        print("ready", flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
