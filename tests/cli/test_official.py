"""pulih official: devices are enrolled once, revoked with a reason, and played only in a demonstration."""

import json
import re

import pyotp
from sqlalchemy import select

from recovery.records import ledger, schema
from recovery.records.officials import open_secret
from tests.cli.conftest import Office, Pulih
from tests.testbed.small_office import EXECUTOR, KABID


def test_officials_are_listed_without_their_secrets(pulih: Pulih, office: Office) -> None:
    """The list goes onto screens and into tickets."""
    ended = pulih("--inventory", office.inventory, "--json", "official", "list")
    (kabid,) = [official for official in ended.document if official["nip"] == KABID]
    assert (["kabid"], True) == (kabid["roles"], kabid["enrolled"])
    assert "secret" not in ended.out
    assert "enrolled" in pulih("--inventory", office.inventory, "official", "list").out


def test_a_second_enrolment_ends_with_4(pulih: Pulih, broken: Office) -> None:
    """Whoever sits at the terminal must not take over an official's device by accident."""
    ended = pulih("--inventory", broken.inventory, "official", "enrol", KABID)
    assert (4, "") == (ended.code, ended.out)
    assert f"the official {KABID} is already enrolled; the enrolment is as it was" in ended.err


def test_a_renewed_enrolment_shows_the_secret_that_is_kept(pulih: Pulih, broken: Office) -> None:
    """The device that scans it makes the codes that count."""
    import base64

    ended = pulih("--inventory", broken.inventory, "--json", "official", "enrol", KABID, "--renew")
    assert 0 == ended.code
    shown = pyotp.parse_uri(ended.document["uri"])
    key = base64.b64decode((broken.root / "keys" / "enrolment").read_bytes())
    with broken.catalog.read() as connection:
        sealed = connection.execute(select(schema.officials.c.secret).where(schema.officials.c.nip == KABID)).scalar()
    assert shown.secret == open_secret(bytes(sealed or b""), KABID, key)


def test_people_get_a_qr_code_and_no_secret_in_letters(pulih: Pulih, broken: Office) -> None:
    """Letters end in the terminal's history."""
    ended = pulih("--inventory", broken.inventory, "official", "enrol", KABID, "--renew")
    assert "█" in ended.out
    assert "it is shown once and kept nowhere" in ended.out
    assert not re.search(r"[A-Z2-7]{16,}", ended.out)


def test_a_revoked_device_is_said_and_its_reason_is_in_the_ledger(pulih: Pulih, broken: Office) -> None:
    """After a transfer nobody answers in his name."""
    ended = pulih("--inventory", broken.inventory, "official", "revoke", EXECUTOR, "--reason", "mutasi")
    assert (0, f"the device of {EXECUTOR} is revoked\n") == (ended.code, ended.out)
    assert "revoked" in pulih("--inventory", broken.inventory, "official", "list").out
    with broken.catalog.read() as connection:
        (entry,) = ledger.entries(connection, last=1)
    assert ("official.revoked", {"nip": EXECUTOR, "reason": "mutasi"}) == (entry.kind, entry.facts)


def test_a_revocation_without_a_reason_is_wrong_usage(pulih: Pulih, broken: Office) -> None:
    """The ledger wants to know why."""
    ended = pulih("--inventory", broken.inventory, "official", "revoke", EXECUTOR)
    assert 2 == ended.code
    assert "Missing option '--reason'" in ended.err


def test_an_unknown_official_ends_with_3(pulih: Pulih, broken: Office) -> None:
    """Both verbs that name one say the same."""
    for arguments in (("enrol", "1" * 18), ("revoke", "1" * 18, "--reason", "x")):
        ended = pulih("--inventory", broken.inventory, "official", *arguments)
        assert 3 == ended.code
        assert f"no official has the NIP {'1' * 18}" in ended.err


def test_no_codes_are_made_outside_a_demonstration(pulih: Pulih, office: Office) -> None:
    """The installation could open the secrets; it must never play an official."""
    ended = pulih("--inventory", office.inventory, "official", "code", KABID)
    assert (3, "") == (ended.code, ended.out)
    assert "this installation is no demonstration; no code was made" in ended.err


def test_a_demonstration_plays_its_own_officials_only(pulih: Pulih, broken: Office) -> None:
    """The phones lie beside the demonstration's inventory."""
    secret = pyotp.random_base32()
    (broken.root / "ponsel-peraga.json").write_text(json.dumps({KABID: secret}))
    ended = pulih("--inventory", broken.inventory, "--json", "official", "code", KABID)
    assert 0 == ended.code
    # The half minute may have ended between the two.
    assert pyotp.TOTP(secret).verify(ended.document["code"], valid_window=1)
    assert 3 == pulih("--inventory", broken.inventory, "official", "code", EXECUTOR).code
