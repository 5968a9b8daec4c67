"""MariaDB databases for the tests of the source: a plain one, and one with every kind of object."""

import io
import itertools
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from recovery.hosts.local import LocalHost
from recovery.sources.base import Dump, Source
from recovery.sources.mariadb import MariadbSource
from recovery.sources.server import Account
from tests.testbed.mariadb import MariaDBServer

PIECE = 1 << 20
_numbers = itertools.count(1)

PLAIN = """
CREATE TABLE pegawai (id int AUTO_INCREMENT PRIMARY KEY, nama varchar(80) NOT NULL, gaji int, KEY nama (nama));
INSERT INTO pegawai (nama, gaji) SELECT CONCAT('Pegawai ', seq), seq * 1000 FROM seq_1_to_200;
CREATE VIEW kaya AS SELECT * FROM pegawai WHERE gaji > 100000;
CREATE FUNCTION pajak(gaji int) RETURNS int DETERMINISTIC RETURN gaji DIV 10;
CREATE TABLE catatan (isi varchar(80));
CREATE TRIGGER dicatat AFTER DELETE ON pegawai FOR EACH ROW INSERT INTO catatan VALUES (OLD.nama);
CREATE EVENT tiap_hari ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01' DO DELETE FROM catatan;
"""

ACCOUNTS = """
CREATE USER IF NOT EXISTS 'pemilik data'@'localhost' IDENTIFIED BY 'rahasia';
CREATE USER IF NOT EXISTS aplikasi@'10.%' IDENTIFIED BY 'rahasia';
CREATE ROLE IF NOT EXISTS pembaca;
"""

# Names that need quotes, values that are hard to write down, and objects outside of tables of every kind.
RICH = r"""
CREATE SEQUENCE naik START WITH 5 INCREMENT BY 3 NOCACHE;
SELECT NEXTVAL(naik), NEXTVAL(naik);
CREATE SEQUENCE turun START WITH 10 MINVALUE -1000 MAXVALUE 10 INCREMENT BY -1 NOCACHE;
SELECT NEXTVAL(turun);
CREATE TABLE `Pegawai Negeri` (
    `NIP` char(18) CHARACTER SET ascii PRIMARY KEY, `order` varchar(200) COLLATE utf8mb4_unicode_ci DEFAULT 'a\tb\\''',
    `select` text CHARACTER SET latin1, status enum('aktif', '', 'it''s "sulit"') NOT NULL, sifat set('a', 'b', 'c d'),
    lahir date, masuk timestamp(6) NULL, jam time(3), tahun year, foto longblob, kecil varbinary(300), bendera bit(33),
    pecahan float, tepat float(9,2), ganda double, uang decimal(65,30), data json, tempat point NOT NULL,
    kode uuid, alamat inet6, tersembunyi int INVISIBLE DEFAULT 7, lengkap varchar(220) AS (concat(`order`, '!')) STORED,
    maya int AS (`tersembunyi` + 1) VIRTUAL, kosong text, `100%` int,
    UNIQUE KEY `Kunci; DROP` (`order`(20), `lahir`), FULLTEXT KEY cari (`select`), SPATIAL KEY ruang (tempat),
    KEY turunan (uang DESC) COMMENT 'indeks', CONSTRAINT wajar CHECK (`tahun` > 1900)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='isi; ''DROP''' ROW_FORMAT=DYNAMIC;
INSERT INTO `Pegawai Negeri` (`NIP`, `order`, `select`, status, sifat, lahir, masuk, jam, tahun, foto, kecil, bendera,
    pecahan, tepat, ganda, uang, data, tempat, kode, alamat, kosong, `100%`, tersembunyi)
SELECT lpad(seq, 18, '0'), concat(seq, '''"\\\t\n%s😀'), concat('é', seq, 'x'), 1 + seq % 3, seq % 8,
    if(seq % 2, '2026-11-20', '2001-02-03') , '2026-11-20 16:59:59.999999', '-12:34:56.789', 2000 + seq % 20,
    unhex(concat('00FF5C27220A0D1A', hex(seq))), repeat(char(seq % 256), seq % 7), seq * 77777,
    seq / 7, seq / 3, seq / 3e0, seq * 1.000000000000000000000000000001, json_object('n', seq, 't', 'a"b'),
    point(seq, -seq), concat('00000000-0000-0000-0000-', lpad(seq, 12, '0')), '::ffff:1.2.3.4', if(seq % 2, '', NULL),
    seq, -seq FROM seq_1_to_60;
SET SESSION sql_mode = '';
UPDATE `Pegawai Negeri` SET lahir = '0000-00-00' WHERE `100%` < 5;
UPDATE `Pegawai Negeri` SET lahir = '2026-00-00' WHERE `100%` = 6;
UPDATE `Pegawai Negeri` SET pecahan = 1.17549e-38 WHERE `100%` = 7;
SET SESSION sql_mode = DEFAULT;
CREATE TABLE tanpa_kunci (isi varchar(20), lain varchar(20));
INSERT INTO tanpa_kunci VALUES (NULL, 'a'), ('a', NULL), ('', 'sama'), ('sama', ''), ('NULL', 'N'), ('N', 'NULL');
CREATE TABLE induk (id int PRIMARY KEY, anak int, KEY (anak)) ENGINE=InnoDB;
CREATE TABLE anak (id int PRIMARY KEY, induk int NOT NULL, CONSTRAINT ke_induk FOREIGN KEY (induk) REFERENCES induk (id)
    ON DELETE CASCADE);
ALTER TABLE induk ADD CONSTRAINT melingkar FOREIGN KEY (anak) REFERENCES anak (id);
INSERT INTO induk VALUES (1, NULL), (2, NULL); INSERT INTO anak VALUES (1, 1), (2, 2); UPDATE induk SET anak = id;
CREATE TABLE surat (id int, tahun int, isi varchar(9), PRIMARY KEY (id, tahun)) PARTITION BY RANGE (tahun)
    (PARTITION lama VALUES LESS THAN (2020), PARTITION baru VALUES LESS THAN MAXVALUE);
INSERT INTO surat VALUES (1, 2019, 'a'), (2, 2021, 'b');
CREATE TABLE jabatan (id int PRIMARY KEY, nama varchar(20)) WITH SYSTEM VERSIONING;
INSERT INTO jabatan VALUES (1, 'staf'), (2, 'kepala'); UPDATE jabatan SET nama = 'kabid' WHERE id = 1;
DELETE FROM jabatan WHERE id = 2;
CREATE TABLE ukuran (id int PRIMARY KEY, nilai float) WITH SYSTEM VERSIONING;
INSERT INTO ukuran VALUES (1, 1.23456789); UPDATE ukuran SET nilai = 9.87654321;
CREATE TABLE bernomor (id bigint DEFAULT NEXTVAL(naik) PRIMARY KEY, isi varchar(9));
INSERT INTO bernomor (isi) VALUES ('x'), ('y');
CREATE TABLE masa (id int PRIMARY KEY, awal date, akhir date, PERIOD FOR berlaku (awal, akhir));
INSERT INTO masa VALUES (1, '2026-01-01', '2026-12-31');
CREATE TABLE kosong (a int AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 77;
DELIMITER //
CREATE DEFINER=`pemilik data`@localhost FUNCTION gabung(a text, b text) RETURNS text DETERMINISTIC SQL SECURITY INVOKER
    COMMENT 'dua teks'
BEGIN
    -- komentar; "tetap"
    RETURN concat(a, ':', b); /* akhir */
END//
CREATE PROCEDURE tutup_buku(IN tahun int, OUT hasil int) BEGIN SELECT count(*) INTO hasil FROM surat; END//
SET SESSION sql_mode = 'ORACLE'//
CREATE OR REPLACE PACKAGE paket AS FUNCTION satu RETURN INT; END//
CREATE OR REPLACE PACKAGE BODY paket AS FUNCTION satu RETURN INT AS BEGIN RETURN 1; END; END//
SET SESSION sql_mode = 'ANSI_QUOTES'//
CREATE PROCEDURE "dengan kutip"() SELECT 'a' AS "b;c"//
SET SESSION sql_mode = DEFAULT//
SET NAMES latin1//
CREATE FUNCTION lama() RETURNS varchar(9) CHARSET latin1 DETERMINISTIC RETURN 'LATIN1'//
SET NAMES utf8mb4//
CREATE TRIGGER dikunci BEFORE UPDATE ON anak FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'data dikunci'//
CREATE TRIGGER dua AFTER INSERT ON surat FOR EACH ROW SET @x = 1//
CREATE TRIGGER satu AFTER INSERT ON surat FOR EACH ROW PRECEDES dua SET @x = 2//
CREATE EVENT `tiap malam` ON SCHEDULE EVERY '1:30' HOUR_MINUTE STARTS '2030-01-01 01:00:00' ON COMPLETION PRESERVE
    COMMENT 'it''s' DO BEGIN DELETE FROM kosong WHERE a < 0; DELETE FROM kosong WHERE a < -1; END//
CREATE EVENT mati ON SCHEDULE EVERY 1 DAY DISABLE DO SET @a = 1//
CREATE EVENT sekali ON SCHEDULE AT '2030-01-01' DO SET @a = 1//
DELIMITER ;
CREATE VIEW `pandangan atas pandangan` AS SELECT 1 AS sementara;
CREATE DEFINER=`pemilik data`@localhost SQL SECURITY INVOKER VIEW pandangan AS
    SELECT `NIP`, gabung(`order`, 'x\\y') AS g, `100%` FROM `Pegawai Negeri` WHERE `order` <> 'it''s';
CREATE OR REPLACE ALGORITHM=MERGE VIEW `pandangan atas pandangan` AS SELECT * FROM pandangan WHERE `100%` > 1
    WITH LOCAL CHECK OPTION;
CREATE VIEW `a awal` AS SELECT * FROM `pandangan atas pandangan`;
"""
RICH_GRANTS = """
GRANT SELECT, INSERT, CREATE TEMPORARY TABLES ON `{name}`.* TO aplikasi@'10.%' WITH GRANT OPTION;
GRANT SELECT ON `{name}`.* TO pembaca;
GRANT UPDATE (isi), DELETE ON `{name}`.surat TO aplikasi@'10.%';
GRANT EXECUTE ON FUNCTION `{name}`.gabung TO pembaca;
GRANT INSERT ON `{name}`.* TO PUBLIC;
GRANT SELECT ON `{name}`.surat TO PUBLIC;
"""


@dataclass(frozen=True)
class Dumped:
    """A dump in memory."""

    source: MariadbSource
    plain: bytes
    result: Dump

    def load(self, label: str = "uji", into: MariadbSource | None = None, plain: bytes | None = None) -> str:
        """Load it, or other bytes in its place, beside the live data or into a scratch source; return the copy."""
        source = into or self.source
        copy = source.beside(label)
        content = memoryview(self.plain if plain is None else plain)
        with source.load(copy, self.result.server_globals) as stream:
            for position in range(0, len(content), PIECE):
                stream.write(content[position : position + PIECE])
            stream.finish()
        return copy

    def differences(self, copy: str | None, source: Source | None = None) -> list[str]:
        """What is different in a copy, or in the live data."""
        return self.result.fingerprint.differences((source or self.source).fingerprint(copy))


def source_of(server: MariaDBServer, database: str, *, account: Account | None = None) -> MariadbSource:
    """A source on a server, by its administrator unless told otherwise."""
    account = account or Account("root")
    return MariadbSource(LocalHost(), database, server=str(server.socket), account=account, lock_timeout=3)


def make_database(server: MariaDBServer, statements: str = PLAIN) -> MariadbSource:
    """Make a database under a name of its own."""
    name = f"simpel_{next(_numbers)}"
    server.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci COMMENT 'data'")
    server.execute(statements, name)
    return source_of(server, name)


def make_rich(server: MariaDBServer) -> MariadbSource:
    """Make the database with every kind of object; its accounts are there once on a server."""
    server.execute(ACCOUNTS)
    source = make_database(server, RICH)
    server.execute(RICH_GRANTS.format(name=source.database))
    return source


def dumped(source: MariadbSource) -> Dumped:
    """Dump into memory."""
    buffer, plain = memoryview(bytearray(PIECE)), io.BytesIO()
    with source.dump() as stream:
        while count := stream.readinto(buffer):
            plain.write(buffer[:count])
        return Dumped(source, plain.getvalue(), stream.finish())


def scratch_of(source: MariadbSource, directory: Path) -> "closing[MariadbSource]":
    """A scratch source that ends with the block."""
    return closing(source.scratch(directory))
