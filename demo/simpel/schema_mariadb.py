"""SIMPEL's tables in MariaDB: those of schema.py, with what that engine has of its own."""

SCHEMA = """
CREATE TABLE unit_kerja (
    id int PRIMARY KEY,
    kode varchar(40) NOT NULL UNIQUE,
    nama varchar(200) NOT NULL,
    jenis varchar(20) NOT NULL CHECK (jenis IN ('sekretariat', 'dinas', 'badan', 'kecamatan', 'rumah sakit')),
    alamat text NOT NULL
);
CREATE TABLE golongan (kode varchar(10) PRIMARY KEY, pangkat varchar(60) NOT NULL, urutan int NOT NULL UNIQUE);
CREATE TABLE jabatan (
    id int PRIMARY KEY,
    nama varchar(200) NOT NULL UNIQUE,
    jenis enum('struktural', 'fungsional', 'pelaksana') NOT NULL,
    kelas int NOT NULL CHECK (kelas BETWEEN 1 AND 17)
);
CREATE TABLE pegawai (
    nip char(18) PRIMARY KEY,
    nama varchar(200) NOT NULL,
    gelar_depan varchar(40) NOT NULL DEFAULT '',
    gelar_belakang varchar(40) NOT NULL DEFAULT '',
    tempat_lahir varchar(100) NOT NULL,
    tanggal_lahir date NOT NULL,
    jenis_kelamin char(1) NOT NULL CHECK (jenis_kelamin IN ('L', 'P')),
    agama varchar(40) NOT NULL,
    unit_id int NOT NULL,
    jabatan_id int NOT NULL,
    golongan varchar(10) NOT NULL,
    tmt_cpns date NOT NULL,
    gaji_pokok int NOT NULL,
    surel varchar(200) UNIQUE,
    status varchar(20) NOT NULL DEFAULT 'aktif' CHECK (status IN ('aktif', 'tugas belajar', 'pensiun')),
    KEY pegawai_unit (unit_id, status),
    KEY pegawai_nama (nama),
    CONSTRAINT pegawai_dari_unit FOREIGN KEY (unit_id) REFERENCES unit_kerja (id),
    CONSTRAINT pegawai_berjabatan FOREIGN KEY (jabatan_id) REFERENCES jabatan (id),
    CONSTRAINT pegawai_bergolongan FOREIGN KEY (golongan) REFERENCES golongan (kode)
) COMMENT 'Aparatur sipil negara kabupaten';
CREATE TABLE riwayat_pangkat (
    id int AUTO_INCREMENT PRIMARY KEY,
    nip char(18) NOT NULL,
    golongan varchar(10) NOT NULL,
    nomor_sk varchar(100) NOT NULL UNIQUE,
    tmt date NOT NULL,
    UNIQUE (nip, golongan),
    FOREIGN KEY (nip) REFERENCES pegawai (nip),
    FOREIGN KEY (golongan) REFERENCES golongan (kode)
);
CREATE TABLE absensi (
    id int AUTO_INCREMENT PRIMARY KEY,
    nip char(18) NOT NULL,
    waktu varchar(30) NOT NULL,
    jenis enum('masuk', 'pulang') NOT NULL,
    mesin varchar(40) NOT NULL,
    KEY absensi_nip_waktu (nip, waktu),
    KEY absensi_waktu (waktu),
    FOREIGN KEY (nip) REFERENCES pegawai (nip)
);
CREATE TABLE cuti (
    id int AUTO_INCREMENT PRIMARY KEY,
    nip char(18) NOT NULL,
    jenis varchar(40) NOT NULL,
    mulai date NOT NULL,
    selesai date NOT NULL,
    alasan text,
    keputusan enum('diajukan', 'disetujui', 'ditolak') NOT NULL,
    KEY cuti_nip (nip),
    CHECK (selesai >= mulai),
    FOREIGN KEY (nip) REFERENCES pegawai (nip)
);
CREATE TABLE dokumen (
    id int AUTO_INCREMENT PRIMARY KEY,
    nip char(18) NOT NULL,
    jenis varchar(60) NOT NULL,
    jalur varchar(300) COLLATE utf8mb4_bin NOT NULL UNIQUE,
    ukuran int NOT NULL CHECK (ukuran >= 0),
    diunggah varchar(30) NOT NULL,
    KEY dokumen_nip (nip),
    FOREIGN KEY (nip) REFERENCES pegawai (nip)
);
CREATE TABLE pengguna (
    id int AUTO_INCREMENT PRIMARY KEY,
    nama_pengguna varchar(60) NOT NULL UNIQUE,
    nip char(18) NOT NULL UNIQUE,
    peran enum('pegawai', 'verifikator', 'administrator') NOT NULL,
    garam varbinary(64) NOT NULL,
    sandi varbinary(64) NOT NULL,
    aktif int NOT NULL DEFAULT 1,
    FOREIGN KEY (nip) REFERENCES pegawai (nip)
);
CREATE TABLE catatan_audit (
    id int AUTO_INCREMENT PRIMARY KEY,
    waktu varchar(30) NOT NULL DEFAULT (date_format(utc_timestamp() + INTERVAL 7 HOUR, '%Y-%m-%d %H:%i:%s')),
    tabel varchar(60) NOT NULL,
    kunci varchar(60) NOT NULL,
    peristiwa varchar(200) NOT NULL
);
CREATE TRIGGER pegawai_diubah AFTER UPDATE ON pegawai FOR EACH ROW
    INSERT INTO catatan_audit (tabel, kunci, peristiwa) VALUES ('pegawai', NEW.nip, CASE
        WHEN OLD.golongan <> NEW.golongan THEN concat('golongan ', OLD.golongan, ' menjadi ', NEW.golongan)
        WHEN OLD.unit_id <> NEW.unit_id THEN concat('mutasi unit ', OLD.unit_id, ' ke ', NEW.unit_id)
        ELSE 'data diubah' END);
CREATE TRIGGER pegawai_dihapus AFTER DELETE ON pegawai FOR EACH ROW
    INSERT INTO catatan_audit (tabel, kunci, peristiwa) VALUES ('pegawai', OLD.nip, 'dihapus');
CREATE FUNCTION masa_kerja(sejak date, sampai date) RETURNS int DETERMINISTIC NO SQL
    RETURN timestampdiff(YEAR, sejak, sampai);
CREATE VIEW rekap_unit AS
    SELECT unit_kerja.id, unit_kerja.nama, count(pegawai.nip) AS jumlah_pegawai,
           coalesce(sum(pegawai.jenis_kelamin = 'P'), 0) AS jumlah_perempuan
    FROM unit_kerja LEFT JOIN pegawai ON pegawai.unit_id = unit_kerja.id AND pegawai.status = 'aktif'
    GROUP BY unit_kerja.id;
"""
