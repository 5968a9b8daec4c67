"""pulih ledger finds what was changed, and prints entries."""

import shutil

from recovery.crypto import generate_signing_key
from tests.cli.conftest import Office, Pulih


def rewrite(office: Office, statement: str) -> None:
    """Change the ledger as an administrator of the database could."""
    with office.catalog.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER IF EXISTS ledger_no_update")
        connection.exec_driver_sql("DROP TRIGGER IF EXISTS ledger_no_delete")
        connection.exec_driver_sql(statement)


def test_an_intact_ledger_ends_with_0(pulih: Pulih, office: Office) -> None:
    """The head in the store is compared too."""
    ended = pulih("--inventory", office.inventory, "--json", "ledger", "verify")
    assert 0 == ended.code
    assert (True, 2, []) == (ended.document["intact"], ended.document["heads"], ended.document["findings"])


def test_a_changed_entry_is_named(pulih: Pulih, broken: Office) -> None:
    """Exit code 19 and the entry's number."""
    rewrite(broken, "UPDATE ledger SET facts = '{}' WHERE sequence = 7")
    ended = pulih("--inventory", broken.inventory, "ledger", "verify")
    assert 19 == ended.code
    assert "BROKEN" in ended.out
    assert "entry 7 was changed: its content does not give its hash" in ended.out
    assert "ERROR: the ledger is broken in one place; nothing was changed\nHINT: keep the catalog as it is" in ended.err


def test_an_end_that_was_cut_off_contradicts_the_store(pulih: Pulih, broken: Office) -> None:
    """The chain alone would be intact."""
    rewrite(broken, "DELETE FROM ledger WHERE sequence > 20")
    ended = pulih("--inventory", broken.inventory, "--json", "ledger", "verify")
    assert 19 == ended.code
    (finding,) = ended.document["findings"]
    assert "was signed into a store but is missing: the ledger ends at entry 20" in finding
    assert 19 == ended.error["exit_code"]


def test_a_head_of_another_key_is_a_finding_and_the_chain_is_read_nevertheless(pulih: Pulih, broken: Office) -> None:
    """One finding must not hide the others."""
    (broken.root / "keys" / "signing").write_bytes(generate_signing_key())
    rewrite(broken, "UPDATE ledger SET kind = 'other' WHERE sequence = 3")
    ended = pulih("--inventory", broken.inventory, "--json", "ledger", "verify")
    assert 19 == ended.code
    assert 2 == len(ended.document["findings"])
    assert ended.document["findings"][0].startswith("store utama: ")
    assert "entry 3 was changed" in ended.document["findings"][1]


def test_a_store_that_cannot_be_read_is_not_silently_left_out(pulih: Pulih, broken: Office) -> None:
    """Without the heads nobody knows whether the end was cut off."""
    shutil.rmtree(broken.store)
    ended = pulih("--inventory", broken.inventory, "ledger", "verify")
    assert 13 == ended.code
    assert "intact as far as it could be looked at" in ended.out


def test_entries_are_printed_oldest_first(pulih: Pulih, office: Office) -> None:
    """The newest ones, in the order in which they happened."""
    ended = pulih("--inventory", office.inventory, "--json", "ledger", "show", "--last", "3")
    sequences = [entry["sequence"] for entry in ended.document]
    assert 3 == len(sequences)
    assert sorted(sequences) == sequences
    assert "procedure.closed" == ended.document[-1]["kind"]
    assert {"outcome": "berhasil"} == ended.document[-1]["facts"]


def test_entries_of_one_procedure_are_found(pulih: Pulih, office: Office) -> None:
    """An auditor asks for one form's procedure."""
    ended = pulih(
        "--inventory", office.inventory, "--json", "ledger", "show", "--procedure", office.procedure_id, "--last", "500"
    )
    assert {office.procedure_id} == {entry["procedure_id"] for entry in ended.document}
    assert "procedure.opened" == ended.document[0]["kind"]


def test_no_entries_is_said(pulih: Pulih, office: Office) -> None:
    """Nothing at all would look like an error."""
    ended = pulih("--inventory", office.inventory, "ledger", "show", "--procedure", "nobody")
    assert (0, "no entries\n") == (ended.code, ended.out)
