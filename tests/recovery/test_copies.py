"""Copies: which stores are to hold a set, which copy is read, and what one store that is down keeps people from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.copies import PASSED_OVER, put_into_every_store, read_a_good_copy, stores_of_schedule
from recovery.errors import DigestError, NotFoundError, StoreError, StoreFullError
from recovery.procedures.backup.begin import begin_backup
from recovery.records import ledger, procedures
from recovery.stores.base import Store
from tests.testbed.small_office import SmallOffice, open_office
from tests.testbed.two_stores import MAIN, OFFSITE, add_offsite_store, down, without_its_secrets


@pytest.fixture
def office(tmp_path: Path) -> Iterator[SmallOffice]:
    built = open_office(tmp_path / "office", running=False)
    add_offsite_store(built)
    yield built
    built.installation.catalog.dispose()


def passed_over(office: SmallOffice) -> list[tuple[str, str]]:
    with office.installation.catalog.read() as connection:
        found = ledger.entries(connection, kind=PASSED_OVER)
    return [(entry.facts["store"], entry.facts["used"]) for entry in found]


def test_the_schedule_of_today_names_the_stores_and_one_that_is_gone_those_of_its_day(office: SmallOffice) -> None:
    installation = office.installation
    begin_backup(installation, "one", schedule_name="bulanan", routine=True)
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, "one")
    monthly = installation.schedules["bulanan"]
    installation.schedules["bulanan"] = monthly.model_copy(update={"offsite_store": ""})
    assert (MAIN,) == stores_of_schedule(installation, procedure)
    del installation.schedules["bulanan"]
    assert (MAIN, OFFSITE) == stores_of_schedule(installation, procedure)


def test_the_first_copy_that_is_good_is_read_and_the_others_are_recorded(office: SmallOffice) -> None:
    def read(store: Store) -> str:
        if store.name == MAIN:
            raise StoreError("it is down")
        return store.name

    assert (OFFSITE, OFFSITE) == read_a_good_copy(office.installation, (MAIN, OFFSITE), read, name="x")
    assert [(MAIN, OFFSITE)] == passed_over(office)
    # A store that the inventory names no more is not asked, unless there is no other.
    assert (OFFSITE, OFFSITE) == read_a_good_copy(office.installation, ("lama", OFFSITE), read, name="x")
    with pytest.raises(NotFoundError, match="no store named 'lama'"):
        read_a_good_copy(office.installation, ("lama",), read, name="x")
    with pytest.raises(StoreError, match="it is down"):
        read_a_good_copy(office.installation, (MAIN,), read, name="x")
    assert [(MAIN, OFFSITE)] == passed_over(office)


@pytest.mark.parametrize("field", ["access_key", "ca_file"])
def test_a_store_whose_credentials_or_ca_are_missing_here_keeps_nobody_from_the_other_copy(
    office: SmallOffice, field: str
) -> None:
    """As after a rebuild: the credentials of the store from which nothing was rebuilt are gone."""
    installation = office.installation
    installation.store(OFFSITE).put_bytes("satu", b"isi")
    with without_its_secrets(installation, MAIN, field):
        found = read_a_good_copy(installation, (MAIN, OFFSITE), lambda store: store.read("satu"), name="x")
        assert (b"isi", OFFSITE) == found
        assert [MAIN] == list(put_into_every_store(installation, lambda store: store.put_bytes("dua", b"isi")))
        with pytest.raises(StoreError, match=r"/nonexistent/pulih.* the store was not asked\nHINT: put the "):
            read_a_good_copy(installation, (MAIN,), lambda store: store.read("satu"), name="x")
    assert [(MAIN, OFFSITE)] == passed_over(office)


def test_a_full_target_is_no_fault_of_the_copy(office: SmallOffice) -> None:
    asked: list[str] = []

    def read(store: Store) -> None:
        asked.append(store.name)
        raise StoreFullError("no room")

    with pytest.raises(StoreFullError, match="no room"):
        read_a_good_copy(office.installation, (MAIN, OFFSITE), read, name="x")
    assert [MAIN] == asked


def test_one_store_that_takes_something_is_enough_and_none_is_an_error(office: SmallOffice) -> None:
    def put(store: Store) -> None:
        store.put_bytes("satu", b"isi")

    with down(office.root / "store"):
        missed = put_into_every_store(office.installation, put)
        assert [MAIN] == list(missed)
        assert "is not there" in missed[MAIN].message
        with (
            down(office.root / "store-terpisah"),
            pytest.raises(StoreError, match="of the store terpisah is not there"),
        ):
            put_into_every_store(office.installation, put)
    assert {} == put_into_every_store(office.installation, put)


def test_a_store_that_holds_something_else_is_passed_over(office: SmallOffice) -> None:
    """No retry helps there. One that is down beside it may come back."""
    office.installation.store(OFFSITE).put_bytes("satu", b"lain")

    def put(store: Store) -> None:
        store.put_bytes("satu", b"isi")

    assert [OFFSITE] == list(put_into_every_store(office.installation, put))
    assert b"isi" == office.installation.store(MAIN).read("satu")
    with down(office.root / "store"), pytest.raises(StoreError, match="of the store utama is not there"):
        put_into_every_store(office.installation, put)
    office.installation.store(MAIN).put_bytes("dua", b"lain")
    office.installation.store(OFFSITE).put_bytes("dua", b"lain")
    missed = put_into_every_store(office.installation, lambda store: store.put_bytes("dua", b"isi"))
    assert [OFFSITE, MAIN] == list(missed)
    assert "already holds something else" in missed[MAIN].message


def test_a_store_that_gives_back_other_bytes_is_passed_over_and_all_of_them_are_an_error(office: SmallOffice) -> None:
    bad = {OFFSITE}

    def put(store: Store) -> None:
        if store.name in bad:
            raise DigestError("the part in it does not have the SHA-256 of the manifest")
        store.put_bytes("satu", b"isi")

    assert [OFFSITE] == list(put_into_every_store(office.installation, put))
    assert b"isi" == office.installation.store(MAIN).read("satu")
    bad.add(MAIN)
    with pytest.raises(DigestError, match="does not have the SHA-256"):
        put_into_every_store(office.installation, put)
