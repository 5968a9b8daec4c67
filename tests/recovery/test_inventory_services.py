"""The inventory's rules for services: whole, and each with something by which its being down can be proven."""

from typing import Any

import pytest
from pydantic import ValidationError

from recovery.inventory_services import flag_rules, service_rules
from recovery.settings import ApplicationSettings, ComponentSettings, HostSettings, ServiceSettings

PAGE = {"flag": "/var/lib/simpel/tutup", "url": "http://127.0.0.1/", "text": "Pemeliharaan"}
UNITS = {"kind": "systemd", "units": ["antrean.timer", "simpel.service"]}
COMMANDS = {"kind": "command", "start": ["a"], "stop": ["b"], "port": 80}


def broken(**settings: Any) -> list[str]:
    """What is said of a service, with the field."""
    service = ServiceSettings.model_validate({"name": "web", **settings})
    return [f"{'.'.join(map(str, each.location))}: {each.message}" for each in service_rules((), service)]


@pytest.mark.parametrize(
    "settings",
    [
        UNITS,
        {**UNITS, "sudo": True, "maintenance": PAGE, "health_url": "http://127.0.0.1:8000/sehat"},
        COMMANDS,
        {"kind": "supervisor", "program": "x", "configuration": "/x", "port": 80, "maintenance": PAGE},
    ],
)
def test_a_whole_service_breaks_no_rule(settings: dict[str, Any]) -> None:
    """systemd knows by itself whether its units run; everything else needs a port or an address."""
    assert [] == broken(**settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"kind": "systemd"}, "units: is missing; a service of kind 'systemd' needs it"),
        ({**COMMANDS, "units": ["a.service"]}, "units: is no field of a service of kind 'command'"),
        ({**COMMANDS, "sudo": True}, "sudo: is no field of a service of kind 'command'"),
        ({**UNITS, "units": ["a.service", "a.service"]}, "units.1: 'a.service' is named twice"),
        (
            {**UNITS, "units": ["a\\x2db.service"], "sudo": True},
            "units.0: has a backslash, which no line of sudoers can name exactly",
        ),
        (
            {**COMMANDS, "maintenance": PAGE},
            "maintenance: needs systemd or supervisord: nothing else knows that a service behind a page is down",
        ),
        (
            {**UNITS, "maintenance": PAGE, "health_url": PAGE["url"]},
            "maintenance.url: is the health_url, which must answer 200 while the page is still shown",
        ),
        (
            {"kind": "supervisor", "program": "x", "configuration": "x.conf", "port": 80},
            "configuration: must be an absolute path",
        ),
        (
            {**COMMANDS, "port": None},
            "health_url: is missing; give a health_url or a port, to prove that it is down",
        ),
    ],
)
def test_a_broken_rule_is_named(settings: dict[str, Any], expected: str) -> None:
    """With the field that is wrong."""
    assert [expected] == broken(**settings)


@pytest.mark.parametrize(
    "unit",
    ["simpel", "--now", "-x.service", "a b.service", "a*.service", "multi-user.target", "a.service;id", "\n.timer"],
)
def test_what_is_no_name_of_a_unit_is_refused(unit: str) -> None:
    """It would reach systemctl as an option, as a pattern, or as something whose state says nothing."""
    with pytest.raises(ValidationError, match="pattern"):
        ServiceSettings(name="web", kind="systemd", units=[unit])


@pytest.mark.parametrize("page", [{**PAGE, "text": ""}, {key: PAGE[key] for key in ("flag", "url")}])
def test_a_page_that_nothing_tells_from_another_one_is_refused(page: dict[str, str]) -> None:
    """Any 503 of a web server that is overloaded would pass for it."""
    with pytest.raises(ValidationError, match=r"maintenance\.text"):
        ServiceSettings.model_validate({"name": "web", **UNITS, "maintenance": page})


def shared(flags: dict[str, list[str]], on: dict[str, str]) -> list[str]:
    """What is said of applications whose services have these flags, on these hosts."""
    hosts = {
        0: HostSettings(name="satu", kind="ssh", address="10.0.0.1"),
        1: HostSettings(name="alias", kind="ssh", address="10.0.0.1"),
        2: HostSettings(name="dua", kind="ssh", address="10.0.0.1", port=2222),
        3: HostSettings(name="sini"),
        4: HostSettings(name="sini-juga"),
    }
    applications = {
        index: ApplicationSettings(
            name=name,
            title=name,
            owner_unit="bkd",
            owner_unit_title="BKD",
            host=on[name],
            services=[
                ServiceSettings.model_validate({"name": f"web-{flag.count('/')}", **UNITS, "maintenance": page})
                for flag in found
                for page in ({**PAGE, "flag": flag},)
            ]
            + [ServiceSettings.model_validate({"name": "tanpa", **UNITS})],
            components=[ComponentSettings(name="data", kind="files", path="/srv")],
        )
        for index, (name, found) in enumerate(flags.items())
    }
    return [f"{'.'.join(map(str, each.location))}: {each.message}" for each in flag_rules(applications, hosts)]


@pytest.mark.parametrize("hosts", [("satu", "satu"), ("satu", "alias"), ("sini", "sini-juga")])
def test_two_applications_of_one_machine_have_no_flag_in_common(hosts: tuple[str, str]) -> None:
    """A restore of one would let people into the other, whose data may be half exchanged."""
    flags = {"simpel": ["/var/tutup"], "sipadu": ["/srv/tutup", "/var//./tutup"]}
    expected = "applications.1.services.1.maintenance.flag: is the flag of 'simpel', too; a restore of one would open"
    assert [f"{expected} the other"] == shared(flags, dict(zip(flags, hosts, strict=True)))


def test_services_of_one_application_and_other_machines_may_have_the_same_flag() -> None:
    """Those are opened together, when all are well; these have another file."""
    flags = {"simpel": ["/var/tutup", "/var//tutup"], "sipadu": ["/var/tutup"]}
    assert [] == shared(flags, {"simpel": "satu", "sipadu": "dua"})
    assert [] == shared(flags, {"simpel": "satu", "sipadu": "sini"})
