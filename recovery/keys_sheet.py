"""The escrow sheet (lembar titipan): what must be known in a disaster, on paper, beside the medium in the safe."""

import shlex
from datetime import UTC, datetime
from pathlib import Path

from recovery.calendar import format_moment
from recovery.crypto import public_fingerprint, read_identity, recipient_of, split_pem
from recovery.durable import NewFile
from recovery.errors import KeyMissingError
from recovery.forms.model import Letterhead
from recovery.forms.sheet import Row, Sheet, render_sheet
from recovery.installation import RELEASE, Installation
from recovery.keys import read_file
from recovery.keys_succession import recorded_successions
from recovery.records import backups, ledger
from recovery.restore_guide import GUIDE
from recovery.settings import StoreSettings

PRINTED = "key.sheet_printed"
TITLE = "Lembar Titipan Kunci (Escrow)"
WARNING = (
    "PERHATIAN: LEMBAR INI MEMUAT KUNCI PRIVAT. Siapa pun yang melihat, memotret, atau menyalinnya dapat membaca SEMUA "
    "cadangan, termasuk data pribadi. Cetak pada printer tanpa penyimpanan, masukkan ke amplop tersegel, simpan hanya "
    "di brankas, dan hapus berkas PDF ini."
)


def write_sheet(
    installation: Installation, path: Path, *, private_key: Path | None = None, now: datetime | None = None
) -> str:
    """Given an installation and a file to make, write the sheet there for the owner alone; return the fingerprint.

    `private_key`, the file of an escrow identity, is printed on it only because the caller names it. The ledger says
    that a sheet was printed, and whether with a private key. Raises ConflictError when the file is there already,
    KeyMissingError for an identity that is not one of escrow, FormError, StoreError.
    """
    moment = now or datetime.now(UTC)
    secret = "" if private_key is None else _escrow_secret(installation, private_key)
    pdf = render_sheet(_sheet(installation, secret), moment)
    facts = {
        "signing": installation.signer.fingerprint,
        "operations": installation.keys.operations_recipient,
        "escrow": installation.keys.escrow_recipient,
        "with_private_key": bool(secret),
    }
    with NewFile(path) as file:
        file.write(pdf)
        file.sync()
        with installation.catalog.begin() as connection:
            ledger.append(connection, PRINTED, facts)
    return installation.signer.fingerprint


def _escrow_secret(installation: Installation, path: Path) -> str:
    identity = read_identity(read_file(path), str(path))
    known = {installation.keys.escrow_recipient, *_earlier_escrow(installation)}
    if recipient_of(identity) not in known:
        raise KeyMissingError(
            f"{path} holds no escrow identity of this installation",
            state="no sheet was written",
            hint="name the file of the escrow identity from the safe; no other private key is ever printed",
        )
    return str(identity)


def _sheet(installation: Installation, secret: str) -> Sheet:
    office = installation.office
    sections = (
        ("Sidik jari kunci tanda tangan (bandingkan huruf demi huruf)", _fingerprints(installation)),
        ("Penerima cadangan (kunci publik age)", _recipients(installation)),
        ("Letak", _places(installation)),
        *((f"Mencapai bucket {each.title or each.name}", _reach(each)) for each in buckets(installation)),
        ("Memulihkan dengan Pulih, pada mesin kosong", _with_pulih(installation)),
        ("Memulihkan tanpa Pulih", _without_pulih()),
        *([("KUNCI PRIVAT", (Row("Kunci titipan (identity age)", secret, "code"),))] if secret else []),
    )
    return Sheet(
        title=TITLE,
        letterhead=Letterhead(government=office.government, office=office.name, address=office.address),
        release=RELEASE,
        sections=sections,
        warning=WARNING if secret else "",
        private=secret,
    )


def _fingerprints(installation: Installation) -> tuple[Row, ...]:
    signer = installation.signer
    replaced = {each.old: each.at for each in recorded_successions(installation.keys.signing_key)}
    earlier = [
        Row(
            f"Sebelumnya, diganti {format_moment(replaced[pem.decode()])}" if pem.decode() in replaced else "Lainnya",
            public_fingerprint(pem),
            "code",
        )
        for pem in split_pem(signer.trusted_pem)[1:]
    ]
    return (Row("Sekarang", signer.fingerprint, "code"), *earlier)


def _recipients(installation: Installation) -> tuple[Row, ...]:
    keys = installation.keys
    earlier = [
        Row(f"Titipan sebelumnya, masih membuka {count} cadangan: simpan kuncinya", recipient, "code")
        for recipient, count in _earlier_escrow(installation).items()
    ]
    return (
        Row("Titipan (escrow)", keys.escrow_recipient, "code"),
        Row("Operasional", keys.operations_recipient, "code"),
        *earlier,
    )


def _earlier_escrow(installation: Installation) -> dict[str, int]:
    """Recipients of backups whose identities this installation does not hold, and how many backups each opens."""
    keys = installation.keys
    held = {recipient_of(each) for each in installation.operations_identities()}
    with installation.catalog.read() as connection:
        secured = [each for each in backups.list_backups(connection) if each.state == "secured"]
    named = [recipient for each in secured for recipient in each.facts["recipients"]]
    others = sorted(set(named) - held - {keys.escrow_recipient, keys.operations_recipient})
    return {recipient: named.count(recipient) for recipient in others}


def _places(installation: Installation) -> tuple[Row, ...]:
    stores = [
        Row(
            f"Tempat penyimpanan {settings.title or name}",
            installation.store(name).location(GUIDE).removesuffix(GUIDE),
            "code",
        )
        for name, settings in sorted(installation.stores.items())
    ]
    return (
        *stores,
        Row("Kunci titipan (privat)", "di brankas, pada medium tersendiri; tidak ada di server mana pun"),
        Row("Kunci operasional (privat)", installation.keys.operations_identity, "code"),
        Row("Kunci tanda tangan (privat)", installation.keys.signing_key, "code"),
        Row("Kunci pendaftaran (privat)", f"{installation.keys.enrolment_key}; salinannya di brankas"),
        Row("Direktori kerja", installation.office.state_directory, "code"),
    )


def buckets(installation: Installation) -> list[StoreSettings]:
    """Given an installation, return its stores that are buckets: credentials for them must be in the safe, too."""
    return [settings for _name, settings in sorted(installation.stores.items()) if settings.kind == "s3"]


def _reach(settings: StoreSettings) -> tuple[Row, ...]:
    """What leads to a bucket from a machine that knows nothing of it. Secrets are named by their references alone."""
    addressing = {"path": "path (nama bucket di jalur alamat)", "virtual": "virtual (nama bucket di nama host)"}
    authority = f"{settings.ca_file}\nsimpan salinan berkas ini di brankas"
    return (
        Row("Alamat layanan (endpoint)", settings.endpoint, "code"),
        Row("Bucket dan folder", _place(settings), "code"),
        Row("Region", settings.region, "code"),
        Row("Pengalamatan (addressing)", addressing[settings.addressing]),
        Row("Sertifikat CA (ca_file)", authority if settings.ca_file else "tidak perlu: CA publik"),
        Row("Letak kunci akses (access_key)", str(settings.access_key), "code"),
        Row("Letak kunci rahasia (secret_key)", str(settings.secret_key), "code"),
        Row(
            "Yang disimpan di brankas",
            "salinan kedua kunci itu, atau kunci akun lain yang boleh membaca dan menulis di bucket ini; isinya tidak "
            "tercetak di lembar ini",
        ),
    )


def _place(settings: StoreSettings) -> str:
    """The store as `pulih rebuild --from` takes it."""
    if settings.kind == "s3":
        return f"s3://{settings.bucket}/{settings.prefix.strip('/')}".rstrip("/")
    return str(Path(settings.path) / settings.prefix)


def rebuild_command(installation: Installation, name: str) -> list[str]:
    """Given the name of a store, return the arguments of the command that rebuilds from it, BERKAS-KUNCI-TITIPAN in the
    place of the identity's file. A secret that is not a file here is named as a file that somebody has to make."""
    settings = installation.stores[name]
    command = ["pulih", "rebuild", "--from", _place(settings), "--store", name]
    if settings.kind == "s3":
        for field in ("endpoint", "region", "addressing", "ca_file"):
            value = getattr(settings, field)
            if value != StoreSettings.model_fields[field].default:
                command += ["--setting", f"{field}={value}"]
        for field in ("access_key", "secret_key"):
            reference = str(getattr(settings, field))
            value = reference if reference.startswith("file:") else f"file:/root/{name}.{field}"
            command += ["--setting", f"{field}={value}"]
    command += ["--identity", "BERKAS-KUNCI-TITIPAN", "--to", "/var/lib/pulih-baru"]
    return [*command, "--fingerprint", installation.signer.fingerprint]


def typed(command: list[str]) -> str:
    """Given the arguments of `pulih rebuild`, return them as somebody types them from paper: an option a line."""
    words = [shlex.quote(word) for word in command]
    options = (f"{option} {value}" for option, value in zip(words[2::2], words[3::2], strict=True))
    return " \\\n".join([" ".join(words[:2]), *options])


def _with_pulih(installation: Installation) -> tuple[Row, ...]:
    reached = buckets(installation)
    needed = "satu tempat penyimpanan, kunci titipan, dan lembar ini"
    keys = "; untuk bucket juga kunci akses, kunci rahasia, dan sertifikat CA-nya, di berkas yang disebut perintah"
    return (
        Row("Yang diperlukan", needed + keys if reached else needed),
        *(
            Row(f"Perintah, dari {settings.title or name}", typed(rebuild_command(installation, name)), "code")
            for name, settings in sorted(installation.stores.items())
        ),
        Row("Sesudahnya", "baca semua yang tertulis NOT PROVEN; lanjutkan menurut docs/disaster.md"),
    )


def _without_pulih() -> tuple[Row, ...]:
    return (
        Row("Panduan", f"berkas {GUIDE} di setiap tempat penyimpanan, langkah demi langkah"),
        Row("Program", "bash, age, zstd, openssl; menurut jenis data sqlite3, tar, pg_restore atau mariadb"),
        Row(
            "Pemeriksaan",
            "sidik jari kunci di panduan itu harus sama dengan salah satu sidik jari di lembar ini, bukan sebaliknya: "
            "siapa pun yang dapat mengubah isi penyimpanan dapat mengubah panduan itu",
        ),
        Row("Membuka data", "age -d -i BERKAS-KUNCI data.….zst.age | zstd -d", "code"),
    )
