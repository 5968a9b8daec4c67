"""Alembic's environment: runs the migrations on the connection, and inside the transaction, that it was given."""

from alembic import context

from recovery.records.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # Alembic thinks that SQLite cannot undo DDL; with our explicit BEGIN IMMEDIATE it can.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
