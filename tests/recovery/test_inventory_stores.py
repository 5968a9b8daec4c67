"""The inventory's rules for buckets: complete, of one kind, and not two names for one bucket."""

from pathlib import Path

import pytest

from recovery.errors import ConfigurationError
from recovery.inventory import load_inventory

EXAMPLE = Path(__file__).resolve().parents[2] / "deployments" / "inventory.example.yaml"
STORE = "  - name: terpisah\n    kind: directory\n    path: /mnt/cadangan-terpisah\n    prefix: pulih\n"
BUCKET = (
    "kind: s3; endpoint: https://s3.contoh.go.id; bucket: cadangan; access_key: file:/etc/akses; "
    "secret_key: file:/etc/rahasia"
)


def errors(tmp_path: Path, fields: str, *others: str) -> list[str]:
    """What is said of the example with another second store, and more of them, without file and line."""
    text = EXAMPLE.read_text(encoding="utf-8")
    assert STORE in text
    stores = ""
    for number, each in enumerate([fields, *others]):
        name = f"lain-{number}" if number else "terpisah"
        stores += f"  - name: {name}\n" + "".join(f"    {line}\n" for line in each.split("; "))
    path = tmp_path / "inventory.yaml"
    path.write_text(text.replace(STORE, stores), encoding="utf-8")
    try:
        load_inventory(path, {"PREFECT_HOME": "/nonexistent"})
    except ConfigurationError as error:
        return [line.partition(": ")[2] for line in error.message.splitlines()[:-1] if "suite" not in line]
    return []


def test_a_bucket_is_a_store(tmp_path: Path) -> None:
    removal = "; removal_access_key: env:AKSES; removal_secret_key: env:RAHASIA; lock: compliance; without_lock: warn"
    assert errors(tmp_path, BUCKET + removal + "; prefix: pulih; ca_file: /etc/ca.pem; addressing: virtual") == []


def test_the_example_of_a_bucket_is_one(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(EXAMPLE.read_text(encoding="utf-8").replace("  # - name", "  - name").replace("  #   ", "    "))
    store = load_inventory(path, {"PREFECT_HOME": "/nonexistent"}).stores[-1]
    assert (store.kind, store.bucket, store.lock, store.without_lock) == (
        "s3",
        "cadangan-kominfo",
        "compliance",
        "refuse",
    )


@pytest.mark.parametrize("field", ["endpoint", "bucket", "access_key", "secret_key"])
def test_a_field_that_a_bucket_needs_is_named_when_it_is_missing(tmp_path: Path, field: str) -> None:
    fields = "; ".join(part for part in BUCKET.split("; ") if not part.startswith(f"{field}:"))
    assert errors(tmp_path, fields) == [f"stores[1].{field}: is missing; a store of kind 's3' needs it"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (f"{BUCKET}; path: /srv/x", "path: is no field of a store of kind 's3'; a folder in it is its prefix"),
        (f"{BUCKET}; prefix: /x", "prefix: must be a relative folder without '..'"),
        ("kind: directory; path: /mnt/y; bucket: cadangan", "bucket: is no field of a store of kind 'directory'"),
        ("kind: directory; path: /mnt/y; lock: governance", "lock: is no field of a store of kind 'directory'"),
        (f"{BUCKET}; removal_access_key: env:A", "removal_secret_key: is missing; it belongs to removal_access_key"),
        (f"{BUCKET}; removal_secret_key: env:A", "removal_access_key: is missing; it belongs to removal_secret_key"),
        (
            f"{BUCKET}; removal_access_key: file:/etc/akses; removal_secret_key: file:/etc/rahasia",
            "removal_access_key: is the backup's own; whoever backs up must not be able to remove",
        ),
        (
            BUCKET.replace("file:/etc/rahasia", "rahasia-sekali"),
            "secret_key: must be a reference to a secret: file:/path, env:NAME or credential:NAME",
        ),
        (
            BUCKET.replace("file:/etc/rahasia", "file:rahasia"),
            "secret_key: must name an absolute path: file:/…",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, fields: str, expected: str) -> None:
    assert errors(tmp_path, fields) == [f"stores[1].{expected}"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://s3.contoh.go.id", "https://S3.Contoh.go.id./"),
        ("https://s3.contoh.go.id", "https://s3.contoh.go.id:443"),
        ("https://s3.contoh.go.id", "http://s3.contoh.go.id"),
        ("https://s3.contoh.go.id", "https://cadangan.s3.contoh.go.id"),
        ("http://127.0.0.1:9000", "http://localhost:9000"),
        ("http://127.0.0.1:9000", "http://127.0.0.2:9000"),
        ("http://127.0.0.1:9000", "http://[::1]:9000"),
        ("http://10.0.0.1:9000", "http://[::ffff:10.0.0.1]:9000"),
        ("http://10.0.0.1:65536", "http://10.0.0.1:65536"),
    ],
)
def test_one_bucket_is_no_two_stores_however_its_service_is_spelt(tmp_path: Path, one: str, other: str) -> None:
    stores = [BUCKET.replace("https://s3.contoh.go.id", each) + f"; prefix: p{len(each)}" for each in (one, other)]
    assert errors(tmp_path, *stores) == ["stores[2].bucket: is the same bucket as stores[1].bucket"]


def test_two_buckets_or_two_services_are_two_stores(tmp_path: Path) -> None:
    others = [
        BUCKET.replace("cadangan", "cadangan2"),
        BUCKET.replace("contoh", "lain"),
        BUCKET.replace(".go.id", ".go.id:8443"),
    ]
    assert errors(tmp_path, BUCKET, *others) == []


def test_what_leads_to_a_bucket_is_no_restore_target(tmp_path: Path) -> None:
    found = errors(tmp_path, BUCKET.replace("/etc/", "/srv/simpeg/berkas/") + "; ca_file: /srv/simpeg/berkas/ca.pem")
    end = "; it can never be a restore target"
    assert sorted(line.partition(": ")[2] for line in found) == [
        f"holds the CA's certificate of the store 'terpisah' (/srv/simpeg/berkas/ca.pem){end}",
        f"holds the file of access_key of the store 'terpisah' (/srv/simpeg/berkas/akses){end}",
        f"holds the file of secret_key of the store 'terpisah' (/srv/simpeg/berkas/rahasia){end}",
    ]
