"""MariaDB databases of many shapes that are in order: each must be backed up and proven without a false alarm."""

# Statements stand as they are read best.
# ruff: noqa: E501

# Names of shapes to what the plain client runs; `-- database: …` says how the database is made.
GOOD = {
    "nothing at all": "SELECT 1;",
    "mixed case, reserved words, quotes and blanks": r"""
        CREATE TABLE `from` (`where` int PRIMARY KEY, `A b` text, `kutip"ganda` text, `kutip'tunggal` text,
            `balik\garis` text, `titik;koma--` text, `%s {x} $1 :x` text, `balik``kutip` text, ` depan` text,
            `sangat_panjang_sekali_nama_kolom_ini_sampai_enam_puluh_empat_hur` text, `résumé` text);
        INSERT INTO `from` VALUES (1, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j');
        CREATE TABLE `Tabel "aneh" ini; DROP` (`ID` int AUTO_INCREMENT PRIMARY KEY, `User` varchar(20) DEFAULT 'it''s \\ "x"');
        INSERT INTO `Tabel "aneh" ini; DROP` () VALUES ();
        CREATE INDEX `Indeks, aneh` ON `from` (`A b`(10), `where`);
        CREATE VIEW `user` AS SELECT `where` AS `order`, `A b` AS `group` FROM `from`;
        CREATE FUNCTION `Fungsi Aneh`(`a b` int, `select` text) RETURNS text DETERMINISTIC RETURN ''';--';
        CREATE TABLE `tabel` (a int); CREATE TABLE `TABEL` (b int); INSERT INTO `tabel` VALUES (1); INSERT INTO `TABEL` VALUES (2);
        CREATE TABLE catatan (a int) COMMENT='baris\nbaru ''dan'' "kutip" \\';
    """,
    "1,017 columns, which is the most": "CREATE TABLE lebar ("
    + ", ".join(f"k{number} int DEFAULT {number}" for number in range(1017))
    + "); INSERT INTO lebar () VALUES (); INSERT INTO lebar (k1) VALUES (NULL);",
    "no primary key, and rows that are equal": """
        CREATE TABLE t (a varchar(9), b int); INSERT INTO t SELECT 'x', 1 FROM seq_1_to_100;
        INSERT INTO t VALUES (NULL, NULL), ('', NULL), (NULL, 0);
    """,
    "circular and self-referring keys": """
        CREATE TABLE a (id int PRIMARY KEY, b int, KEY (b));
        CREATE TABLE b (id int PRIMARY KEY, a int, atasan int, FOREIGN KEY (a) REFERENCES a (id) ON UPDATE CASCADE,
            FOREIGN KEY (atasan) REFERENCES b (id) ON DELETE SET NULL);
        INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1, NULL), (2, 1, 1);
        ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b (id);
    """,
    "views on views, in no order of names": """
        CREATE TABLE t (id int PRIMARY KEY, x text);
        CREATE VIEW c AS SELECT id FROM t; CREATE VIEW b AS SELECT id FROM c; CREATE VIEW a AS SELECT b.id FROM b JOIN c;
        CREATE ALGORITHM=TEMPTABLE VIEW kelompok AS SELECT x, count(*) AS n FROM t GROUP BY x;
        CREATE VIEW diubah AS SELECT * FROM t WHERE id > 0 WITH CASCADED CHECK OPTION;
        CREATE VIEW hitung AS WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT * FROM r;
    """,
    "functions, procedures and packages that need each other": r"""
        CREATE TABLE t (a int); INSERT INTO t VALUES (1);
        DELIMITER //
        CREATE FUNCTION z() RETURNS int READS SQL DATA RETURN (SELECT count(*) FROM t)//
        CREATE FUNCTION a() RETURNS int READS SQL DATA BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION RETURN -1; RETURN z() + 1; END//
        CREATE PROCEDURE kerja(IN a int, INOUT b text, OUT c decimal(10,2)) MODIFIES SQL DATA SQL SECURITY INVOKER
            COMMENT 'isi; "x"' BEGIN CALL kerja2(a); -- tetap
            SET b = 'it''s \\ '; END//
        CREATE PROCEDURE kerja2(a int) BEGIN INSERT INTO t VALUES (a); COMMIT; END//
        CREATE AGGREGATE FUNCTION gabung(x int) RETURNS int BEGIN DECLARE s int DEFAULT 0;
            DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN s; LOOP FETCH GROUP NEXT ROW; SET s = s + x; END LOOP; END//
        DELIMITER ;
        CREATE VIEW v AS SELECT a() AS n;
    """,
    "triggers that raise, several for one event": """
        CREATE TABLE t (a int); INSERT INTO t VALUES (1);
        CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'tidak boleh';
        CREATE TRIGGER b BEFORE DELETE ON t FOR EACH ROW SIGNAL SQLSTATE '45000';
        CREATE TRIGGER d AFTER UPDATE ON t FOR EACH ROW SET @x = 1;
        CREATE TRIGGER c AFTER UPDATE ON t FOR EACH ROW PRECEDES d SET @x = 2;
    """,
    "events of every kind": """
        CREATE TABLE t (a int);
        CREATE EVENT a ON SCHEDULE EVERY 1 SECOND DO INSERT INTO t VALUES (1);
        CREATE EVENT b ON SCHEDULE AT '2037-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE DO DELETE FROM t;
        CREATE EVENT c ON SCHEDULE EVERY '1 2' DAY_HOUR STARTS '2030-01-01' ENDS '2031-01-01' DO SET @a = 1;
    """,
    "partitions of every kind": """
        CREATE TABLE a (id int, tahun int, PRIMARY KEY (id, tahun)) PARTITION BY RANGE (tahun) SUBPARTITION BY HASH (id)
            SUBPARTITIONS 2 (PARTITION lama VALUES LESS THAN (2020), PARTITION baru VALUES LESS THAN MAXVALUE);
        INSERT INTO a SELECT seq, 2000 + seq % 40 FROM seq_1_to_200;
        CREATE TABLE b (w varchar(9)) PARTITION BY LIST COLUMNS (w) (PARTITION x VALUES IN ('a', 'b'), PARTITION y DEFAULT);
        INSERT INTO b VALUES ('a'), ('c'); CREATE TABLE c (a int) PARTITION BY KEY (a) PARTITIONS 3; INSERT INTO c VALUES (1), (2);
    """,
    "generated columns, sequences and counters of every kind": """
        CREATE TABLE t (a int AUTO_INCREMENT PRIMARY KEY, b int AS (length(e)) VIRTUAL, c varchar(20) AS (concat('x', e)) STORED, e varchar(9),
            KEY (b), KEY (c)) AUTO_INCREMENT = 77;
        INSERT INTO t (e) VALUES ('x'), ('y'); DELETE FROM t;
        CREATE SEQUENCE s CYCLE MAXVALUE 5 CACHE 2; SELECT NEXTVAL(s), NEXTVAL(s), NEXTVAL(s);
        CREATE SEQUENCE turun INCREMENT BY -5 START WITH -5; SELECT NEXTVAL(turun);
        CREATE SEQUENCE bersama; CREATE TABLE u (a bigint DEFAULT NEXTVAL(bersama), b bigint DEFAULT NEXTVAL(bersama));
        INSERT INTO u () VALUES (); CREATE TABLE nol (a int AUTO_INCREMENT PRIMARY KEY);
        SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; INSERT INTO nol VALUES (0), (5);
    """,
    "system-versioned tables with their history": """
        CREATE TABLE t (id int PRIMARY KEY, x varchar(9)) WITH SYSTEM VERSIONING;
        INSERT INTO t VALUES (1, 'a'), (2, 'b'); UPDATE t SET x = 'c'; DELETE FROM t WHERE id = 2;
        CREATE TABLE u (id int PRIMARY KEY, x float, a timestamp(6) GENERATED ALWAYS AS ROW START,
            b timestamp(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (a, b)) WITH SYSTEM VERSIONING;
        INSERT INTO u (id, x) VALUES (1, 1.2345678); UPDATE u SET x = 7.6543212;
        CREATE TABLE v (x int, y int WITHOUT SYSTEM VERSIONING) WITH SYSTEM VERSIONING PARTITION BY SYSTEM_TIME
            (PARTITION lama HISTORY, PARTITION kini CURRENT);
        INSERT INTO v VALUES (1, 1); UPDATE v SET x = 2; UPDATE v SET y = 3;
    """,
    "values that are hard to write down": r"""
        SET SESSION sql_mode = '';
        CREATE TABLE t (a double, b float, c decimal(65,30), d date, e datetime(6), f time(6), g text, h longblob, i json, j bit(64),
            k year, l timestamp(6) NULL, m inet6, n uuid, o set('a', 'b', ''), p enum('', 'x', 'it''s'), q char(5), r binary(5), s geometry,
            t float(7,3), u tinyint(1), v bigint unsigned zerofill, w inet4);
        INSERT INTO t (a, b, c, d, e, f, g) VALUES (5e-324, 1.17549435e-38, 1e-30, '0000-00-00', '9999-12-31 23:59:59.999999', '-838:59:59', ''),
            (-0.0, 3.4028235e38, 1.00, '2026-00-00', '0000-00-00', '838:59:59.999999', '\t\n\\N\\.\0\Z\r\'"'),
            (1.7976931348623157e308, 0.1, -12345678901234567890123456789012345.5, '1000-01-01', '2026-03-29 02:30:00.000001', '0', repeat('🇮🇩', 1000)),
            (0.1 + 0.2, 16777217, NULL, NULL, NULL, NULL, 'NULL');
        INSERT INTO t (h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w) VALUES (unhex('00ff270d0a5c1a'), '{"b":1,  "b":2, "a": [null]}', b'1', 0,
            '1970-01-01 00:00:01', '::', '00000000-0000-0000-0000-000000000000', 'a,b', '', 'x ', 'y', ST_GeomFromText('POLYGON((0 0,0 1,1 1,0 0))', 4326),
            1234.567, 1, 18446744073709551615, '255.255.255.255'), (NULL, NULL, NULL, 2155, '2038-01-19 03:14:07.999999', NULL, NULL, '', 5, '',
            unhex('00'), NULL, -0.0, NULL, 0, NULL);
        CREATE TABLE dua (a text, b text); INSERT INTO dua VALUES (NULL, 'a'), ('a', NULL), ('', 'a'), ('N', 'a');
    """,
    "character sets and collations of all ages": r"""
        CREATE TABLE t (a varchar(20) CHARACTER SET latin1 COLLATE latin1_german2_ci, b text CHARACTER SET utf8mb3, c char(9) CHARACTER SET ucs2,
            d varchar(20) CHARACTER SET utf16, e varchar(9) CHARACTER SET sjis, f varchar(9) CHARACTER SET binary, g varchar(9) COLLATE utf8mb4_bin,
            UNIQUE KEY (a), KEY (g));
        INSERT INTO t VALUES ('ä', 'é', 'ü', '😀', 'ア', 'é', 'A'), ('z', 'É', '', '', '', unhex('ff'), 'a');
        CREATE FUNCTION f(a varchar(9) CHARACTER SET latin2) RETURNS varchar(9) CHARACTER SET latin2 COLLATE latin2_czech_cs DETERMINISTIC RETURN a;
    """,
    "another character set for the whole": """
        -- database: CHARACTER SET latin1 COLLATE latin1_swedish_ci COMMENT 'it''s'
        CREATE TABLE `naïf` (a text, b varchar(9) DEFAULT 'é'); INSERT INTO `naïf` VALUES ('café ÿ', 'ø'), (NULL, NULL);
    """,
    "indexes of every kind, compressed rows, checks": """
        CREATE TABLE t (a varchar(200), b point NOT NULL, c text, d int CHECK (d > 0), e int, FULLTEXT KEY (c, a), SPATIAL KEY (b),
            UNIQUE KEY (a(10) DESC, d), KEY tak_terlihat (e) IGNORED, CONSTRAINT dua CHECK (d < e)) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8;
        INSERT INTO t SELECT repeat(char(97 + seq % 26), seq), point(seq, seq), 'kata sandi', seq, seq + 1 FROM seq_1_to_50;
        CREATE TABLE p (a text COMPRESSED, b int INVISIBLE DEFAULT 3) PAGE_COMPRESSED=1 ENCRYPTED=NO; INSERT INTO p (a) VALUES (repeat('x', 9999));
    """,
    "a row of eight megabytes": """
        CREATE TABLE t (a longtext, b longblob);
        INSERT INTO t SELECT repeat(md5('x'), 262144), unhex(repeat(md5('y'), 262144));
    """,
}
QUICK = ("mixed case, reserved words, quotes and blanks", "values that are hard to write down")


def many_tables(number: int) -> str:
    """Return statements that make so many tables, each with keys, an index, rows and a counter."""
    made = ["CREATE TABLE unit (id int PRIMARY KEY); INSERT INTO unit SELECT seq FROM seq_1_to_9;"]
    for each in range(1, number):
        made.append(
            f"CREATE TABLE tabel_{each} (id int AUTO_INCREMENT PRIMARY KEY, unit int, a varchar(40) NOT NULL, b decimal(12,2), c date,"
            f" d tinyint DEFAULT 1, e json, f text, KEY (a), FOREIGN KEY (unit) REFERENCES unit (id));"
            f"INSERT INTO tabel_{each} (unit, a, b, c, e, f) SELECT 1 + seq % 9, concat('baris ', seq), seq / 7,"
            " '2026-01-01' + INTERVAL seq DAY, '{\"k\": 1}', repeat('x', seq) FROM seq_1_to_200;"
        )
    return "\n".join(made)
