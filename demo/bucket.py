"""The demonstration's store in a bucket (STORE=s3, STORE=ceph): a real S3 server of its own, and a thief at it.

The server ends with the process that keeps it. What s3 (JuiceFS) stores lies in the demonstration's directory; what
ceph stores lies in memory, so it serves one story and no `make up`.
"""

from collections.abc import Callable

from demo.keeper import Keeper
from demo.site import Site, write_private
from recovery.errors import ConfigurationError
from recovery.settings import StoreSettings

STORES = ("directory", "s3", "ceph")
BUCKET = "cadangan-simpel"
KEEPERS = {"s3": "tests.testbed.s3_juicefs", "ceph": "tests.testbed.s3_ceph"}
# The accounts that those servers are started with; that of ceph may write, read and lock, and remove nothing.
ACCOUNTS = {"s3": ("pulihadmin", "pulihsecret123"), "ceph": ("pulihbackup", "backupsecret123")}


def choose_store(site: Site, name: str) -> None:
    """Given "directory", "s3", "ceph", or "" for what the site has or else a directory, let the site have it.

    Raises ConfigurationError when there is no such store, or when the site was made with another one.
    """
    if name and name not in STORES:
        raise ConfigurationError(
            f"the demonstration has no store {name!r}", state="nothing was started", hint="make demo STORE=s3"
        )
    if site.inventory.exists():
        if name not in ("", site.store_kind):
            raise ConfigurationError(
                f"the demonstration in {site.root} was made with the store {site.store_kind}",
                state="it was left as it is",
                hint=f"go on with it (STORE={site.store_kind}), or begin anew with: make demo STORE={name}",
            )
    elif name:
        site.store_file.write_text(f"{name}\n", encoding="ascii")


def store_settings(site: Site) -> dict[str, object]:
    """Given a site, return what the inventory says about its store."""
    if site.store_kind == "directory":
        return {"name": "gudang", "kind": "directory", "path": str(site.store), "title": "Gudang cadangan (peragaan)"}
    keys = site.root / "kunci"
    for name, value in zip(("s3.akses", "s3.rahasia"), ACCOUNTS[site.store_kind], strict=True):
        write_private(keys / name, value.encode())
    return {
        "name": "gudang",
        "kind": "s3",
        "title": "Gudang cadangan S3 (peragaan)",
        "endpoint": f"http://127.0.0.1:{site.bucket_port}",
        "bucket": BUCKET,
        "prefix": "pulih",
        "access_key": f"file:{keys / 's3.akses'}",
        "secret_key": f"file:{keys / 's3.rahasia'}",
        "lock": "compliance" if site.store_kind == "ceph" else "none",
    }


def open_bucket(site: Site) -> None:
    """Start the site's S3 server, unless it has none or it runs. Raises HostError with what it said."""
    if site.store_kind != "directory":
        _keeper(site).start(str(site.store), str(site.bucket_port), BUCKET)


def close_bucket(site: Site) -> bool:
    """End the site's S3 server; say whether it ran."""
    return site.store_kind != "directory" and _keeper(site).end()


def rob(settings: StoreSettings, say: Callable[[str], None]) -> None:
    """Given a store with locks, do to every object what a thief with the backup's own credentials can, and say it."""
    from recovery.stores.s3_bucket import REFUSED, Bucket

    bucket = Bucket(settings)
    robbed = kept = 0
    for version in list(bucket.walk(f"{settings.prefix}/")):
        bucket.call("put_object", version.key, Key=version.key, Body=b"bayar tebusan")
        robbed += 1
        there = {"Key": version.key, "VersionId": version.id}
        for operation, given in (("delete_object", {"Key": version.key}), ("delete_object", there)):
            kept += REFUSED in bucket.call(operation, version.key, allowed=("AccessDenied",), **given)
    say(f"  ✗ {robbed} objek di gudang cadangan ditimpa dengan akun cadangan itu sendiri")
    say(f"  ✓ {kept} dari {2 * robbed} upaya menghapus objek ditolak oleh gudang; yang dibaca tetap versi pertama")


def _keeper(site: Site) -> Keeper:
    return Keeper("the S3 server", KEEPERS[site.store_kind], site.root / "s3.pid", site.root / "log" / "s3.log")
