"""Sources and services that a backup or a restore would stumble over are found."""

import os
import re
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from recovery.doctor import applications, examine
from recovery.guard import make_round
from recovery.installation import Installation
from recovery.settings import ServiceSettings
from tests.recovery.doctor.conftest import only


def test_a_healthy_installation_is_warned_only_of_what_the_office_has_not_set_up(whole: Installation) -> None:
    """What cries wolf is not read."""
    make_round(whole)
    trouble = [finding for finding in examine(whole, None) if finding.state != "ok"]
    # Without root's rights owners are not proven, nor who has the data open.
    rights = [] if os.geteuid() == 0 else ["component simpel/berkas", "processes on server"]
    expected = ["off-site store", "Prefect's database", *rights, "Prefect server"]
    assert expected == [finding.subject for finding in trouble]


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


def test_what_a_source_warns_of_is_told(whole: Installation, tmp_path: Path) -> None:
    """A database under two names: a restore exchanges only the one that it knows."""
    office = Path(whole.applications["simpel"].components[0].path)
    path = tmp_path / "data.db"
    shutil.copy(office, path)
    os.link(path, tmp_path / "other.db")
    trouble = only(with_component_path(whole, str(path)), "component simpel/data")
    assert ("warning", "see whether the application's owner knows") == (trouble.state, trouble.mend)
    assert trouble.message == f"{path} has other names (hard links), which a restore does not change"


def test_too_little_room_for_a_restore_is_a_warning(whole: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found on the day when it is needed, it costs hours."""
    monkeypatch.setattr(applications, "_needed", lambda *_: 1 << 60)
    trouble = only(whole, "component simpel/data")
    assert ("warning", "make room on that file system") == (trouble.state, trouble.mend)
    assert re.fullmatch(r"a restore needs 1\.024 PiB beside the live data, and .+ are free", trouble.message)


def test_without_a_catalog_sources_are_still_looked_at(whole: Installation, tmp_path: Path) -> None:
    """What a restore would need is then not known, and that there is no catalog is said once."""
    shutil.rmtree(tmp_path / "state")
    found = {(each.subject, each.state) for each in examine(whole, None)}
    assert {("catalog", "problem"), ("component simpel/data", "ok")} <= found
    assert ("component simpel/data", "warning") not in found


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
