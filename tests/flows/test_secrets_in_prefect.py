"""Whoever reads the Prefect server's database learns no secret of the installation."""

import base64
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice
    from tests.testbed.postgresql import PostgreSQLServer

pytestmark = pytest.mark.slow


def test_no_secret_is_in_the_servers_database_or_logs(
    office: "WorkingOffice", reviewed_backup: str, prefect_database: "PostgreSQLServer"
) -> None:
    """Every row of every table, blocks in clear, and the logs of server and worker; after all runs of this session."""
    import psycopg
    from psycopg import sql

    secrets = installation_secrets(office)
    texts = {path.name: path.read_text(errors="replace") for path in office.server.home.glob("*.log")}
    texts["blocks"] = str(office.get("POST", "/block_documents/filter", {"include_secrets": True, "limit": 200}))
    with psycopg.connect(
        host=str(prefect_database.directory), user=prefect_database.user, dbname="prefect"
    ) as database:
        tables = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            query = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(table))
            texts[table] = "\n".join(row for (row,) in database.execute(query))
    # The search finds what is there: the run's parameters, and a reference to a key.
    assert any(reviewed_backup in text for text in texts.values())
    assert office.installation.keys.signing_key in texts["blocks"]
    found = [(place, name) for place, text in texts.items() for name, secret in secrets.items() if secret in text]
    assert [] == found


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
