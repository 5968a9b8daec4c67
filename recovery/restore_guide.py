"""RESTORE.md: how to restore a set with plain programs when Pulih is gone. Lies at the top of every store.

Written for officials, hence in Indonesian. Its commands are run as they stand by tests/recovery/test_restore_guide.py.
"""

import hashlib
import uuid
from collections.abc import Iterator

from recovery.crypto import public_fingerprint
from recovery.errors import ObjectExistsError, ObjectUnreadableError
from recovery.stores.base import Store
from recovery.stores.one_object import read_one

GUIDE = "RESTORE.md"


def put_restore_guide(store: Store, public_pem: bytes) -> str:
    """Given a store and the public signing key, put the guide there unless it is there, and return its key.

    Nothing is ever overwritten, so a guide that differs (another key, another release) lies beside the first one
    under a name with its own SHA-256. Where somebody who may write to the store took both names, which can be foreseen,
    it gets one that cannot be. Raises StoreError.
    """
    content = restore_guide(public_pem).encode()
    for key in (GUIDE, f"RESTORE-{hashlib.sha256(content).hexdigest()[:12]}.md"):
        try:
            store.put_bytes(key, content)
        except ObjectExistsError:
            continue
        return key
    held = next(_guides(store, content), "")
    if held:
        return held
    key = f"RESTORE-{uuid.uuid4().hex[:12]}.md"
    store.put_bytes(key, content)
    return key


def lacks_restore_guide(store: Store, public_pem: bytes) -> bool:
    """Given a store and the public signing key, say whether this release's guide for that key is missing there."""
    return next(_guides(store, restore_guide(public_pem).encode()), None) is None


def _guides(store: Store, content: bytes) -> Iterator[str]:
    """The keys under which a store holds this very guide."""
    for info in store.list(GUIDE.removesuffix(".md")):
        if info.size == len(content) and _read(store, info.key) == content:
            yield info.key


def _read(store: Store, key: str) -> bytes:
    try:
        return read_one(store, lambda: store.read(key))
    except ObjectUnreadableError:
        return b""  # no guide is like that: somebody put it there


def restore_guide(public_pem: bytes) -> str:
    """Given the public signing key, return the guide's text. Raises KeyMissingError when that is no key."""
    fingerprint = public_fingerprint(public_pem).removeprefix("SHA256:")
    return _TEXT.replace("@KEY@", public_pem.decode().strip()).replace("@FINGERPRINT@", fingerprint)


_TEXT = """\
# Memulihkan data tanpa Pulih

Panduan ini memulihkan satu cadangan hanya dengan program umum: `bash`, `age`, `zstd`, `openssl` (3.0 atau lebih
baru), dan, menurut jenis datanya, `sqlite3`, GNU `tar`, program klien PostgreSQL atau MariaDB. Di
Debian: `apt install age zstd openssl sqlite3 tar postgresql-client mariadb-client`.
Kerjakan semua langkah berurutan dalam satu terminal `bash`. **Berhenti bila hasil suatu langkah tidak seperti yang
tertulis**, lalu ambil cadangan dari tempat penyimpanan kedua atau cadangan yang lebih lama.

Yang harus ada di tangan:

- kunci pembuka (berkas berisi baris `AGE-SECRET-KEY-1…`): kunci operasional, atau kunci titipan (escrow);
- lembar titipan (escrow), yang memuat sidik jari kunci tanda tangan;
- folder cadangan: `<unit>/<aplikasi>/<nama>/`, berisi `data.….zst.age`, `quality.json`, `manifest.json` dan
  `manifest.json.sig`.

## 1. Isi empat nilai ini

`SET` folder cadangan; `KUNCI` berkas kunci pembuka; `HASIL` folder kerja baru di disk yang cukup besar dan tidak
dapat dibaca orang lain; `TUJUAN` letak berkas basis data atau direktori aplikasi yang dipulihkan (PostgreSQL dan
MariaDB: nama basis datanya, seperti tertulis di manifes pada `target`).

```sh
SET=/mnt/cadangan/unit/aplikasi/aplikasi_komponen_full_20261120t220003+0700
KUNCI=/root/kunci.txt
HASIL=/root/hasil-restore
TUJUAN=/srv/aplikasi/data.sqlite
```

## 2. Siapkan folder kerja dan kunci tanda tangan

```sh
set -o pipefail
LAYAK=ya
mkdir -m 700 "$HASIL" || LAYAK=tidak
cat > "$HASIL/kunci-publik.pem" <<'PEM'
@KEY@
PEM
openssl pkey -pubin -in "$HASIL/kunci-publik.pem" -outform DER | tail -c 32 | sha256sum
```

Bandingkan dengan **lembar titipan**, bukan dengan panduan ini: siapa pun yang dapat mengubah isi penyimpanan dapat
pula mengubah panduan ini. Nilai di lembar titipan (setelah `SHA256:`) harus sama dengan yang tampil. Saat panduan ini
dibuat nilainya:

    @FINGERPRINT@

## 3. Periksa tanda tangan manifes

```sh
openssl pkeyutl -verify -pubin -inkey "$HASIL/kunci-publik.pem" -rawin \\
    -in "$SET/manifest.json" -sigfile "$SET/manifest.json.sig" || LAYAK=tidak
```

Harus tampil `Signature Verified Successfully`.

## 4. Periksa bahwa manifes ini milik folder ini, dan bahwa setiap berkas utuh

```sh
cocok() {  # cocok TEKS NAMA: apakah teks itu ada di manifes?
    if grep -qF -- "$1" "$SET/manifest.json"; then echo "$2: COCOK"; else echo "$2: TIDAK COCOK"; LAYAK=tidak; fi
}
cocok "\\"name\\":\\"$(basename "$SET")\\"" nama
for BERKAS in "$SET"/*.age; do
    SIDIK=$(openssl dgst -sha256 -r "$BERKAS" | cut -c 1-64)
    UKURAN=$(stat -c %s "$BERKAS")
    FILE=$(basename "$BERKAS")
    cocok "\\"cipher\\":{\\"sha256\\":\\"$SIDIK\\",\\"size\\":$UKURAN},\\"file\\":\\"$FILE\\"" "$BERKAS"
done
```

Setiap baris harus berakhir dengan `: COCOK`. Manifes dapat dibaca dengan `less "$SET/manifest.json"`: di situ
tertulis aplikasi (`application`), komponen (`component`), jenis (`kind`) dan saat pencadangan (`moment`, UTC).

## 5a. Bila ada `data.sqlite.zst.age`: basis data SQLite

Buka, lalu cocokkan isinya dengan manifes:

```sh sqlite
age -d -i "$KUNCI" "$SET/data.sqlite.zst.age" | zstd -d -q -o "$HASIL/data.sqlite" \\
    && echo "dibuka: BERHASIL" || LAYAK=tidak
SIDIK=$(openssl dgst -sha256 -r "$HASIL/data.sqlite" | cut -c 1-64)
cocok "\\"file\\":\\"data.sqlite.zst.age\\",\\"plain\\":{\\"sha256\\":\\"$SIDIK\\"" isi
sqlite3 -readonly "file:$HASIL/data.sqlite?immutable=1" 'PRAGMA integrity_check;'
```

Harus tampil `dibuka: BERHASIL`, `isi: COCOK` dan `ok`.

**Matikan dahulu semua layanan yang memakai basis data itu.** Berkas lama disimpan sebagai `TUJUAN.lama`; berkas
`-wal`, `-shm` dan `-journal` ikut dipindahkan, karena bila tertinggal SQLite mencampurnya dengan data yang dipulihkan:

```sh sqlite
if [ "$LAYAK" = ya ] && [ ! -e "$TUJUAN.lama" ] && install -m 600 "$HASIL/data.sqlite" "$TUJUAN.baru"; then
    if [ -e "$TUJUAN" ]; then
        chown --reference="$TUJUAN" "$TUJUAN.baru"
        chmod --reference="$TUJUAN" "$TUJUAN.baru"
    fi
    sync "$TUJUAN.baru"
    for AKHIRAN in "" -wal -shm -journal; do
        [ ! -e "$TUJUAN$AKHIRAN" ] || mv -n "$TUJUAN$AKHIRAN" "$TUJUAN.lama$AKHIRAN"
    done
    [ ! -e "$TUJUAN" ] && mv -n "$TUJUAN.baru" "$TUJUAN" && sync "$(dirname "$TUJUAN")" && echo "dipasang: BERHASIL"
else
    echo "dipasang: TIDAK, karena ada pemeriksaan di atas yang gagal atau $TUJUAN.lama sudah ada"
fi
```

Harus tampil `dipasang: BERHASIL`. Bila tidak ada berkas lama, atur pemilik dan hak akses dengan `chown` dan `chmod`.
Nyalakan layanan dan periksa aplikasinya. Untuk membatalkan: matikan layanan dan kembalikan `TUJUAN.lama`.

## 5b. Bila ada `data.tar.zst.age`: direktori berkas

Cocokkan isinya dengan manifes, lalu keluarkan ke folder baru di samping tujuan (sebagai root, agar pemilik berkas
ikut pulih):

```sh files
SIDIK=$(age -d -i "$KUNCI" "$SET/data.tar.zst.age" | zstd -d -q | openssl dgst -sha256 -r | cut -c 1-64)
cocok "\\"file\\":\\"data.tar.zst.age\\",\\"plain\\":{\\"sha256\\":\\"$SIDIK\\"" isi
mkdir -m 700 "$TUJUAN.baru"
age -d -i "$KUNCI" "$SET/data.tar.zst.age" | zstd -d -q | tar --extract --file=- --directory "$TUJUAN.baru" \\
    --numeric-owner --same-owner --preserve-permissions --delay-directory-restore \\
    --xattrs --xattrs-include='*' && echo "dikeluarkan: BERHASIL" || LAYAK=tidak
```

Harus tampil `isi: COCOK` dan `dikeluarkan: BERHASIL`. **Matikan layanan**, lalu pasang; direktori lama disimpan sebagai
`TUJUAN.lama`:

```sh files
if [ "$LAYAK" = ya ] && [ ! -e "$TUJUAN.lama" ]; then
    [ ! -e "$TUJUAN" ] || mv -nT "$TUJUAN" "$TUJUAN.lama"
    [ ! -e "$TUJUAN" ] && mv -nT "$TUJUAN.baru" "$TUJUAN" && sync "$(dirname "$TUJUAN")" && echo "dipasang: BERHASIL"
else
    echo "dipasang: TIDAK, karena ada pemeriksaan di atas yang gagal atau $TUJUAN.lama sudah ada"
fi
```

Harus tampil `dipasang: BERHASIL`. Nyalakan layanan dan periksa aplikasinya.

## 5c. Bila ada `data.pgdump.zst.age`: basis data PostgreSQL

Kerjakan sebagai administrator PostgreSQL (misalnya `sudo -u postgres bash`, dengan `KUNCI` dan `HASIL` yang dapat
dibaca akun itu), dengan versi program tidak lebih lama daripada yang tertulis di manifes pada `tools`. Bila server
tidak di mesin ini, isi dahulu `PGHOST`, `PGPORT` dan `PGUSER`. Buka, lalu cocokkan isinya dengan manifes:

```sh postgresql
age -d -i "$KUNCI" "$SET/data.pgdump.zst.age" | zstd -d -q -o "$HASIL/data.pgdump" \\
    && echo "dibuka: BERHASIL" || LAYAK=tidak
SIDIK=$(openssl dgst -sha256 -r "$HASIL/data.pgdump" | cut -c 1-64)
cocok "\\"file\\":\\"data.pgdump.zst.age\\",\\"plain\\":{\\"sha256\\":\\"$SIDIK\\"" isi
cocok "\\"database\\":\\"$TUJUAN\\"" "basis data"
```

Harus tampil `dibuka: BERHASIL`, `isi: COCOK` dan `basis data: COCOK`. Buat peran (role) yang diperlukan; pesan
`already exists` boleh diabaikan. Kata sandi tidak ada di cadangan: berikan kembali dengan `ALTER ROLE … PASSWORD`.

```sh postgresql
[ "$LAYAK" = ya ] && age -d -i "$KUNCI" "$SET/globals.sql.zst.age" | zstd -d -q | psql -X -q -d postgres
```

**Matikan dahulu semua layanan yang memakai basis data itu.** Basis data lama disimpan dengan nama `TUJUAN.lama`:

```sh postgresql
if [ "$LAYAK" = ya ] && psql -X -q -v ON_ERROR_STOP=1 -v nama="$TUJUAN" -d postgres <<'SQL'
SELECT format('ALTER DATABASE %I RENAME TO %I', :'nama', :'nama' || '.lama')
WHERE EXISTS (SELECT FROM pg_database WHERE datname = :'nama') \\gexec
SQL
then
    pg_restore --create --exit-on-error --dbname=postgres "$HASIL/data.pgdump" \\
        && vacuumdb --quiet --analyze-only --dbname="$TUJUAN" && echo "dipasang: BERHASIL"
else
    echo "dipasang: TIDAK, karena ada yang gagal di atas, basis data masih dipakai, atau $TUJUAN.lama sudah ada"
fi
```

Harus tampil `dipasang: BERHASIL`. Nyalakan layanan dan periksa aplikasinya. Untuk membatalkan: matikan layanan, hapus
basis data baru dan kembalikan nama yang lama dengan `ALTER DATABASE … RENAME TO …`.

## 5d. Bila ada `data.sql.zst.age`: basis data MariaDB

Kerjakan sebagai administrator MariaDB, dengan program `mariadb` tidak lebih lama daripada yang tertulis di manifes pada
`tools`. Isi dahulu `MASUK` bila `mariadb` saja tidak cukup untuk masuk (misalnya `--user=root --socket=…`; kata sandi
dengan `--defaults-extra-file=…`). Cocokkan isinya dengan manifes:

```sh mariadb
MASUK=${MASUK:-}
SIDIK=$(age -d -i "$KUNCI" "$SET/data.sql.zst.age" | zstd -d -q | openssl dgst -sha256 -r | cut -c 1-64)
cocok "\\"file\\":\\"data.sql.zst.age\\",\\"plain\\":{\\"sha256\\":\\"$SIDIK\\"" isi
SIDIK=$(age -d -i "$KUNCI" "$SET/globals.sql.zst.age" | zstd -d -q | openssl dgst -sha256 -r | cut -c 1-64)
cocok "\\"file\\":\\"globals.sql.zst.age\\",\\"plain\\":{\\"sha256\\":\\"$SIDIK\\"" globals
cocok "\\"database\\":\\"$TUJUAN\\"" "basis data"
```

Harus tampil `isi: COCOK`, `globals: COCOK` dan `basis data: COCOK`. **Matikan dahulu semua layanan yang memakai basis
data itu.** MariaDB tidak dapat mengganti nama basis data: simpan yang lama dengan nama lain, satu tabel demi satu tabel
(`RENAME TABLE … TO …`), atau dengan `mariadb-dump --routines --events`, lalu hapus dengan `DROP DATABASE`. Sesudah itu:

```sh mariadb
if [ "$LAYAK" = ya ] && mariadb $MASUK -e "CREATE DATABASE \\`$TUJUAN\\`"; then
    age -d -i "$KUNCI" "$SET/data.sql.zst.age" | zstd -d -q | mariadb $MASUK --binary-mode "$TUJUAN" \\
        && age -d -i "$KUNCI" "$SET/globals.sql.zst.age" | zstd -d -q \\
        | mariadb $MASUK --binary-mode --comments "$TUJUAN" && echo "dipasang: BERHASIL"
else
    echo "dipasang: TIDAK, karena ada pemeriksaan di atas yang gagal atau basis data $TUJUAN masih ada"
fi
```

Harus tampil `dipasang: BERHASIL`. Kata sandi tidak ada di cadangan: akun yang dibuat kembali terkunci sampai diberi
kata sandi dengan `ALTER USER … IDENTIFIED BY '…' ACCOUNT UNLOCK`. Nyalakan layanan dan periksa aplikasinya.

## 6. Sesudahnya

Hapus folder kerja, karena isinya data terbuka, dan catat pemulihan ini pada Formulir Pelaksanaan Restore Data:

```sh
rm -r "$HASIL"
```
"""
