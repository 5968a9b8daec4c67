"""Forms of a rebuilt installation: fetched back from the store, and numbers that are taken are never given again."""

import hashlib
from pathlib import Path

from sqlalchemy import update

from recovery.durable import NewFile
from recovery.errors import ObjectUnreadableError
from recovery.installation import private_directory
from recovery.procedures.documents import form_key
from recovery.records import forms, numbers, schema
from recovery.records.catalog import Catalog
from recovery.settings import NumberPatterns
from recovery.stores.base import Store
from recovery.stores.one_object import read_one


def fetch_forms(store: Store, catalog: Catalog, keys: set[str], directory: Path, unproven: list[str]) -> int:
    """Given the keys of the forms in a store, put those that the catalog names into a directory; return how many.

    What is missing, is not what was issued, or is unknown to the catalog, is added to `unproven`. Raises StoreError.
    """
    with catalog.read() as connection:
        recorded = forms.list_all(connection)
    places: list[tuple[forms.Form, Path]] = []
    for form in recorded:
        key = form_key(form)
        content = _content(store, key) if key in keys else b""
        if hashlib.sha256(content).hexdigest() != form.pdf_sha256:
            unproven.append(f"form {form.number} version {form.version}: {key} is missing or not what was issued")
            continue
        path = directory / Path(key).relative_to("formulir")
        private_directory(path.parent)
        path.unlink(missing_ok=True)  # of a call that died
        with NewFile(path) as file:
            file.write(content)
            file.sync()
        places.append((form, path))
    unknown = sorted(keys - {form_key(form) for form in recorded})
    unproven += [f"{key}: a form of which the records know nothing" for key in unknown]
    _record(catalog, places, unknown)
    return len(places)


def _content(store: Store, key: str) -> bytes:
    try:
        return read_one(store, lambda: store.read(key))
    except ObjectUnreadableError:
        return b""  # no form is like that: somebody put it there


def _record(catalog: Catalog, places: list[tuple[forms.Form, Path]], unknown: list[str]) -> None:
    table = schema.forms
    taken = {(key.split("/")[1], key.split("/")[2]) for key in unknown if key.count("/") == 3}
    with catalog.begin() as connection:
        for form, path in places:
            row = (table.c.number == form.number) & (table.c.version == form.version)
            connection.execute(update(table).where(row).values(path=str(path)))
        for year in sorted({year for year, _number in taken if _is_year(year)}):
            # Of which series each is, only its text says: none of them gives one of these again.
            for series in NumberPatterns.model_fields:
                numbers.skip(connection, series, int(year), sum(each == year for each, _number in taken))


def _is_year(name: str) -> bool:
    """Whether a folder has the name of one in which forms lie: whoever may write can put any there."""
    return len(name) == 4 and name.isascii() and name.isdecimal()
