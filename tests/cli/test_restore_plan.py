"""pulih restore-plan says what a restore would do, from records and looks alone, and changes nothing."""

import json
from typing import Any

import pytest
from sqlalchemy import update

from cli.restore_plan import place
from recovery.calendar import format_moment, to_wib
from recovery.inventory import load_inventory
from recovery.procedures.restore.plan import choose_backups, recovery_point
from recovery.records import backups, leases, ledger, procedures, schema
from tests.cli.conftest import Office, Pulih
from tests.testbed.small_office import EXECUTOR, KABID, KADIS, REQUESTER


def plan(pulih: Pulih, office: Office, *options: str) -> dict[str, Any]:
    ended = pulih("--inventory", office.inventory, "--json", "restore-plan", "simpel", *options)
    assert (0, "") == (ended.code, ended.err)
    document: dict[str, Any] = ended.document
    return document


def moments(office: Office) -> dict[str, str]:
    with office.catalog.read() as connection:
        return {backup.key: backup.moment for backup in backups.list_backups(connection)}


def add_run(office: Office, procedure_id: str, moment: str) -> None:
    """Record an older run with proven backups of both components, as the newer one of the fixture has them."""
    with office.catalog.begin() as connection:
        for name in ("procedures", "backups"):
            table = schema.metadata.tables[name]
            for row in connection.execute(table.select()).mappings().all():
                if name == "procedures" and row["kind"] != "backup":
                    continue
                key = (
                    {"id": procedure_id}
                    if name == "procedures"
                    else {
                        "id": f"{procedure_id}-{row['component']}",
                        "procedure_id": procedure_id,
                        "name": f"{row['component']}-lama",
                        "moment": moment if row["component"] == "data" else moment.replace("00.000000", "07.500000"),
                    }
                )
                connection.execute(table.insert().values({**row, **key}))


def test_the_plan_is_the_one_that_a_request_would_get(pulih: Pulih, office: Office) -> None:
    """The same code chooses; targets are named by the identity that approvals are bound to."""
    document = plan(pulih, office)
    installation = load_inventory(office.inventory).installation()
    chosen = choose_backups(installation, "simpel", None)
    found = {each["component"]: each for each in document["components"]}
    assert chosen.keys() == found.keys()
    for key, expected in chosen.items():
        assert (expected["name"], expected["moment"], expected["target"], "pass") == (
            found[key]["name"],
            found[key]["moment"],
            found[key]["target_sha256"],
            found[key]["verdict"],
        )
        assert expected["totals"]["bytes"] < found[key]["needed"] < found[key]["free"]
        assert installation.component(key)[1].path == found[key]["target"]["path"]
    assert (None, "", []) == (document["point"], document["request_point"], document["obstacles"])
    assert [{"name": "web", "kind": "command", "state": "running"}] == document["services"]


def test_every_kind_of_target_has_a_place() -> None:
    path = {"machine": "f00d", "kind": "sqlite", "path": "/srv/simpel.db"}
    database = {"machine": "f00d", "kind": "postgresql", "system": "7312", "database": "simpel"}
    assert ("sqlite /srv/simpel.db", "postgresql 7312 simpel") == (place(path), place(database))


def test_who_must_approve_is_named_in_the_sop_s_order(pulih: Pulih, office: Office) -> None:
    """With the executor's own go-ahead."""
    approvals = plan(pulih, office)["approvals"]
    assert [
        ("restore.2", "kadis", [KADIS]),
        ("restore.3", "kabid", [KABID]),
        ("restore.start", "pelaksana", [EXECUTOR]),
        ("restore.8", "pemohon", [REQUESTER]),
    ] == [(each["step_id"], each["role"], [official["nip"] for official in each["officials"]]) for each in approvals]


def test_how_long_it_takes_is_what_was_measured_here_and_else_unknown(pulih: Pulih, broken: Office) -> None:
    """A guess would be believed."""
    document = plan(pulih, broken)
    for component in document["components"]:
        assert component["rehearsal"]["seconds"] > 0
        assert f"the proof of the backup {broken.procedure_id}" == component["rehearsal"]["by"]
    assert {"seconds": None, "by": ""} == document["downtime"]
    with broken.catalog.begin() as connection:
        # A proof that was retried took its pauses too, and so says nothing.
        connection.execute(update(schema.steps).where(schema.steps.c.step_id == "backup.2").values(tries=2))
    ended = pulih("--inventory", broken.inventory, "restore-plan", "simpel")
    assert "downtime: unknown" in ended.out
    assert 3 == ended.out.count("unknown")


def test_a_recovery_point_chooses_older_backups(pulih: Pulih, broken: Office) -> None:
    """By the rule of the request form, in WIB."""
    add_run(broken, "older", "2026-10-20T15:00:00.000000+00:00")
    document = plan(pulih, broken, "--moment", "2026-10-21 08:00")
    assert ["data-lama", "berkas-lama"] == [each["name"] for each in document["components"]]
    assert "2026-10-21T01:00:00.000000+00:00" == document["point"]
    assert "2026-10-21 08:00:00" == document["request_point"]


def test_a_backup_names_its_whole_run(pulih: Pulih, broken: Office) -> None:
    """Its components were dumped one after the other; the point lies after the last of them, as the form writes it."""
    add_run(broken, "older", "2026-10-20T15:00:00.000000+00:00")
    document = plan(pulih, broken, "--backup", "data-lama")
    assert ["data-lama", "berkas-lama"] == [each["name"] for each in document["components"]]
    assert "2026-10-20 22:00:08" == document["request_point"]
    asked = recovery_point(document["request_point"])
    assert {"data-lama", "berkas-lama"} == {
        chosen["name"]
        for chosen in choose_backups(load_inventory(broken.inventory).installation(), "simpel", asked).values()
    }


def test_a_backup_of_a_time_still_to_come_is_passed_over_unless_it_is_named(pulih: Pulih, broken: Office) -> None:
    """The clock was set forward for one run, and back."""
    ahead = "2099-10-20T15:00:00.000000+00:00"
    add_run(broken, "ahead", ahead)
    found = {each["component"]: each for each in plan(pulih, broken)["components"]}
    assert broken.name == found["simpel/data"]["name"]
    assert [{"name": "data-lama", "moment": ahead}] == found["simpel/data"]["passed_over"]
    told = (
        f"  PASSED OVER: simpel/data data-lama of {format_moment(ahead)}: that is still to come, or later than a "
        "backup that was taken afterwards; --backup takes it"
    )
    assert told in pulih("--inventory", broken.inventory, "restore-plan", "simpel").out.splitlines()
    document = plan(pulih, broken, "--backup", "data-lama")
    assert ["data-lama", "berkas-lama"] == [each["name"] for each in document["components"]]
    assert [[], []] == [each["passed_over"] for each in document["components"]]
    assert [True, True] == [each["doubtful"] for each in document["components"]]
    told = (
        f"  DOUBTFUL: simpel/data data-lama of {format_moment(ahead)}: that is still to come, or later than a backup "
        "that was taken afterwards, so what is in it may be of another time"
    )
    named = pulih("--inventory", broken.inventory, "restore-plan", "simpel", "--backup", "data-lama")
    assert told in named.out.splitlines()
    document = plan(pulih, broken, "--backup", broken.name)
    assert [False, False] == [each["doubtful"] for each in document["components"]]
    with broken.catalog.begin() as connection:
        connection.execute(update(schema.backups).where(schema.backups.c.name == broken.name).values(verdict="fail"))
    ended = pulih("--inventory", broken.inventory, "restore-plan", "simpel")
    assert 3 == ended.code
    assert "simpel/data has no verified backup whose moment can be believed: data-lama is of a time still" in ended.err
    assert "set the clock right; or let the request name the recovery point" in ended.err


def test_a_newest_backup_from_after_the_damage_is_told_as_such(pulih: Pulih, broken: Office) -> None:
    """It equals its damaged source, so every check passes. Which one is from before is named, and still not taken."""
    older, since = "2026-10-20T15:00:00.000000+00:00", "2026-10-21T01:00:00.000000+00:00"
    add_run(broken, "older", older)
    document = plan(pulih, broken, "--incident", "2026-10-21 08:00")
    assert [None, None] == [each["after_incident"] for each in plan(pulih, broken)["components"]]
    found = {each["component"]: each for each in document["components"]}
    before = {"name": "data-lama", "moment": older}
    assert (broken.name, {"incident": since, "before": before}) == (
        found["simpel/data"]["name"],
        found["simpel/data"]["after_incident"],
    )
    moment = format_moment(found["simpel/data"]["moment"])
    told = (
        f"  AFTER THE INCIDENT: simpel/data {broken.name} of {moment}: the damage is of {format_moment(since)}, so it "
        f"may hold it; the newest verified one from before is data-lama of {format_moment(older)}: --backup takes it"
    )
    asked = ("restore-plan", "simpel", "--incident")
    assert told in pulih("--inventory", broken.inventory, *asked, "2026-10-21 08:00").out.splitlines()
    none = (
        f"  AFTER THE INCIDENT: simpel/data {broken.name} of {moment}: the damage is of "
        f"{format_moment('2026-10-01T01:00:00+00:00')}, so it may hold it; there is no verified backup from before"
    )
    assert none in pulih("--inventory", broken.inventory, *asked, "2026-10-01 08:00").out.splitlines()
    assert "AFTER" not in pulih("--inventory", broken.inventory, *asked, "2099-10-01 08:00").out


def test_what_stands_in_the_way_is_told(pulih: Pulih, broken: Office) -> None:
    """Before anybody writes a letter."""
    procedures.open_procedure(broken.catalog, "another", "restore", application="simpel", parameters={}, release="0")
    with broken.catalog.begin() as connection:
        connection.execute(update(schema.officials).where(schema.officials.c.nip == KABID).values(enrolled_at=None))
        row = connection.execute(schema.backups.select().where(schema.backups.c.component == "data")).mappings().one()
        facts = row["facts"].replace('"totals":{"bytes":', '"totals":{"bytes":99999999999999')
        connection.execute(update(schema.backups).where(schema.backups.c.id == row["id"]).values(facts=facts))
    another, room, nobody = plan(pulih, broken)["obstacles"]
    assert another.startswith("a restore of simpel is open already: procedure another")
    assert room.startswith("simpel/data needs ") and " are free" in room
    assert nobody.startswith("nobody in office with an enrolled device can do '3. Melakukan verifikasi")


def test_a_plan_is_made_of_what_can_still_be_looked_at(pulih: Pulih, office: Office, broken: Office) -> None:
    """It is asked for when something is broken: what nobody can tell is unknown, and who works there is named."""
    leases.acquire(broken.catalog, "component:simpel/data", "a-backup", 600, "back up")
    leases.acquire(broken.catalog, "component:lain/data", "another", 600, "back up")

    def change(data: dict[str, Any]) -> None:
        (application,) = data["applications"]
        application["components"][1]["path"] = "/nowhere/at/all"
        (service,) = application["services"]
        service.update(kind="supervisor", program="web", configuration="/nowhere/supervisord.conf", start=[], stop=[])

    broken.change_inventory(change)
    document = plan(pulih, broken)
    assert ["unknown"] == [service["state"] for service in document["services"]]
    free = {each["component"]: each["free"] for each in document["components"]}
    assert free["simpel/data"] > 0 and free["simpel/berkas"] is None
    assert "simpel/data is being worked on by a-backup" in document["obstacles"]
    moved = {each["component"]: each["differences"] for each in document["components"]}
    before = load_inventory(office.inventory).installation().source("simpel/berkas").identify()["path"]
    paths = {"backup": before, "target": "/nowhere/at/all"}
    assert {"simpel/data": {}, "simpel/berkas": {"path": paths}} == moved
    different = f"  DIFFERENT: the backup of simpel/berkas was made of path {before}, not /nowhere/at/all"
    assert different in pulih("--inventory", broken.inventory, "restore-plan", "simpel").out.splitlines()


def test_all_copies_together_need_their_room(pulih: Pulih, broken: Office) -> None:
    """Each would fit alone."""
    with broken.catalog.begin() as connection:
        free = plan(pulih, broken)["components"][0]["free"] // 3 * 2
        for row in connection.execute(schema.backups.select()).mappings().all():
            facts = json.loads(row["facts"])
            facts["fingerprint"]["totals"]["bytes"] = free
            values = {"facts": json.dumps(facts)}
            connection.execute(update(schema.backups).where(schema.backups.c.id == row["id"]).values(**values))
    (room,) = plan(pulih, broken)["obstacles"]
    assert room.startswith("the copies need ") and room.endswith(" free where least is free")


def test_nothing_is_changed(pulih: Pulih, office: Office) -> None:
    """Not even the ledger."""
    with office.catalog.read() as connection:
        before = ledger.head(connection)
    ended = pulih("--inventory", office.inventory, "restore-plan", "simpel")
    assert "nothing was changed" == ended.out.splitlines()[-1]
    with office.catalog.read() as connection:
        assert before == ledger.head(connection)


@pytest.mark.parametrize(
    ("options", "code", "expected"),
    [
        (["--moment", "2020-01-01 00:00"], 3, "has no verified backup at or before 2019-12-31T17:00"),
        (["--moment", "kemarin"], 2, "the recovery point 'kemarin' is no time"),
        (["--backup", "nothing"], 3, "simpel has no verified backup named 'nothing'"),
        (["--backup", "x", "--moment", "y"], 2, "name either --moment or --backup"),
        (["--incident", "kemarin"], 2, "the time of the incident 'kemarin' is no time"),
        (["--incident", "2026-11-20 09:00", "--backup", "x"], 2, "--incident is for the newest backups"),
        (["--incident", "2026-11-20 09:00", "--moment", "y"], 2, "--incident is for the newest backups"),
    ],
)
def test_a_point_without_a_backup_is_refused(
    pulih: Pulih, office: Office, options: list[str], code: int, expected: str
) -> None:
    """As the procedure would refuse it, days later."""
    ended = pulih("--inventory", office.inventory, "restore-plan", "simpel", *options)
    assert (code, "") == (ended.code, ended.out)
    assert expected in ended.err


def test_moments_are_told_in_wib(pulih: Pulih, office: Office) -> None:
    """People think in it."""
    local = to_wib(moments(office)["simpel/data"])
    assert f"pukul {local:%H.%M.%S} WIB" in pulih("--inventory", office.inventory, "restore-plan", "simpel").out
