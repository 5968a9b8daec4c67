"""A search for an installation's secrets in all that its Prefect server keeps."""

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice
    from tests.testbed.postgresql import PostgreSQLServer


def require_no_secret(office: "WorkingOffice", database: "PostgreSQLServer") -> None:
    """Fail when whoever reads the server's database and logs learns a secret."""
    secrets = installation_secrets(office)
    texts = kept_by_server(office, database)
    found = [(place, name) for place, text in texts.items() for name, secret in secrets.items() if secret in text]
    assert [] == found, f"the Prefect server has kept {found}"


def kept_by_server(office: "WorkingOffice", database: "PostgreSQLServer") -> dict[str, str]:
    """Every row of every table, blocks in clear, and the logs of server and worker, by where they lie."""
    import psycopg
    from psycopg import sql

    texts = {path.name: path.read_text(errors="replace") for path in office.server.home.glob("*.log")}
    texts["blocks"] = str(office.get("POST", "/block_documents/filter", {"include_secrets": True, "limit": 200}))
    with psycopg.connect(host=str(database.directory), user=database.user, dbname="prefect") as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            query = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(table))
            texts[table] = "\n".join(row for (row,) in connection.execute(query))
    return texts


def installation_secrets(office: "WorkingOffice") -> dict[str, str]:
    """What must not be anywhere: keys, phones' secrets, and the receipt codes that nobody has used."""
    keys = office.small.root / "keys"
    secrets = {name: (keys / name).read_text().strip() for name in ("operations", "escrow", "enrolment")}
    pem = (keys / "signing").read_text().splitlines()
    secrets["signing"] = next(line for line in pem if not line.startswith("-"))
    secrets |= {f"phone of {nip}": secret for nip, secret in office.small.phones.items()}
    for nip, secret in office.small.phones.items():
        secrets[f"phone of {nip}, raw"] = base64.b32decode(secret).hex()
    marker = "Kode tanda terima (sekali pakai): "
    codes = [line.removeprefix(marker) for line in office.notices().splitlines() if line.startswith(marker)]
    # A code that a requester typed into the form stands in that form, burnt.
    secrets |= {f"receipt code {code}": code for code in codes if code not in office.used_receipt_codes}
    return secrets
