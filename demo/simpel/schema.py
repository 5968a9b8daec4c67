"""SIMPEL's tables in SQLite."""

SCHEMA = """
CREATE TABLE unit_kerja (
    id INTEGER PRIMARY KEY,
    kode TEXT NOT NULL UNIQUE,
    nama TEXT NOT NULL,
    jenis TEXT NOT NULL CHECK (jenis IN ('sekretariat', 'dinas', 'badan', 'kecamatan', 'rumah sakit')),
    alamat TEXT NOT NULL
);
CREATE TABLE golongan (
    kode TEXT PRIMARY KEY,
    pangkat TEXT NOT NULL,
    urutan INTEGER NOT NULL UNIQUE
) WITHOUT ROWID;
CREATE TABLE jabatan (
    id INTEGER PRIMARY KEY,
    nama TEXT NOT NULL UNIQUE,
    jenis TEXT NOT NULL CHECK (jenis IN ('struktural', 'fungsional', 'pelaksana')),
    kelas INTEGER NOT NULL CHECK (kelas BETWEEN 1 AND 17)
);
CREATE TABLE pegawai (
    nip TEXT PRIMARY KEY CHECK (length(nip) = 18),
    nama TEXT NOT NULL,
    gelar_depan TEXT NOT NULL DEFAULT '',
    gelar_belakang TEXT NOT NULL DEFAULT '',
    tempat_lahir TEXT NOT NULL,
    tanggal_lahir DATE NOT NULL,
    jenis_kelamin TEXT NOT NULL CHECK (jenis_kelamin IN ('L', 'P')),
    agama TEXT NOT NULL,
    unit_id INTEGER NOT NULL REFERENCES unit_kerja (id),
    jabatan_id INTEGER NOT NULL REFERENCES jabatan (id),
    golongan TEXT NOT NULL REFERENCES golongan (kode),
    tmt_cpns DATE NOT NULL,
    gaji_pokok INTEGER NOT NULL,
    surel TEXT UNIQUE,
    status TEXT NOT NULL DEFAULT 'aktif' CHECK (status IN ('aktif', 'tugas belajar', 'pensiun'))
);
CREATE INDEX pegawai_unit ON pegawai (unit_id, status);
CREATE INDEX pegawai_nama ON pegawai (nama COLLATE NOCASE);
CREATE TABLE riwayat_pangkat (
    id INTEGER PRIMARY KEY,
    nip TEXT NOT NULL REFERENCES pegawai (nip),
    golongan TEXT NOT NULL REFERENCES golongan (kode),
    nomor_sk TEXT NOT NULL UNIQUE,
    tmt DATE NOT NULL,
    UNIQUE (nip, golongan)
);
CREATE TABLE absensi (
    id INTEGER PRIMARY KEY,
    nip TEXT NOT NULL REFERENCES pegawai (nip),
    waktu TEXT NOT NULL,
    jenis TEXT NOT NULL CHECK (jenis IN ('masuk', 'pulang')),
    mesin TEXT NOT NULL
);
CREATE INDEX absensi_nip_waktu ON absensi (nip, waktu);
CREATE INDEX absensi_waktu ON absensi (waktu);
CREATE TABLE cuti (
    id INTEGER PRIMARY KEY,
    nip TEXT NOT NULL REFERENCES pegawai (nip),
    jenis TEXT NOT NULL,
    mulai DATE NOT NULL,
    selesai DATE NOT NULL,
    alasan TEXT,
    keputusan TEXT NOT NULL CHECK (keputusan IN ('diajukan', 'disetujui', 'ditolak')),
    CHECK (selesai >= mulai)
);
CREATE INDEX cuti_nip ON cuti (nip);
CREATE TABLE dokumen (
    id INTEGER PRIMARY KEY,
    nip TEXT NOT NULL REFERENCES pegawai (nip),
    jenis TEXT NOT NULL,
    jalur TEXT NOT NULL UNIQUE,
    ukuran INTEGER NOT NULL CHECK (ukuran >= 0),
    diunggah TEXT NOT NULL
);
CREATE INDEX dokumen_nip ON dokumen (nip);
CREATE TABLE pengguna (
    id INTEGER PRIMARY KEY,
    nama_pengguna TEXT NOT NULL UNIQUE COLLATE NOCASE,
    nip TEXT NOT NULL UNIQUE REFERENCES pegawai (nip),
    peran TEXT NOT NULL CHECK (peran IN ('pegawai', 'verifikator', 'administrator')),
    garam BLOB NOT NULL,
    sandi BLOB NOT NULL,
    aktif INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE catatan_audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    waktu TEXT NOT NULL DEFAULT (datetime('now', '+7 hours')),
    tabel TEXT NOT NULL,
    kunci TEXT NOT NULL,
    peristiwa TEXT NOT NULL
);
CREATE TRIGGER pegawai_diubah AFTER UPDATE ON pegawai BEGIN
    INSERT INTO catatan_audit (tabel, kunci, peristiwa)
    VALUES ('pegawai', new.nip, CASE
        WHEN old.golongan <> new.golongan THEN 'golongan ' || old.golongan || ' menjadi ' || new.golongan
        WHEN old.unit_id <> new.unit_id THEN 'mutasi unit ' || old.unit_id || ' ke ' || new.unit_id
        ELSE 'data diubah' END);
END;
CREATE TRIGGER pegawai_dihapus AFTER DELETE ON pegawai BEGIN
    INSERT INTO catatan_audit (tabel, kunci, peristiwa) VALUES ('pegawai', old.nip, 'dihapus');
END;
CREATE VIEW rekap_unit AS
    SELECT unit_kerja.id, unit_kerja.nama, count(pegawai.nip) AS jumlah_pegawai,
           coalesce(sum(pegawai.jenis_kelamin = 'P'), 0) AS jumlah_perempuan
    FROM unit_kerja LEFT JOIN pegawai ON pegawai.unit_id = unit_kerja.id AND pegawai.status = 'aktif'
    GROUP BY unit_kerja.id;
"""

TABLES = (
    "unit_kerja",
    "golongan",
    "jabatan",
    "pegawai",
    "riwayat_pangkat",
    "absensi",
    "cuti",
    "dokumen",
    "pengguna",
    "catatan_audit",
)
