"""The ledger: appended to by several processes at once, and every later change of it is found and named."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, select, text, update

from recovery.canonical import canonical_json
from recovery.crypto import Signer, generate_signing_key
from recovery.errors import LedgerError, ObjectExistsError, RecordsError, SignatureError
from recovery.records import ledger, ledger_heads, schema
from recovery.records.catalog import Catalog, open_catalog
from recovery.records.ledger import Head
from recovery.settings import StoreSettings
from recovery.stores import open_store
from recovery.stores.base import Store
from tests.recovery.records.workers import append_fifty, run_together


def _append_some(catalog: Catalog, count: int) -> None:
    with catalog.begin() as connection:
        for number in range(1, count + 1):
            ledger.append(connection, "test", {"number": number}, procedure_id=f"p{number}")


def _verify(catalog: Catalog, heads: list[Head] | None = None) -> list[str]:
    with catalog.read() as connection:
        return ledger.verify(connection, heads or [])


def _head(catalog: Catalog) -> Head:
    with catalog.read() as connection:
        return ledger.head(connection)


def _rows(connection: Connection) -> list[dict[str, Any]]:
    query = select(schema.ledger).order_by(schema.ledger.c.sequence)
    return [{str(name): value for name, value in row._mapping.items()} for row in connection.execute(query)]


def _tamper(catalog: Catalog, *statements: Any) -> None:
    """Change the ledger as an administrator could: without the triggers."""
    with catalog.begin() as connection:
        if catalog.dialect == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            connection.execute(text("DROP TRIGGER IF EXISTS ledger_no_update"))
            connection.execute(text("DROP TRIGGER IF EXISTS ledger_no_delete"))
        for statement in statements:
            if isinstance(statement, str):
                connection.exec_driver_sql(statement)
            else:
                connection.execute(statement)


def test_an_empty_ledger_is_intact(catalog: Catalog) -> None:
    """Its head is number 0 with 64 zeros."""
    assert _verify(catalog) == []
    assert _head(catalog) == Head(0, "0" * 64)


def test_an_entry_hash_is_what_an_auditor_computes_from_the_row(catalog: Catalog) -> None:
    """The rule of docs: SHA-256 of the canonical JSON of the entry with the hash before it."""
    with catalog.begin() as connection:
        ledger.append(connection, "first", {})
        returned = ledger.append(
            connection, "second", {"b": 1, "a": "ä"}, procedure_id="p", step_id="backup.1", component="a/b"
        )
    with catalog.read() as connection:
        first, second = connection.execute(select(schema.ledger).order_by(schema.ledger.c.sequence)).all()
    spelled = (
        f'{{"at":"{second.at}","component":"a/b","facts":{{"a":"ä","b":1}},"kind":"second",'
        f'"previous":"{first.hash}","procedure_id":"p","sequence":2,"step_id":"backup.1"}}'
    )
    assert returned == second.hash == hashlib.sha256(spelled.encode()).hexdigest()
    assert second.facts == '{"a":"ä","b":1}'
    assert first.previous == "0" * 64
    assert _head(catalog) == Head(2, second.hash)


def test_an_entry_is_rolled_back_with_its_change(catalog: Catalog) -> None:
    """Evidence, change and entry are one transaction; the chain has no hole afterwards."""
    _append_some(catalog, 1)
    with pytest.raises(KeyError), catalog.begin() as connection:
        ledger.append(connection, "never", {})
        raise KeyError("x")
    _append_some(catalog, 1)
    assert _head(catalog).sequence == 2
    assert _verify(catalog) == []


def test_facts_that_two_programs_may_write_differently_are_refused(catalog: Catalog) -> None:
    """A float, for one."""
    with pytest.raises(TypeError, match="canonical JSON does not hold"), catalog.begin() as connection:
        ledger.append(connection, "test", {"duration": 0.1})


def test_four_processes_append_at_once_and_nothing_is_lost(catalog_url: str) -> None:
    """One chain, every entry in it, each worker's entries in its order, nobody turned away."""
    assert run_together(append_fifty, catalog_url) == [0, 0, 0, 0]
    catalog = open_catalog(catalog_url)
    assert _verify(catalog) == []
    with catalog.read() as connection:
        rows = connection.execute(select(schema.ledger.c.facts).order_by(schema.ledger.c.sequence)).scalars().all()
    facts = [json.loads(row) for row in rows]
    for worker in range(4):
        assert [fact["number"] for fact in facts if fact["worker"] == worker] == list(range(50))
    assert len(facts) == 200
    catalog.dispose()


def test_a_second_writer_outside_begin_cannot_fork_the_chain(postgresql_url: str) -> None:
    """append() takes the writer's lock itself: a connection that came another way waits too."""
    catalog, other = open_catalog(postgresql_url), open_catalog(postgresql_url)
    with catalog.begin() as connection:
        ledger.append(connection, "first", {})
        with pytest.raises(RecordsError, match="was kept by another process"), other._connect({}) as outsider:
            outsider.execute(text("SET LOCAL lock_timeout = '100ms'"))
            ledger.append(outsider, "fork", {})
    assert _verify(catalog) == []
    catalog.dispose()
    other.dispose()


@pytest.mark.parametrize(
    ("statements", "findings"),
    [
        (
            ["UPDATE ledger SET facts = '{\"number\":7}' WHERE sequence = 3"],
            ["entry 3 was changed: its content does not give its hash"],
        ),
        (
            ["UPDATE ledger SET facts = 'no JSON' WHERE sequence = 3"],
            ["entry 3 was changed: its content does not give its hash"],
        ),
        (
            ["UPDATE ledger SET facts = '{ \"number\":3}' WHERE sequence = 3"],
            ["entry 3 was changed: its content does not give its hash"],
        ),
        (["DELETE FROM ledger WHERE sequence = 3"], ["entry 3 is missing"]),
        (["DELETE FROM ledger WHERE sequence IN (1, 2)"], ["entries 1 to 2 are missing"]),
        (
            # One by one: a number is taken while another row still has it.
            [
                "DELETE FROM ledger WHERE sequence = 3",
                "UPDATE ledger SET sequence = 3 WHERE sequence = 4",
                "UPDATE ledger SET sequence = 4 WHERE sequence = 5",
            ],
            [
                "entry 3 does not continue entry 2: one of them was changed, inserted or moved",
                "entry 3 was changed: its content does not give its hash",
                "entry 4 was changed: its content does not give its hash",
            ],
        ),
        (
            ["INSERT INTO ledger SELECT 0, at, kind, '', '', '', facts, 'x', 'y' FROM ledger WHERE sequence = 1"],
            [
                "entry 0 was inserted before the first",
                "entry 0 was changed: its content does not give its hash",
                "entry 1 does not continue entry 0: one of them was changed, inserted or moved",
            ],
        ),
    ],
)
def test_the_finding_names_the_entry(catalog: Catalog, statements: list[str], findings: list[str]) -> None:
    """An auditor must know where to look."""
    _append_some(catalog, 5)
    _tamper(catalog, *statements)
    assert _verify(catalog) == findings


def test_a_cut_end_is_found_by_a_head(catalog: Catalog) -> None:
    """The chain alone cannot know that it was longer."""
    _append_some(catalog, 5)
    head = _head(catalog)
    assert _verify(catalog, [head]) == []
    _tamper(catalog, "DELETE FROM ledger WHERE sequence > 3")
    assert _verify(catalog) == []
    assert _verify(catalog, [head]) == ["entry 5 was signed into a store but is missing: the ledger ends at entry 3"]


def _rewrite(catalog: Catalog, change: Any) -> None:
    """Write the whole ledger anew with a change in it and every hash recomputed."""
    with catalog.read() as connection:
        rows = _rows(connection)
    change(rows)
    previous = "0" * 64
    for row in rows:
        row["previous"] = previous
        hashed = {name: row[name] for name in row if name != "hash"} | {"facts": json.loads(row["facts"])}
        previous = row["hash"] = hashlib.sha256(canonical_json(hashed)).hexdigest()
    _tamper(catalog, delete(schema.ledger), *(insert(schema.ledger).values(row) for row in rows))


def test_a_ledger_that_was_written_anew_is_found_by_a_head(catalog: Catalog) -> None:
    """Whoever recomputes every hash has a perfect chain, and contradicts the store."""
    _append_some(catalog, 5)
    head = _head(catalog)
    _rewrite(catalog, lambda rows: rows[1].update(kind="other"))
    assert _verify(catalog) == []
    assert _verify(catalog, [head]) == ["entry 5 is not the one whose hash was signed into a store"]
    assert _verify(catalog, [Head(0, "f" * 64)]) == ["a store holds a head for entry 0, which never exists"]


COLUMNS = ("at", "kind", "procedure_id", "step_id", "component", "facts", "previous", "hash")


@pytest.fixture(scope="module")
def long_lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Catalog, list[dict[str, Any]]]]:
    """A ledger on SQLite without triggers, and its rows, for many examples."""
    catalog = open_catalog(f"sqlite:///{tmp_path_factory.mktemp('ledger')}/catalog.sqlite")
    catalog.upgrade()
    _append_some(catalog, 6)
    _tamper(catalog)
    with catalog.read() as connection:
        rows = _rows(connection)
    yield catalog, rows
    catalog.dispose()


@st.composite
def tampering(draw: st.DrawFn) -> tuple[str, list[Any]]:
    """One way of changing a ledger of six entries: what it is, and its parameters."""
    kind = draw(st.sampled_from(["edit", "edit and rehash", "remove", "insert", "swap", "move"]))
    entry = draw(st.integers(0, 5))
    other = draw(st.integers(0, 5).filter(lambda number: number != entry))
    column = draw(st.sampled_from(COLUMNS))
    value = draw(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=80))
    return kind, [entry, other, column, value]


def _apply(rows: list[dict[str, Any]], kind: str, parameters: list[Any]) -> list[dict[str, Any]]:
    entry, other, column, value = parameters
    changed = [dict(row) for row in rows]
    match kind:
        case "edit":
            changed[entry][column] = value
        case "edit and rehash":
            changed[entry]["kind"] = value
            fields = {name: item for name, item in changed[entry].items() if name != "hash"}
            fields["facts"] = json.loads(fields["facts"])
            changed[entry]["hash"] = hashlib.sha256(canonical_json(fields)).hexdigest()
        case "remove":
            del changed[entry]
            if value:
                # Also with the gap closed.
                for number, row in enumerate(changed, start=1):
                    row["sequence"] = number
        case "insert":
            forged = {**changed[entry], "kind": value, "hash": value.ljust(64, "f"), "previous": value.ljust(64, "e")}
            changed.insert(entry, forged)
            for number, row in enumerate(changed, start=1):
                row["sequence"] = number
        case "swap":
            changed[entry], changed[other] = changed[other], changed[entry]
            for number, row in enumerate(changed, start=1):
                row["sequence"] = number
        case "move":
            changed[entry]["sequence"] = 7 + other
    return changed


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tampering())
def test_any_single_change_is_found(
    long_lived: tuple[Catalog, list[dict[str, Any]]], change: tuple[str, list[Any]]
) -> None:
    """Edited (also with its own hash recomputed), removed, inserted, swapped, renumbered: the head in a store knows."""
    catalog, rows = long_lived
    changed = _apply(rows, *change)
    head = Head(rows[-1]["sequence"], rows[-1]["hash"])
    with pytest.raises(_UndoneError), catalog.begin() as connection:
        connection.execute(delete(schema.ledger))
        if changed:
            connection.execute(insert(schema.ledger), changed)
        findings = ledger.verify(connection, [head])
        assert (findings != []) == (changed != rows), findings
        raise _UndoneError
    assert _verify(catalog, [head]) == []


class _UndoneError(Exception):
    """Raised to roll an example back."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A directory store."""
    (tmp_path / "store").mkdir()
    return open_store(StoreSettings(name="utama", path=str(tmp_path / "store")))


@pytest.fixture
def signer() -> Signer:
    """A signing key."""
    return Signer.from_pem(generate_signing_key(), "file:/key")


def test_a_head_is_signed_into_the_store_once(catalog: Catalog, store: Store, signer: Signer) -> None:
    """Called again after a crash it changes nothing."""
    assert ledger_heads.anchor(catalog, store, signer) == Head(0, "0" * 64)
    assert ledger_heads.read_heads(store, signer.public_pem) == []
    _append_some(catalog, 3)
    first = ledger_heads.anchor(catalog, store, signer)
    assert ledger_heads.anchor(catalog, store, signer) == first == _head(catalog)
    _append_some(catalog, 2)
    second = ledger_heads.anchor(catalog, store, signer)
    keys = sorted(item.key for item in store.list("buku-besar/"))
    assert keys == [
        "buku-besar/000000000003.json",
        "buku-besar/000000000003.json.sig",
        "buku-besar/000000000005.json",
        "buku-besar/000000000005.json.sig",
    ]
    assert ledger_heads.read_heads(store, signer.public_pem) == [first, second]
    assert _verify(catalog, [first, second]) == []
    content = json.loads(store.read("buku-besar/000000000003.json"))
    assert {name: content[name] for name in ("format", "sequence", "hash")} == {
        "format": 1,
        "sequence": 3,
        "hash": first.hash,
    }


def test_a_head_that_contradicts_the_store_is_refused(catalog: Catalog, store: Store, signer: Signer) -> None:
    """A rewritten ledger cannot be anchored over what the store holds."""
    _append_some(catalog, 3)
    first = ledger_heads.anchor(catalog, store, signer)
    _rewrite(catalog, lambda rows: rows[0].update(kind="other"))
    with pytest.raises(LedgerError) as caught:
        ledger_heads.anchor(catalog, store, signer)
    assert str(caught.value) == (
        "the store utama already holds another head for entry 3 of the ledger; the head in the store is untouched\n"
        "HINT: the ledger was rewritten, or the signing key was changed since; run `pulih ledger verify`"
    )
    assert ledger_heads.read_heads(store, signer.public_pem) == [first]


@pytest.mark.parametrize("suffix", [".json", ".json.sig", "copied", "large"])
def test_what_somebody_put_in_the_place_of_a_head_is_no_head(
    catalog: Catalog, store: Store, signer: Signer, suffix: str
) -> None:
    """The number that comes is known to everybody: the store lacks that head, and nothing else follows from it."""
    _append_some(catalog, 3)
    ledger_heads.anchor(catalog, store, signer)
    _append_some(catalog, 1)
    if suffix == "copied":
        for each in (".json", ".json.sig"):
            store.put_bytes(f"buku-besar/000000000004{each}", store.read(f"buku-besar/000000000003{each}"))
    elif suffix == "large":
        store.put_bytes("buku-besar/000000000004.json.sig", bytes((16 << 20) + 1))
    else:
        store.put_bytes(f"buku-besar/000000000004{suffix}", b"x")
    with pytest.raises(ObjectExistsError) as caught:
        ledger_heads.anchor(catalog, store, signer)
    assert str(caught.value) == (
        "in the store utama something that this installation did not sign lies in the place of the head for entry 4 of "
        "the ledger; it is untouched, and the store lacks that head\n"
        "HINT: somebody has that store's credentials: change them, and tell the auditor"
    )
    _append_some(catalog, 1)
    assert 5 == ledger_heads.anchor(catalog, store, signer).sequence


def test_heads_that_were_put_by_somebody_else_are_refused(catalog: Catalog, store: Store, signer: Signer) -> None:
    """Without a signature, with another key's, or copied to another number."""
    _append_some(catalog, 3)
    ledger_heads.anchor(catalog, store, signer)
    other = Signer.from_pem(generate_signing_key(), "file:/other")
    with pytest.raises(SignatureError):
        ledger_heads.read_heads(store, other.public_pem)
    for suffix in (".json.sig", ".json"):
        store.put_bytes(f"buku-besar/000000000009{suffix}", store.read(f"buku-besar/000000000003{suffix}"))
    with pytest.raises(LedgerError, match=r"000000000009\.json holds the head of entry 3"):
        ledger_heads.read_heads(store, signer.public_pem)


def test_a_head_without_signature_is_refused(store: Store, signer: Signer) -> None:
    """anchor() puts the signature first, so a lone head is nobody's crash."""
    store.put_bytes("buku-besar/000000000001.json", b"{}")
    with pytest.raises(SignatureError, match=r"the ledger's head buku-besar/000000000001\.json has no signature"):
        ledger_heads.read_heads(store, signer.public_pem)


def test_a_signed_object_that_is_no_head_is_told(store: Store, signer: Signer) -> None:
    """Not a traceback."""
    store.put_bytes("buku-besar/000000000001.json.sig", signer.sign(b"{}"))
    store.put_bytes("buku-besar/000000000001.json", b"{}")
    with pytest.raises(LedgerError, match=r"the ledger's head buku-besar/000000000001\.json cannot be read"):
        ledger_heads.read_heads(store, signer.public_pem)


def test_the_newest_entries_are_returned_oldest_first(catalog: Catalog) -> None:
    """All of them, a procedure's, or a kind's; also one that is no JSON any more."""
    _append_some(catalog, 5)
    with catalog.begin() as connection:
        ledger.append(connection, "other", {}, procedure_id="p5", step_id="backup.1", component="a/b")
    _tamper(catalog, update(schema.ledger).where(schema.ledger.c.sequence == 4).values(facts="nonsense"))
    with catalog.read() as connection:
        newest = ledger.entries(connection, last=3)
        of_procedure = ledger.entries(connection, procedure_id="p5")
        of_kind = ledger.entries(connection, kind="other")
        assert _rows(connection)[-1] == {**newest[-1].to_json(), "facts": "{}"}
    assert [(4, "nonsense"), (5, {"number": 5}), (6, {})] == [(entry.sequence, entry.facts) for entry in newest]
    assert [5, 6] == [entry.sequence for entry in of_procedure]
    assert [6] == [entry.sequence for entry in of_kind]
