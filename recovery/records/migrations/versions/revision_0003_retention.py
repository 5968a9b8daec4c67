"""Sets can be destroyed: a state of backups, what became of each set that was to go, and holds that keep sets."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATES = "state IN ('staged', 'verified', 'named', 'secured', 'failed', 'destroyed')"


def upgrade() -> None:
    """Let backups be destroyed, and add both tables. What earlier releases read and write stays as it is."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_backups_state"), "backups", type_="check")
        op.create_check_constraint(op.f("ck_backups_state"), "backups", STATES)
    else:
        # SQLite cannot change a constraint: the table is written anew, in this same transaction. Checks are not
        # carried over, so the old one is gone.
        with op.batch_alter_table("backups", recreate="always") as batch:
            batch.create_check_constraint(op.f("ck_backups_state"), STATES)
    op.create_table(
        "destructions",
        sa.Column("procedure_id", sa.Text(), nullable=False),
        sa.Column("backup_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("objects", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('begun', 'destroyed', 'skipped')", name=op.f("ck_destructions_state")),
        sa.ForeignKeyConstraint(["procedure_id"], ["procedures.id"], name=op.f("fk_destructions_procedure_id")),
        sa.PrimaryKeyConstraint("procedure_id", "backup_id", name=op.f("pk_destructions")),
    )
    op.create_index(op.f("ix_destructions_backup_id"), "destructions", ["backup_id"], unique=False)
    op.create_table(
        "holds",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("application", sa.Text(), nullable=False),
        sa.Column("component", sa.Text(), server_default="", nullable=False),
        sa.Column("backup_id", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("added_at", sa.Text(), nullable=False),
        sa.Column("removed_at", sa.Text(), nullable=True),
        sa.Column("removal_reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
