"""SIMPEL's web server: what employees and their officers see, over the database and the uploads.

Every request opens the database and the upload folder by their names anew and closes them at its end. After a restore
has exchanged them, the next request sees the restored data, and a stopped server holds nothing open.
"""

import json
import os
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from demo.simpel import pages
from demo.simpel.databases import Connection, DatabaseError, Row, connect
from demo.simpel.schema import TABLES

WIB = timezone(timedelta(hours=7), "WIB")
MAXIMUM_FORM = 64 * 1024
MAXIMUM_UPLOAD = 5 * 1024 * 1024


class RequestError(Exception):
    """A request that cannot be served as it is; the message is for the person who sent it."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Server(ThreadingHTTPServer):
    """The listening server; `server_close` waits for the requests that are being served."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, address: tuple[str, int], database: str, uploads: Path) -> None:
        self.database = database
        self.uploads = uploads
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    """Serves one request."""

    server: Server
    server_version = "SIMPEL/1"
    # A client that goes silent must not keep the server from stopping.
    timeout = 10

    def do_GET(self) -> None:
        routes = {"/": self._home, "/sehat": self._health, "/pegawai": self._employees}
        self._serve(routes)

    def do_POST(self) -> None:
        self._serve({"/absensi": self._record_attendance, "/dokumen": self._store_document})

    def _serve(self, routes: dict[str, Any]) -> None:
        target = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(target.query).items()}
        try:
            route = routes.get(target.path)
            if route is None:
                raise RequestError(HTTPStatus.NOT_FOUND, "Halaman tidak ditemukan.")
            route()
        except RequestError as error:
            self._json(error.status, {"galat": error.message})
        except (DatabaseError, OSError) as error:
            # Without the error's text: it may quote what somebody entered.
            name = error.name if isinstance(error, DatabaseError) else type(error).__name__
            self._json(HTTPStatus.SERVICE_UNAVAILABLE, {"galat": f"Data tidak dapat dibaca ({name})."})

    def _health(self) -> None:
        faults = health(self.server.database, self.server.uploads)
        if faults:
            self._json(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "sakit", "sebab": faults})
        else:
            self._json(HTTPStatus.OK, {"status": "sehat"})

    def _home(self) -> None:
        with closing(connect(self.server.database)) as connection:
            counts = {table: connection.value(f"SELECT count(*) FROM {table}") for table in TABLES}  # noqa: S608
            attendance = connection.rows(
                "SELECT absensi.waktu, absensi.jenis, pegawai.nama, unit_kerja.nama AS unit FROM absensi"
                " JOIN pegawai USING (nip) JOIN unit_kerja ON unit_kerja.id = pegawai.unit_id"
                " ORDER BY absensi.id DESC LIMIT 10"
            )
            documents = connection.rows(
                "SELECT dokumen.diunggah, dokumen.jenis, pegawai.nama, dokumen.ukuran FROM dokumen"
                " JOIN pegawai USING (nip) ORDER BY dokumen.id DESC LIMIT 10"
            )
            units = connection.rows("SELECT * FROM rekap_unit ORDER BY jumlah_pegawai DESC LIMIT 8")
        self._html(pages.home(counts, attendance, documents, units))

    def _employees(self) -> None:
        wanted = self.query.get("cari", "").strip()
        pattern = "".join(f"!{letter}" if letter in "!%_" else letter for letter in wanted.lower())
        with closing(connect(self.server.database)) as connection:
            rows = connection.rows(
                "SELECT nip, gelar_depan, pegawai.nama, gelar_belakang, golongan, jabatan.nama AS jabatan,"
                " unit_kerja.nama AS unit FROM pegawai JOIN jabatan ON jabatan.id = jabatan_id"
                " JOIN unit_kerja ON unit_kerja.id = unit_id"
                " WHERE lower(pegawai.nama) LIKE ? ESCAPE '!' OR nip = ? ORDER BY pegawai.nama, nip LIMIT 100",
                (f"%{pattern}%", wanted),
            )
        if "application/json" in self.headers.get("Accept", ""):
            self._json(HTTPStatus.OK, {"pegawai": [dict(row) for row in rows]})
        else:
            self._html(pages.employees(wanted, rows))

    def _record_attendance(self) -> None:
        form = {name: values[-1] for name, values in parse_qs(self._body(MAXIMUM_FORM).decode()).items()}
        kind = form.get("jenis", "")
        if kind not in ("masuk", "pulang"):
            raise RequestError(HTTPStatus.BAD_REQUEST, "jenis harus 'masuk' atau 'pulang'.")
        with closing(connect(self.server.database)) as connection:
            self._employee(connection, form.get("nip", ""))
            number = connection.value(
                "INSERT INTO absensi (nip, waktu, jenis, mesin) VALUES (?, ?, ?, ?) RETURNING id",
                (form["nip"], _now(), kind, form.get("mesin", "WEB")[:20]),
            )
        self._json(HTTPStatus.CREATED, {"id": number})

    def _store_document(self) -> None:
        content = self._body(MAXIMUM_UPLOAD)
        name = self.query.get("nama", "").replace("/", "_").replace("\0", "").lstrip(".").strip()
        if not name or len(name.encode()) > 200:
            raise RequestError(HTTPStatus.BAD_REQUEST, "nama berkas wajib diisi, paling panjang 200 bita.")
        with closing(connect(self.server.database)) as connection:
            person = self._employee(connection, self.query.get("nip", ""))
            folder = self.server.uploads / _now()[:4] / person["unit"]
            folder.mkdir(parents=True, exist_ok=True)
            path = _write_new(folder, name, content)
            number = connection.value(
                "INSERT INTO dokumen (nip, jenis, jalur, ukuran, diunggah) VALUES (?, ?, ?, ?, ?) RETURNING id",
                (
                    person["nip"],
                    self.query.get("jenis", "Lain-lain")[:60],
                    str(path.relative_to(self.server.uploads)),
                    len(content),
                    _now(),
                ),
            )
        self._json(HTTPStatus.CREATED, {"id": number, "jalur": str(path.relative_to(self.server.uploads))})

    def _employee(self, connection: Connection, nip: str) -> Row:
        found = connection.rows(
            "SELECT nip, unit_kerja.kode AS unit FROM pegawai JOIN unit_kerja ON unit_kerja.id = unit_id WHERE nip = ?",
            (nip,),
        )
        if not found:
            raise RequestError(HTTPStatus.NOT_FOUND, "Pegawai dengan NIP itu tidak ada.")
        return found[0]

    def _body(self, maximum: int) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise RequestError(HTTPStatus.LENGTH_REQUIRED, "Content-Length wajib ada.")
        if int(length) > maximum:
            raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Paling besar {maximum} bita.")
        content = self.rfile.read(int(length))
        if len(content) != int(length):
            raise RequestError(HTTPStatus.BAD_REQUEST, "Isi terpotong.")
        return content

    def _json(self, status: HTTPStatus, value: dict[str, Any]) -> None:
        self._send(status, "application/json; charset=utf-8", json.dumps(value, ensure_ascii=False).encode())

    def _html(self, text: str) -> None:
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", text.encode())

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        # Without the query: it holds names and numbers of people.
        status = code.value if isinstance(code, HTTPStatus) else code
        print(f"{_now()} {self.command} {urlsplit(self.path).path} {status}", file=sys.stderr, flush=True)


def health(database: str, uploads: Path) -> list[str]:
    """Given where the data is, return what keeps the application from working; an empty list means healthy."""
    faults = []
    try:
        with closing(connect(database)) as connection:
            present = connection.tables()
            faults += [f"tabel {table} tidak ada" for table in TABLES if table not in present]
            if "pegawai" in present:
                connection.rows("SELECT nip FROM pegawai LIMIT 1")
    except DatabaseError as error:
        faults.append(f"basis data tidak dapat dibuka ({error.name})")
    if not uploads.is_dir() or not os.access(uploads, os.R_OK | os.W_OK | os.X_OK):
        faults.append("direktori unggahan tidak dapat dipakai")
    return faults


def _write_new(folder: Path, name: str, content: bytes) -> Path:
    """Write under a name that nobody has; a reader never sees half of it."""
    temporary = folder / f".unggahan-{os.getpid()}-{os.urandom(6).hex()}"
    temporary.write_bytes(content)
    try:
        stem, dot, suffix = name.rpartition(".")
        for number in range(1, 1000):
            path = folder / (name if number == 1 else f"{stem or suffix} ({number}){dot + suffix if stem else ''}")
            try:
                path.hardlink_to(temporary)
            except FileExistsError:
                continue
            return path
        raise RequestError(HTTPStatus.CONFLICT, "Terlalu banyak berkas bernama sama.")
    finally:
        temporary.unlink()


def _now() -> str:
    return f"{datetime.now(UTC).astimezone(WIB):%Y-%m-%d %H:%M:%S}"
