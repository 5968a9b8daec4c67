"""Decisions carry a seal, so that whoever writes into the catalog cannot decide in an official's name."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the seal. What was decided before has none and allows nothing more: such a request is made anew."""
    op.add_column("decisions", sa.Column("seal", sa.Text(), server_default="", nullable=False))
