"""Alembic's environment: runs the migrations on the connection, and inside the transaction, that it was given.

Both databases undo what such a transaction created, tables included, and Alembic ends no transaction that it did not
begin.
"""

from alembic import context

from recovery.records.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
)
with context.begin_transaction():
    context.run_migrations()
