"""Each thing that a fresh installation gets wrong is found, told with how to mend it, and hides none of the others."""

import base64
import importlib.metadata
import json
import os
import re
import shutil
import socket
import sqlite3
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from recovery import doctor
from recovery.crypto import generate_identity
from recovery.doctor import PINNED, Finding, examine, examine_packages, examine_server
from recovery.installation import Installation
from recovery.records import officials
from recovery.settings import OfficialSettings, ServiceSettings, StoreSettings
from tests.testbed.small_office import EXECUTOR, KABID, SmallOffice, open_office

if TYPE_CHECKING:
    from deployments.server import LocalServer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallOffice]:
    """One small office for the module, whose service runs. Tests break copies of it."""
    built = open_office(tmp_path_factory.mktemp("kantor") / "office")
    for key in (built.root / "keys").iterdir():
        key.chmod(0o600)
    yield built
    built.stop_service_for_good()
    built.installation.catalog.dispose()


@pytest.fixture
def installation(office: SmallOffice, tmp_path: Path) -> Installation:
    """The office's installation with places of its own: keys, state directory, catalog and store.

    Without applications, since looking at those starts programs.
    """
    for folder in ("keys", "state", "store"):
        shutil.copytree(office.root / folder, tmp_path / folder)
    keys = {
        name: value.replace(str(office.root), str(tmp_path))
        for name, value in office.installation.keys.model_dump().items()
    }
    return replace(
        office.installation,
        office=office.installation.office.model_copy(update={"state_directory": str(tmp_path / "state")}),
        keys=office.installation.keys.model_copy(update=keys),
        stores={"utama": StoreSettings(name="utama", path=str(tmp_path / "store"))},
        applications={},
    )


@pytest.fixture
def whole(office: SmallOffice, installation: Installation) -> Installation:
    """The same with the office's application, whose service runs."""
    return replace(installation, applications=office.installation.applications)


def only(installation: Installation, subject: str) -> Finding:
    """The one finding about a subject that is not ok; every other look still happened."""
    findings = examine(installation, "")
    subjects = {finding.subject for finding in findings}
    assert {"package prefect", "signing key", "store utama", "catalog", "holidays", "Prefect server"} <= subjects
    (trouble,) = [finding for finding in findings if finding.subject == subject and finding.state != "ok"]
    return trouble


def test_a_healthy_installation_has_only_the_off_site_warning(whole: Installation) -> None:
    """What cries wolf is not read."""
    trouble = [finding for finding in examine(whole, "") if finding.state != "ok"]
    assert ["off-site store", "Prefect server"] == [finding.subject for finding in trouble]


# --- packages ----------------------------------------------------------------------------------------------------


def test_the_packages_of_this_release_are_within_their_bounds() -> None:
    """The very environment in which the tests run."""
    assert {"ok"} == {finding.state for finding in examine_packages()}


@pytest.mark.parametrize(
    ("name", "version"), [("prefect", "3.9.0"), ("fastapi", "0.151.0"), ("sqlalchemy", "2.1.0b1"), ("fastapi", "0.138")]
)
def test_a_package_outside_its_bounds_is_a_problem(name: str, version: str) -> None:
    """Each of these breaks something without a word."""

    def version_of(wanted: str) -> str:
        return version if wanted == name else importlib.metadata.version(wanted)

    (trouble,) = [finding for finding in examine_packages(version_of) if finding.state != "ok"]
    assert (
        Finding(f"package {name}", "problem", f"{version} is outside its bounds", "install requirements.lock")
        == trouble
    )


def test_a_package_that_is_not_installed_is_a_problem() -> None:
    """No traceback from the one who was asked what is wrong."""

    def version_of(wanted: str) -> str:
        raise importlib.metadata.PackageNotFoundError(wanted)

    assert {"is not installed"} == {finding.message for finding in examine_packages(version_of)}


def test_the_bounds_are_those_of_the_project() -> None:
    """Two lists of bounds that differ would contradict each other in front of the operator."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name, (lowest, beyond) in PINNED.items():
        low, high = ".".join(map(str, lowest)), ".".join(map(str, beyond))
        exactly = f'"{name}=={low}"'
        assert f'"{name}>={low},<{high}"' in text or exactly in text, name


# --- keys --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["signing", "operations", "enrolment"])
def test_a_key_that_others_can_read_is_a_problem(installation: Installation, tmp_path: Path, name: str) -> None:
    """The mend is the command to type."""
    path = tmp_path / "keys" / name
    path.chmod(0o640)
    (trouble,) = [finding for finding in examine(installation, "") if finding.message.startswith("others can read")]
    assert ("problem", f"others can read {path}", f"chmod 600 {path}") == (
        trouble.state,
        trouble.message,
        trouble.mend,
    )


@pytest.mark.parametrize(
    ("name", "subject"),
    [("signing", "signing key"), ("operations", "operations identity"), ("enrolment", "enrolment key")],
)
@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_a_key_that_is_missing_or_of_no_use_is_a_problem(
    installation: Installation, tmp_path: Path, name: str, subject: str, content: bytes | None
) -> None:
    """Its content is never told."""
    path = tmp_path / "keys" / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    trouble = only(installation, subject)
    assert "problem" == trouble.state
    assert trouble.mend
    assert "nonsense" not in str(trouble)


def test_an_identity_that_cannot_open_the_backups_is_a_problem(installation: Installation, tmp_path: Path) -> None:
    """Backups would go on well for years, and no restore could open one."""
    identity, recipient = generate_identity()
    (tmp_path / "keys" / "operations").write_text(identity)
    trouble = only(installation, "operations identity")
    assert "problem" == trouble.state
    assert f"it opens what is encrypted for {recipient} and not for the operations recipient" == trouble.message


def test_an_escrow_key_that_is_the_daily_one_is_a_problem(installation: Installation) -> None:
    """One lost key would lose everything."""
    daily = installation.keys.operations_recipient
    installation.keys = installation.keys.model_copy(update={"escrow_recipient": daily})
    assert "is the operations recipient" == only(installation, "escrow recipient").message


def test_an_enrolment_key_that_opens_no_secret_is_a_problem(installation: Installation, tmp_path: Path) -> None:
    """The key is of use, only not here: no answer would ever count."""
    (tmp_path / "keys" / "enrolment").write_bytes(base64.b64encode(os.urandom(32)))
    trouble = only(installation, f"official {KABID}")
    assert ("problem", f"the enrolment key does not open the secret of the official {KABID}") == (
        trouble.state,
        trouble.message,
    )


# --- places ------------------------------------------------------------------------------------------------------


def test_a_state_directory_that_is_missing_or_open_is_a_problem(installation: Installation, tmp_path: Path) -> None:
    """Scratch copies of personal data lie in there."""
    (tmp_path / "state").chmod(0o755)
    assert f"chmod 700 {tmp_path / 'state'}" == only(installation, "state directory").mend
    shutil.rmtree(tmp_path / "state")
    assert f"{tmp_path / 'state'} is not there" == only(installation, "state directory").message
    assert "there is no catalog at" in only(installation, "catalog").message


def test_a_store_that_is_missing_is_a_problem(installation: Installation, tmp_path: Path) -> None:
    """A mount that is not there; the directory is not made, or backups would fill the system's disk."""
    (tmp_path / "store").rmdir() if not any((tmp_path / "store").iterdir()) else shutil.rmtree(tmp_path / "store")
    trouble = only(installation, "store utama")
    assert "problem" == trouble.state
    assert str(tmp_path / "store") in trouble.message
    assert not (tmp_path / "store").exists()


def test_a_store_that_cannot_be_written_is_a_problem(installation: Installation) -> None:
    """/proc refuses everybody, root included."""
    installation.stores = {"utama": StoreSettings(name="utama", path="/proc/sys")}
    trouble = only(installation, "store utama")
    assert "problem" == trouble.state
    assert trouble.mend


def test_little_room_is_a_warning(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not yet a failure, but the next one."""
    monkeypatch.setattr(doctor, "SPACE_WANTED", 1 << 60)
    trouble = only(installation, "state directory")
    assert ("warning", True) == (trouble.state, bool(re.fullmatch(r"only \d+ MiB are free", trouble.message)))


# --- people ------------------------------------------------------------------------------------------------------


def test_an_official_without_a_device_is_a_warning(installation: Installation) -> None:
    """The mend is the command to type."""
    officials.revoke(installation.catalog, EXECUTOR, reason="uji")
    trouble = only(installation, f"official {EXECUTOR}")
    assert ("warning", "has no enrolled device", f"pulih official enrol {EXECUTOR}") == (
        trouble.state,
        trouble.message,
        trouble.mend,
    )


def test_a_role_that_nobody_in_office_has_is_a_problem(installation: Installation) -> None:
    """Runs would wait for an answer that nobody can give."""
    with installation.catalog.begin() as connection:
        settings = OfficialSettings(
            nip=KABID, name="Siti", position="Kabid", unit="kominfo", roles=["kabid"], valid_until="2020-12-31"
        )
        officials.put(connection, settings)
    assert ("problem", "no official in office has it") == (
        (trouble := only(installation, "role kabid")).state,
        trouble.message,
    )
    assert "is not in office today" == only(installation, f"official {KABID}").message


# --- sources and services ----------------------------------------------------------------------------------------


def with_component_path(installation: Installation, path: str) -> Installation:
    application = installation.applications["simpel"]
    data, uploads = application.components
    components = [data.model_copy(update={"path": path}), uploads]
    changed = {"simpel": application.model_copy(update={"components": components})}
    return replace(installation, applications=changed)


def test_a_source_that_is_missing_is_a_problem(whole: Installation, tmp_path: Path) -> None:
    """Found now, and not at 22.00 on the twentieth."""
    trouble = only(with_component_path(whole, str(tmp_path / "none.db")), "component simpel/data")
    assert "problem" == trouble.state
    assert str(tmp_path / "none.db") in trouble.message


def test_a_source_that_is_no_database_is_a_problem(whole: Installation, tmp_path: Path) -> None:
    """The inventory may name the wrong file."""
    (tmp_path / "text.db").write_text("this is no database" * 100)
    assert "problem" == only(with_component_path(whole, str(tmp_path / "text.db")), "component simpel/data").state


def test_a_host_that_is_not_configured_is_a_problem_and_no_crash(whole: Installation) -> None:
    """The inventory refuses it, but blocks can be edited by hand."""
    application = whole.applications["simpel"].model_copy(update={"host": "nowhere"})
    broken = replace(whole, applications={"simpel": application})
    assert "there is no host named 'nowhere'" == only(broken, "component simpel/data").message
    assert "there is no host named 'nowhere'" == only(broken, "services of simpel").message


def with_services(installation: Installation, *services: ServiceSettings) -> Installation:
    application = installation.applications["simpel"].model_copy(update={"services": list(services)})
    return replace(installation, applications={"simpel": application})


def test_a_service_that_is_not_healthy_is_a_warning(whole: Installation) -> None:
    """It may be down on purpose."""
    (service,) = whole.applications["simpel"].services
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        silent = service.model_copy(update={"health_url": url, "port": None})
        trouble = only(with_services(whole, silent), "service simpel/web")
    assert ("warning", "not healthy now") == (trouble.state, trouble.message)


def test_a_service_manager_that_does_not_answer_is_a_problem(whole: Installation, tmp_path: Path) -> None:
    """A restore could not stop the service."""
    (tmp_path / "supervisord.conf").write_text(
        f"[supervisorctl]\nserverurl=unix://{tmp_path}/none.sock\n"
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory="
        "supervisor.rpcinterface:make_main_rpcinterface\n"
    )
    service = ServiceSettings(
        name="web", kind="supervisor", program="web", configuration=str(tmp_path / "supervisord.conf"), port=1
    )
    assert "problem" == only(with_services(whole, service), "service simpel/web").state


def test_an_application_without_services_is_a_warning(whole: Installation) -> None:
    """Step 4 could stop nothing."""
    trouble = only(with_services(whole), "services of simpel")
    assert ("warning", "none is configured") == (trouble.state, trouble.message)


# --- catalog -----------------------------------------------------------------------------------------------------


def test_a_catalog_of_another_release_is_a_problem(installation: Installation, tmp_path: Path) -> None:
    """Nothing is read from it, and the other looks still happen."""
    connection = sqlite3.connect(tmp_path / "state" / "catalog.sqlite")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert "was written by a later release (schema 9999)" in only(installation, "catalog").message


# --- server ------------------------------------------------------------------------------------------------------


def test_no_address_is_a_problem() -> None:
    """`prefect` would start a server of its own and throw it away."""
    assert [Finding("Prefect server", "problem", "no address is known", "set PREFECT_API_URL")] == list(
        examine_server("")
    )


def test_a_server_that_does_not_answer_is_a_problem() -> None:
    """The port is bound and nobody listens, so nobody else can take it meanwhile."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/api"
        (trouble,) = examine_server(address)
    assert "problem" == trouble.state
    assert trouble.message.startswith(f"{address}: ") and "refused" in trouble.message


@pytest.mark.parametrize("address", ["127.0.0.1:4200/api", "file:///etc/passwd", "http://[", "http://nowhere.invalid"])
def test_an_address_that_is_none_is_a_problem(address: str) -> None:
    """It comes from the environment: anything may stand there."""
    (trouble,) = examine_server(address)
    assert ("Prefect server", "problem") == (trouble.subject, trouble.state)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_another_program_at_that_address_is_a_problem(status: int) -> None:
    """A web server that answers is not yet a Prefect server."""

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b'"hello"')

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (trouble,) = examine_server(f"http://127.0.0.1:{server.server_port}/api")
        server.shutdown()
    assert ("Prefect server", "problem") == (trouble.subject, trouble.state)


@pytest.mark.slow
def test_a_real_server_without_pool_and_worker_is_told_apart(prefect_server: "LocalServer") -> None:
    """First the work pool is missing, then the worker, then somebody paused it."""
    url = f"{prefect_server.api_url}/work_pools/"
    tell(url + doctor.WORK_POOL, "DELETE")
    health, pool = examine_server(prefect_server.api_url)
    assert ("ok", "is not on the server") == (health.state, pool.message)
    tell(url, "POST", {"name": doctor.WORK_POOL, "type": "process", "is_paused": True})
    _, paused, worker = examine_server(prefect_server.api_url)
    assert ("is paused", "none is online") == (paused.message, worker.message)
    tell(url + f"{doctor.WORK_POOL}/workers/heartbeat", "POST", {"name": "uji"})
    _, _, online = examine_server(prefect_server.api_url)
    assert ("ok", "1 online") == (online.state, online.message)
    tell(url + doctor.WORK_POOL, "DELETE")


def tell(url: str, method: str, body: Any = None) -> None:
    """Ask the server as any client would; that there is nothing to delete is fine."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        assert (404, "DELETE") == (error.code, method)
