"""The inventory's rules for hosts: complete, of one kind, and not two names for one machine."""

import re
from pathlib import Path

import pytest

from recovery.errors import ConfigurationError
from recovery.hosts import open_host
from recovery.inventory import load_inventory
from recovery.settings import HostSettings

EXAMPLE = Path(__file__).resolve().parents[2] / "deployments" / "inventory.example.yaml"
HOST = "  - name: aplikasi\n    kind: local\n    title: Server Aplikasi 1\n"
SSH = "kind: ssh; address: 10.1.1.1; user: pulih; key: file:/etc/kunci; host_keys: /etc/dikenal"


def errors(tmp_path: Path, fields: str, **replaced: str) -> list[str]:
    """What is said of the example with another first host, without file and line."""
    text = EXAMPLE.read_text(encoding="utf-8")
    assert HOST in text
    text = text.replace(HOST, "  - name: aplikasi\n" + "".join(f"    {line}\n" for line in fields.split("; ")))
    for old, new in replaced.items():
        text = text.replace(old.replace("_", " "), new)
    path = tmp_path / "inventory.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        load_inventory(path, {"PREFECT_HOME": "/nonexistent"})
    except ConfigurationError as error:
        return [line.partition(": ")[2] for line in error.message.splitlines()[:-1] if "suite" not in line]
    return []


def test_a_machine_that_is_reached_by_ssh_is_a_host(tmp_path: Path) -> None:
    assert errors(tmp_path, SSH) == []
    assert (
        errors(tmp_path, SSH.replace("10.1.1.1", "'fe80::1%eth0'") + "; port: 2222; python: /usr/bin/python3.9") == []
    )


def test_the_example_of_such_a_host_is_one(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(EXAMPLE.read_text(encoding="utf-8").replace("  # - name", "  - name").replace("  #   ", "    "))
    here, there = load_inventory(path, {"PREFECT_HOME": "/nonexistent"}).hosts
    assert (here.kind, there.kind, there.port) == ("local", "ssh", 22)


@pytest.mark.parametrize("field", ["address", "user", "key", "host_keys"])
def test_a_field_that_ssh_needs_is_named_when_it_is_missing(tmp_path: Path, field: str) -> None:
    fields = "; ".join(part for part in SSH.split("; ") if not part.startswith(f"{field}:"))
    assert errors(tmp_path, fields) == [f"hosts[0].{field}: is missing; a host of kind 'ssh' needs it"]
    values = dict(part.split(": ") for part in fields.split("; "))
    with pytest.raises(ConfigurationError, match=f"the host aplikasi of kind ssh lacks {field}"):
        open_host(HostSettings.model_validate({"name": "aplikasi", **values}))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("kind: local; user: pulih", "user: is no field of a host of kind 'local'"),
        ("kind: local; port: 2222", "port: is no field of a host of kind 'local'"),
        (SSH.replace("10.1.1.1", "server:22"), "address: must not hold the port, which has a field of its own"),
        (SSH.replace("10.1.1.1", "-oProxyCommand=x"), "address: must be a host name or an IP address"),
        (SSH.replace("10.1.1.1", "'a b'"), "address: must be a host name or an IP address"),
        (SSH.replace("user: pulih", "user: '-l root'"), "user: must be the name of an account"),
        (SSH.replace("/etc/dikenal", "dikenal"), "host_keys: must be an absolute path"),
        (SSH.replace("file:/etc/kunci", "file:kunci"), "key: must name an absolute path: file:/…"),
    ],
)
def test_nonsense_is_refused_by_field(tmp_path: Path, fields: str, expected: str) -> None:
    assert errors(tmp_path, fields) == [f"hosts[0].{expected}"]


def test_a_command_in_the_place_of_python_is_refused(tmp_path: Path) -> None:
    (said,) = errors(tmp_path, SSH + "; python: 'python3; touch x'")
    assert said.startswith("hosts[0].python: ")


def test_two_names_for_one_machine_cannot_hold_the_same_data_twice(tmp_path: Path) -> None:
    other = "  - name: lain\n" + "".join(f"    {line}\n" for line in SSH.split("; "))
    text = EXAMPLE.read_text(encoding="utf-8").replace(HOST, other + other.replace("lain", "aplikasi"))
    first, _, second = text.partition("  - name: perizinan\n")
    second = second.replace("host: aplikasi", "host: lain").replace(
        "/srv/perizinan/perizinan.sqlite", "/srv/simpeg/data/simpeg.sqlite"
    )
    path = tmp_path / "inventory.yaml"
    path.write_text(f"{first}  - name: perizinan\n{second}", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"is the same place as applications\[0\]\.components\[0\]\.path"):
        load_inventory(path, {"PREFECT_HOME": "/nonexistent"})


def test_what_leads_to_a_machine_is_no_restore_target(tmp_path: Path) -> None:
    fields = "kind: local\n  - name: jauh\n    " + SSH.replace("/etc/kunci", "/srv/simpeg/berkas/kunci").replace(
        "; ", "\n    "
    )
    (said,) = errors(tmp_path, fields)
    assert "holds the key file of the host 'jauh' (/srv/simpeg/berkas/kunci); it can never be a restore target" in said


def test_every_field_of_such_a_host_is_documented_with_its_default() -> None:
    text = (EXAMPLE.parents[1] / "docs" / "hosts.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", text, re.MULTILINE))
    fields = {name: field for name, field in HostSettings.model_fields.items() if name not in ("name", "kind", "title")}
    assert documented.keys() - {"local", "ssh"} == fields.keys()
    for name, field in fields.items():
        if field.default not in ("", None):
            assert f"({field.default})" in documented[name].replace("`", "")
