"""Database servers of the systemd test host: Debian's own units, with the accounts exactly as docs/*.md make them."""

import re
from pathlib import Path
from typing import Any, Protocol

import yaml

from tests.testbed.systemd_host import SystemdHost
from tests.testbed.systemd_root import ACCOUNT

DOCS = Path(__file__).resolve().parents[2] / "docs"
DATABASE, OWNER = "simpel", "simpel_app"
# What a shell, an option file, a password file and a literal of SQL might each take for something else.
PASSWORDS = {
    "owner": "milik-aplikasi",
    "simpel-backup": "sulit 'cadang' \\ : # \" $(x)",
    "simpel-restore": "sulit 'pulih' \\ : # \" %h",
}
# Rows of a MiB each: more than what pipes, channels and windows hold between a program there and whoever reads here.
FILLER = 30
# Where the application keeps what lets it into its database, closed to all others.
CREDENTIALS = "/srv/simpel/kredensial"


def documented(page: str, language: str) -> list[str]:
    """The blocks of a language in a page of the documents; "" for those of none."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [content for name, content in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S) if name == language]


class MachineEngine(Protocol):
    """A server of one engine, on a machine."""

    kind: str
    # The program that dumps, as it is seen in a list of processes.
    dumps: str

    def start(self) -> None:
        """Start the server's own unit, and make the application's database and account."""

    def add_accounts(self) -> None:
        """Make the accounts of the page, and let them in."""

    def component(self, secrets: Path) -> dict[str, Any]:
        """The page's example of a component, with the worker's own files of passwords in a directory."""

    def run(self, statements: str, database: str = "") -> list[tuple[str, ...]]:
        """Run SQL as the server's administrator; return its rows as text."""

    def client(self) -> list[str]:
        """The argument list of the application's client."""

    def rows(self, database: str) -> list[tuple[str, ...]]:
        """The rows of both tables, of a database that takes no connections, too."""

    def databases(self) -> dict[str, bool]:
        """The databases that are not the server's own, and whether one can connect to each."""


class _Engine:
    page: str

    def __init__(self, machine: SystemdHost) -> None:
        self.machine = machine

    def component(self, secrets: Path) -> dict[str, Any]:
        """See MachineEngine.component."""
        (block,) = (text for text in documented(self.page, "yaml") if text.startswith("components:"))
        (component,) = yaml.safe_load(block)["components"]
        found: dict[str, Any] = component
        for name, value in found.items():
            if str(value).startswith("file:"):
                file = secrets / Path(value).name
                file.write_text(f"{PASSWORDS[file.name]}\n")
                file.chmod(0o600)
                found[name] = f"file:{file}"
        return found


class PostgresqlThere(_Engine):
    """PostgreSQL, as Debian's package leaves it."""

    kind, page, dumps = "postgresql", "postgresql.md", "pg_dump"

    def start(self) -> None:
        """See MachineEngine.start."""
        self.machine.systemctl("unmask", "postgresql")
        self.machine.systemctl("start", "postgresql")
        self.run(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORDS['owner']}'")
        self.run(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        self.machine.write(f"{CREDENTIALS}/pgpass", f"*:*:*:*:{PASSWORDS['owner']}\n", mode=0o600, user=ACCOUNT)
        self.run(
            f"""
            SET ROLE {OWNER};
            CREATE TABLE pegawai (id serial PRIMARY KEY, nama text NOT NULL, gaji integer);
            INSERT INTO pegawai (nama, gaji) SELECT 'Pegawai ' || n, n * 1000 FROM generate_series(1, 5000) n;
            CREATE TABLE mutasi (id bigserial PRIMARY KEY, pegawai integer NOT NULL REFERENCES pegawai, jumlah integer);
            CREATE TABLE arsip AS SELECT n, repeat(md5(n::text), 32768) FROM generate_series(1, {FILLER}) n;
            CREATE VIEW bergaji AS SELECT nama FROM pegawai WHERE gaji > 0;
            CREATE FUNCTION bersih() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                NEW.nama := trim(NEW.nama); RETURN NEW; END $$;
            CREATE TRIGGER dibersihkan BEFORE INSERT ON pegawai FOR EACH ROW EXECUTE FUNCTION bersih();
            """,
            DATABASE,
        )

    def add_accounts(self) -> None:
        """See MachineEngine.add_accounts."""
        for statements in documented(self.page, "sql"):
            self.run(statements)
        quoted = PASSWORDS["simpel-restore"].replace("'", "''")
        self.run(f"ALTER ROLE pulih_restore PASSWORD '{quoted}'")
        rules, names = documented(self.page, "")
        configuration = self.machine.inside("/etc/postgresql/15/main")
        before = (configuration / "pg_hba.conf").read_text()
        after = re.sub(r"^(?=local\s+all\s+all\s+peer$)", rules, before, flags=re.M)
        assert before != after
        (configuration / "pg_hba.conf").write_text(after)
        with (configuration / "pg_ident.conf").open("a") as file:
            file.write(names)
        self.machine.systemctl("reload", "postgresql")

    def run(self, statements: str, database: str = "postgres") -> list[tuple[str, ...]]:
        """See MachineEngine.run."""
        words = ["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", f"--dbname={database}"]
        said = self.machine.run("psql", *words, user="postgres", stdin=statements)
        return [tuple(line.split("\t")) for line in said.splitlines()]

    def client(self) -> list[str]:
        """See MachineEngine.client."""
        place = f"host=127.0.0.1 user={OWNER} dbname={DATABASE} passfile={CREDENTIALS}/pgpass"
        return ["/usr/bin/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", place]

    def rows(self, database: str) -> list[tuple[str, ...]]:
        """See MachineEngine.rows."""
        closed = not self.databases()[database]
        if closed:
            self.run(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')
        try:
            return self.run("SELECT * FROM pegawai ORDER BY id; SELECT * FROM mutasi ORDER BY id", database)
        finally:
            if closed:
                self.run(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')

    def databases(self) -> dict[str, bool]:
        """See MachineEngine.databases."""
        found = self.run("SELECT datname, datallowconn FROM pg_database WHERE oid >= 16384")
        return {name: opened == "t" for name, opened in found}


class MariadbThere(_Engine):
    """MariaDB, as Debian's package leaves it."""

    kind, page, dumps = "mariadb", "mariadb.md", "mariadb-dump"

    def start(self) -> None:
        """See MachineEngine.start."""
        self.machine.systemctl("unmask", "mariadb")
        self.machine.systemctl("start", "mariadb")
        self.run(f"CREATE USER {OWNER}@localhost IDENTIFIED BY '{PASSWORDS['owner']}'")
        self.run(f"CREATE DATABASE {DATABASE}; GRANT ALL ON {DATABASE}.* TO {OWNER}@localhost")
        text = f"[client]\npassword={PASSWORDS['owner']}\n"
        self.machine.write(f"{CREDENTIALS}/client.cnf", text, mode=0o600, user=ACCOUNT)
        self.run(
            f"""
            CREATE TABLE pegawai (id int AUTO_INCREMENT PRIMARY KEY, nama varchar(120) NOT NULL, gaji int, KEY (nama));
            INSERT INTO pegawai (nama, gaji) SELECT CONCAT('Pegawai ', seq), seq * 1000 FROM seq_1_to_5000;
            CREATE TABLE mutasi (id bigint AUTO_INCREMENT PRIMARY KEY, pegawai int NOT NULL REFERENCES pegawai (id),
                jumlah int);
            CREATE TABLE arsip AS SELECT seq, REPEAT(MD5(seq), 32768) FROM seq_1_to_{FILLER};
            CREATE DEFINER={OWNER}@localhost VIEW bergaji AS SELECT nama FROM pegawai WHERE gaji > 0;
            CREATE DEFINER={OWNER}@localhost TRIGGER dibersihkan BEFORE INSERT ON pegawai FOR EACH ROW
                SET NEW.nama = TRIM(NEW.nama);
            """,
            DATABASE,
        )

    def add_accounts(self) -> None:
        """See MachineEngine.add_accounts."""
        for block, password in zip(documented(self.page, "sql"), ("simpel-backup", "simpel-restore"), strict=True):
            quoted = PASSWORDS[password].replace("\\", "\\\\").replace("'", "''")
            assert "'…'" in block
            self.run(block.replace("'…'", f"'{quoted}'"))

    def run(self, statements: str, database: str = "") -> list[tuple[str, ...]]:
        """See MachineEngine.run."""
        words = ["--batch", "--skip-column-names", f"--database={database}"]
        said = self.machine.run("mariadb", *words, stdin=statements)
        return [tuple(line.split("\t")) for line in said.splitlines()]

    def client(self) -> list[str]:
        """See MachineEngine.client."""
        options = [f"--defaults-file={CREDENTIALS}/client.cnf", f"--user={OWNER}", f"--database={DATABASE}"]
        return ["/usr/bin/mariadb", *options, "--batch", "--skip-column-names", "--unbuffered"]

    def rows(self, database: str) -> list[tuple[str, ...]]:
        """See MachineEngine.rows."""
        return self.run("SELECT * FROM pegawai ORDER BY id; SELECT * FROM mutasi ORDER BY id", database)

    def databases(self) -> dict[str, bool]:
        """See MachineEngine.databases; here all are open."""
        own = ("information_schema", "mysql", "performance_schema", "sys")
        return {name: True for (name,) in self.run("SHOW DATABASES") if name not in own}


ENGINES: dict[str, type[PostgresqlThere] | type[MariadbThere]] = {
    "postgresql": PostgresqlThere,
    "mariadb": MariadbThere,
}
