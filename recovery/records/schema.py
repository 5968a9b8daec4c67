"""Tables of the catalog, as SQLAlchemy Core. Migrations create them; this module only describes the newest schema.

Times are UTC ISO 8601 text with microseconds (they compare as text), structured values are canonical JSON text, so
that both dialects hold exactly the same and what was hashed is what is stored. An empty text means "not set" where a
column is not nullable.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

# All migrations, oldest first: known here so that looking at a catalog needs no Alembic.
REVISIONS = ("0001", "0002", "0003")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def timestamp(moment: datetime | None = None) -> str:
    """Given an aware time (default: now), return the text by which it is kept: UTC, microseconds, "+00:00".

    Raises ValueError for a time without a zone, which could be seven hours off.
    """
    if moment is None:
        moment = datetime.now(UTC)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone is not recorded")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


procedures = Table(
    "procedures",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("application", Text, nullable=False, server_default=""),
    Column("schedule", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),
    Column("outcome", Text, nullable=False, server_default=""),
    Column("release", Text, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("cites", Text, nullable=False, server_default=""),
    Column("opened_at", Text, nullable=False),
    Column("closed_at", Text),
    _one_of("state", "open", "closed"),
)
# One open restore of an application, whatever the code forgets to ask.
Index(
    "uq_procedures_open_restore",
    procedures.c.application,
    unique=True,
    sqlite_where=text("kind = 'restore' AND state = 'open'"),
    postgresql_where=text("kind = 'restore' AND state = 'open'"),
)

steps = Table(
    "steps",
    metadata,
    Column("procedure_id", Text, ForeignKey("procedures.id"), primary_key=True),
    Column("step_id", Text, primary_key=True),
    Column("component", Text, primary_key=True, server_default=""),
    Column("state", Text, nullable=False),
    Column("opened_at", Text, nullable=False),
    Column("deadline", Text),
    Column("ended_at", Text),
    Column("evidence", Text),
    Column("error", Text, nullable=False, server_default=""),
    Column("tries", Integer, nullable=False, server_default="0"),
    _one_of("state", "open", "done", "failed"),
)

backups = Table(
    "backups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("procedure_id", Text, ForeignKey("procedures.id"), nullable=False, index=True),
    Column("application", Text, nullable=False),
    Column("component", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("moment", Text, nullable=False),
    Column("name", Text, unique=True),
    Column("staging", Text, nullable=False, server_default=""),
    Column("facts", Text, nullable=False, server_default="{}"),
    Column("verdict", Text, nullable=False, server_default=""),
    Column("manifest_sha256", Text, nullable=False, server_default=""),
    Column("stores", Text, nullable=False, server_default="[]"),
    Column("retention_until", Text),
    Column("created_at", Text, nullable=False),
    _one_of("state", "staged", "verified", "named", "secured", "failed", "destroyed"),
    Index("ix_backups_application_component_moment", "application", "component", "moment"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("procedure_id", Text, nullable=False, server_default=""),
    Column("step_id", Text, nullable=False, server_default=""),
    Column("component", Text, nullable=False, server_default=""),
    Column("facts", Text, nullable=False),
    Column("previous", Text, nullable=False, unique=True),
    Column("hash", Text, nullable=False, unique=True),
    Index("ix_ledger_procedure_id", "procedure_id"),
)

officials = Table(
    "officials",
    metadata,
    Column("nip", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("position", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("acting", Text, nullable=False, server_default=""),
    Column("valid_from", Text, nullable=False, server_default=""),
    Column("valid_until", Text, nullable=False, server_default=""),
    Column("contact", Text, nullable=False, server_default=""),
    Column("secret", LargeBinary),
    Column("enrolled_at", Text),
    Column("revoked_at", Text),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("locked_until", Text),
)

burnt_codes = Table(
    "burnt_codes",
    metadata,
    Column("nip", Text, ForeignKey("officials.nip"), primary_key=True),
    Column("time_step", Integer, primary_key=True, autoincrement=False),
)

approval_requests = Table(
    "approval_requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("procedure_id", Text, ForeignKey("procedures.id"), nullable=False),
    Column("step_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("key", Text, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("excluded", Text, nullable=False, server_default="{}"),
    Column("choices", Text, nullable=False),
    Column("refusals", Text, nullable=False, server_default="[]"),
    Column("opened_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("complaint", Text, nullable=False, server_default=""),
    UniqueConstraint("procedure_id", "step_id", "attempt"),
    _one_of("state", "open", "decided", "refused", "expired"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("request_id", Text, ForeignKey("approval_requests.id"), primary_key=True),
    Column("procedure_id", Text, nullable=False),
    Column("step_id", Text, nullable=False),
    Column("nip", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("answers", Text, nullable=False, server_default="{}"),
    Column("method", Text, nullable=False),
    Column("submitted_at", Text, nullable=False),
    Column("recorded_at", Text, nullable=False),
    Column("time_step", Integer),
    Column("request_hash", Text, nullable=False),
    Column("binding", Text, nullable=False, server_default="{}"),
    Column("seal", Text, nullable=False, server_default=""),
    Index("ix_decisions_procedure_id_step_id", "procedure_id", "step_id"),
)

leases = Table(
    "leases",
    metadata,
    Column("resource", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("token", Integer, nullable=False),
    Column("taken_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("purpose", Text, nullable=False, server_default=""),
)

swaps = Table(
    "swaps",
    metadata,
    Column("procedure_id", Text, ForeignKey("procedures.id"), primary_key=True),
    Column("component", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("receipt", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    _one_of("state", "prepared", "swapping", "swapped", "undoing", "undone", "kept"),
)

number_sequences = Table(
    "number_sequences",
    metadata,
    Column("series", Text, primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("last", Integer, nullable=False),
)

forms = Table(
    "forms",
    metadata,
    Column("number", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("procedure_id", Text, ForeignKey("procedures.id"), nullable=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("facts", Text, nullable=False),
    Column("pdf_sha256", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    UniqueConstraint("kind", "procedure_id", "version"),
)

notices = Table(
    "notices",
    metadata,
    Column("id", Text, primary_key=True),
    Column("procedure_id", Text, nullable=False, index=True),
    Column("step_id", Text, nullable=False, server_default=""),
    Column("recipient", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("sent_at", Text, nullable=False),
    Column("delivered", Boolean, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
)

receipt_codes = Table(
    "receipt_codes",
    metadata,
    Column("procedure_id", Text, ForeignKey("procedures.id"), primary_key=True),
    Column("salt", Text, nullable=False),
    Column("code_hash", Text, nullable=False),
    Column("issued_at", Text, nullable=False),
    Column("used_at", Text),
)

# What became of each set that an approved plan names. `objects`: which keys of which store are removed.
destructions = Table(
    "destructions",
    metadata,
    Column("procedure_id", Text, ForeignKey("procedures.id"), primary_key=True),
    Column("backup_id", Text, primary_key=True, index=True),
    Column("state", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("objects", Text, nullable=False),
    Column("begun_at", Text, nullable=False),
    Column("ended_at", Text),
    _one_of("state", "begun", "destroyed", "skipped"),
)

# A hold is on an application, on one of its components, or on one backup.
holds = Table(
    "holds",
    metadata,
    Column("id", Text, primary_key=True),
    Column("application", Text, nullable=False),
    Column("component", Text, nullable=False, server_default=""),
    Column("backup_id", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False),
    Column("added_at", Text, nullable=False),
    Column("removed_at", Text),
    Column("removal_reason", Text, nullable=False, server_default=""),
)
