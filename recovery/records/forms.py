"""Forms: every form that was filled in, with its number, its facts and the hash of its PDF."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from recovery.canonical import canonical_json, digest
from recovery.errors import ConflictError, NotFoundError
from recovery.records import ledger, schema


@dataclass(frozen=True)
class Form:
    """A form as recorded. A corrected form is a new version with a number of its own; the earlier one stays."""

    number: str
    kind: str
    procedure_id: str
    version: int
    facts: dict[str, Any]
    pdf_sha256: str
    path: str
    created_at: str


def store_form(
    connection: Connection,
    *,
    number: str,
    kind: str,
    procedure_id: str,
    facts: dict[str, Any],
    pdf_sha256: str,
    path: str,
) -> Form:
    """Given a rendered form, record it as the next version of its kind for the procedure, and return it.

    The ledger entry names the form by its number and hashes. Raises ConflictError when the number is taken.
    """
    if find(connection, number) is not None:
        raise ConflictError(
            f"the form number {number} is taken",
            state="the earlier form is untouched",
            hint="numbers are given by the records alone; do not write them by hand",
        )
    form = Form(
        number=number,
        kind=kind,
        procedure_id=procedure_id,
        version=_next_version(connection, kind, procedure_id),
        facts=facts,
        pdf_sha256=pdf_sha256,
        path=path,
        created_at=schema.timestamp(),
    )
    row = {**vars(form), "facts": canonical_json(facts).decode()}
    connection.execute(insert(schema.forms).values(row))
    hashes = {"number": number, "kind": kind, "version": form.version, "pdf_sha256": pdf_sha256}
    ledger.append(connection, "form.stored", {**hashes, "facts_sha256": digest(facts)}, procedure_id=procedure_id)
    return form


def get(connection: Connection, number: str) -> Form:
    """Given a number, return the form. Raises NotFoundError."""
    form = find(connection, number)
    if form is None:
        raise NotFoundError(f"no form has the number {number!r}", hint="copy the number as it is printed on the form")
    return form


def find(connection: Connection, number: str) -> Form | None:
    """Given a number, return the form; None when there is none."""
    row = connection.execute(select(schema.forms).where(schema.forms.c.number == number)).one_or_none()
    return _form(row) if row else None


def list_forms(connection: Connection, procedure_id: str) -> list[Form]:
    """Given a procedure, return its forms by kind and version."""
    table = schema.forms
    query = select(table).where(table.c.procedure_id == procedure_id).order_by(table.c.kind, table.c.version)
    return [_form(row) for row in connection.execute(query)]


def _next_version(connection: Connection, kind: str, procedure_id: str) -> int:
    table = schema.forms
    this = (table.c.kind == kind) & (table.c.procedure_id == procedure_id)
    return int(connection.execute(select(func.coalesce(func.max(table.c.version), 0)).where(this)).scalar_one()) + 1


def _form(row: Row[Any]) -> Form:
    fields = dict(row._mapping)
    return Form(**{**fields, "facts": json.loads(fields["facts"])})
