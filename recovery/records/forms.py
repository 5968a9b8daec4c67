"""Forms: every form that was filled in, with its number, its facts and the hash of its PDF."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select

from recovery.canonical import canonical_json, digest
from recovery.errors import ConflictError
from recovery.records import ledger, schema


@dataclass(frozen=True)
class Form:
    """A form as recorded. A form that gets a decision written on it is a new version with the same number, and so is a
    schedule that is drawn up anew."""

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
    version: int,
    facts: dict[str, Any],
    pdf_sha256: str,
    path: str,
) -> Form:
    """Given a rendered form, record this version of it for the procedure, and return it.

    The ledger entry names the form by its number and hashes. Raises ConflictError when the number belongs to another
    form, or the form of this kind has another number.
    """
    earlier = newest_version(connection, kind, procedure_id)
    holder = _first(connection, schema.forms.c.number == number)
    if holder is not None and holder != earlier:
        raise ConflictError(
            f"the form number {number} is taken",
            state="the earlier form is untouched",
            hint="numbers are given by the records alone; do not write them by hand",
        )
    if earlier is not None and (earlier.number != number or earlier.version >= version):
        raise ConflictError(
            f"the {kind} form of this procedure is {earlier.number} version {earlier.version} already",
            state="the earlier form is untouched",
            hint="versions of one form carry one number and only grow",
        )
    form = Form(
        number=number,
        kind=kind,
        procedure_id=procedure_id,
        version=version,
        facts=facts,
        pdf_sha256=pdf_sha256,
        path=path,
        created_at=schema.timestamp(),
    )
    row = {**vars(form), "facts": canonical_json(facts).decode()}
    connection.execute(insert(schema.forms).values(row))
    hashes = {"number": number, "kind": kind, "version": version, "pdf_sha256": pdf_sha256}
    ledger.append(connection, "form.stored", {**hashes, "facts_sha256": digest(facts)}, procedure_id=procedure_id)
    return form


def find_version(connection: Connection, kind: str, procedure_id: str, version: int) -> Form | None:
    """Given a procedure, return this version of its form of this kind; None when it was not issued."""
    table = schema.forms
    return _first(
        connection, (table.c.kind == kind) & (table.c.procedure_id == procedure_id) & (table.c.version == version)
    )


def latest(connection: Connection, kind: str, procedure_id: str) -> Form | None:
    """Given a procedure, return the newest version of its form of this kind; None when there is none."""
    return _first(connection, (schema.forms.c.kind == kind) & (schema.forms.c.procedure_id == procedure_id))


def by_number(connection: Connection, number: str, version: int) -> Form | None:
    """Given a form's number and version, return it; None when there is none."""
    return _first(connection, (schema.forms.c.number == number) & (schema.forms.c.version == version))


def newest_version(connection: Connection, kind: str, procedure_id: str) -> Form | None:
    """Given a procedure, return the newest version of its form of this kind, whoever issued it; None for none.

    A schedule is one form for all procedures that have drawn it up; any other form is its procedure's own.
    """
    if kind != "schedule":
        return latest(connection, kind, procedure_id)
    table = schema.procedures
    named = select(table.c.schedule).where(table.c.id == procedure_id).scalar_subquery()
    same = select(table.c.id).where((table.c.kind == kind) & (table.c.schedule == named))
    return _first(connection, (schema.forms.c.kind == kind) & schema.forms.c.procedure_id.in_(same))


def list_forms(connection: Connection, procedure_id: str) -> list[Form]:
    """Given a procedure, return its forms by kind and version."""
    table = schema.forms
    query = select(table).where(table.c.procedure_id == procedure_id).order_by(table.c.kind, table.c.version)
    return [_form(row) for row in connection.execute(query)]


def list_all(connection: Connection) -> list[Form]:
    """Return every version of every form, by number and version."""
    query = select(schema.forms).order_by(schema.forms.c.number, schema.forms.c.version)
    return [_form(row) for row in connection.execute(query)]


def _first(connection: Connection, condition: ColumnElement[bool]) -> Form | None:
    """The newest version that fits the condition."""
    query = select(schema.forms).where(condition).order_by(schema.forms.c.version.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return _form(row) if row else None


def _form(row: Row[Any]) -> Form:
    fields = dict(row._mapping)
    return Form(**{**fields, "facts": json.loads(fields["facts"])})
