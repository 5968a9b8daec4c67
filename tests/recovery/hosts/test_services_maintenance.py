"""A page instead of a dead port: shown before the first unit stops, gone when the application is healthy behind it."""

from collections.abc import Iterator

import pytest

from recovery import points
from recovery.errors import ConfigurationError, ServiceError
from recovery.hosts import open_host
from recovery.hosts.base import Host
from recovery.hosts.local import LocalHost
from recovery.hosts.services import Service, open_service
from tests.testbed.small_office import write_application
from tests.testbed.systemd_host import SystemdHost
from tests.testbed.systemd_site import (
    DATABASE,
    FLAG,
    HEALTH,
    PAGE,
    PAST_PAGE,
    STATE,
    TEXT,
    UNIT,
    UPLOADS,
    WORKER,
    install_site,
    site_settings,
)

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def host(machine: SystemdHost) -> Host:
    """The machine as Pulih reaches it, with the application on it."""
    install_site(machine)
    write_application(machine.inside(DATABASE), machine.inside(UPLOADS))
    return open_host(machine.settings("aplikasi"))


@pytest.fixture
def service(host: Host, machine: SystemdHost) -> Iterator[Service]:
    """The service, open to people."""
    opened = open_service(host, site_settings())
    opened.start()
    opened.open()
    yield opened
    for name in ("unhealthy", "refuse-start", "ignore-stop"):
        (machine.inside(STATE) / name).unlink(missing_ok=True)
    machine.systemctl("unmask", UNIT)
    machine.systemctl("start", "nginx")


def test_people_meet_the_page_from_before_the_stop_until_after_the_start(
    service: Service, machine: SystemdHost
) -> None:
    """At no instant is there a dead port, and at none the application while its units go down or come up."""
    seen: dict[str, tuple[int, str]] = {}

    def observer(name: str) -> None:
        seen[name] = machine.answer("/sehat")

    with points.observe(observer):
        stopped = service.stop()
        down = service.prove_down()
        assert (503, TEXT) == machine.answer("/sehat")
        assert "stopped" == service.state()
        started = service.start()
        assert (503, TEXT) == machine.answer("/sehat"), "well, and still behind its page"
        assert started == {**service.prove_well(), **{key: started[key] for key in ("at", "seconds")}}
        opened = service.open()
    assert {name: status for name, (status, _) in seen.items()} == {
        "service: before closing web": 200,
        f"unit: after stopping {WORKER}": 503,
        f"unit: after stopping {UNIT}": 503,
        f"unit: after starting {UNIT}": 503,
        f"unit: after starting {WORKER}": 503,
        "service: before opening web": 503,
    }
    assert 200 == machine.answer("/sehat")[0]
    watched = {"port": 8000, "health_url": HEALTH, "page_url": PAGE, "flag": FLAG}
    for evidence in (stopped, down):
        assert ("stopped", "closed", "shown") == tuple(evidence[key] for key in ("state", "port", "page"))
        assert {WORKER: "inactive (dead)", UNIT: "inactive (dead)"} == evidence["units"]
        assert watched == evidence["watched"]
    for evidence, page in ((started, "shown"), (opened, "200 without its flag")):
        assert ("running", "open", "200", page) == tuple(evidence[key] for key in ("state", "port", "health", "page"))


def test_an_application_that_is_not_well_stays_behind_the_page(service: Service, machine: SystemdHost) -> None:
    """Whoever comes meanwhile must not work on data that may go back."""
    service.stop()
    service.start()  # so that on a busy machine, too, it answers within the time below
    (machine.inside(STATE) / "unhealthy").touch()
    with pytest.raises(ServiceError, match=r"not healthy after 2 s \(manager: running, port: open, health: 500"):
        open_service(service._host, site_settings(start_timeout=2)).start()
    assert (503, TEXT) == machine.answer()
    assert "closed" == service.state()
    assert not service.healthy()
    (machine.inside(STATE) / "unhealthy").unlink()
    assert "shown" == service.start()["page"]
    assert "200 without its flag" == service.open()["page"]


def test_a_page_that_is_not_shown_stops_nothing(service: Service, machine: SystemdHost) -> None:
    """The web server does not know the flag: the service stays open, and the flag goes again."""
    other = f"{FLAG}-lain"
    wrong = site_settings(maintenance={"flag": other, "url": PAGE, "text": TEXT})
    with pytest.raises(
        ServiceError, match=r"does not show the maintenance page of web .*200 in spite of its flag"
    ) as e:
        open_service(service._host, wrong).stop()
    assert "nothing was stopped, and the flag was removed again" == e.value.state
    assert not machine.inside(other).exists()
    assert service.healthy()


def test_another_page_with_503_is_not_the_page(service: Service, machine: SystemdHost) -> None:
    """An overloaded web server says 503, too, and opens again by itself."""
    wrong = site_settings(maintenance={"flag": FLAG, "url": PAGE, "text": "Halaman lain"})
    with pytest.raises(ServiceError, match=r"does not show the maintenance page of web .*503 in spite of its flag"):
        open_service(service._host, wrong).stop()
    assert not machine.inside(FLAG).exists()
    assert machine.is_active(UNIT)


def test_a_flag_that_somebody_else_has_put_is_left(service: Service, machine: SystemdHost) -> None:
    """People were kept out before, for a reason of somebody else's."""
    machine.inside(FLAG).touch()
    wrong = site_settings(maintenance={"flag": FLAG, "url": PAGE, "text": "Halaman lain"})
    with pytest.raises(
        ServiceError, match=r"does not show the maintenance page of web .*503 in spite of its flag"
    ) as e:
        open_service(service._host, wrong).stop()
    assert "nothing was stopped, and the flag, which had been there before, was left" == e.value.state
    assert machine.inside(FLAG).exists()
    assert machine.is_active(UNIT)


def test_a_page_that_cannot_be_asked_does_not_keep_what_was_closed_before_running(
    service: Service, machine: SystemdHost
) -> None:
    """Nothing says that people get in, so the units are stopped; that they are kept out is still to be proven."""
    machine.inside(FLAG).touch()
    unasked = site_settings(maintenance={"flag": FLAG, "url": "https://127.0.0.1:80/", "text": TEXT}, stop_timeout=6)
    with pytest.raises(ServiceError, match=r"not down after 6 s \(manager: stopped, port: closed"):
        open_service(service._host, unasked).stop()
    assert machine.inside(FLAG).exists()
    assert not machine.is_active(UNIT)


def test_a_health_url_that_the_page_answers_stops_nothing(service: Service, machine: SystemdHost) -> None:
    """The service could be stopped, and would never be found well again behind its page."""
    behind = site_settings(health_url=f"{PAGE}?dari=pulih")
    with pytest.raises(ServiceError, match=r"the health_url of web does not answer 200 while .*health: 503") as e:
        open_service(service._host, behind).stop()
    assert "nothing was stopped, and the flag was removed again" == e.value.state
    assert "give a health_url that leads past the page, such as the application's own port" == e.value.hint
    assert not machine.inside(FLAG).exists()
    assert service.healthy()


def test_a_page_without_its_flag_is_no_proof(service: Service, machine: SystemdHost) -> None:
    """Somebody removed the flag: nothing keeps people out any more once the application starts."""
    service.stop()
    machine.inside(FLAG).unlink()
    with pytest.raises(ServiceError, match=r"not down \(.*maintenance page: 502 without its flag\)"):
        service.prove_down()
    assert "stopped" == service.state()
    assert "shown" == service.stop()["page"]


def test_units_that_run_behind_the_page_are_not_down(service: Service, machine: SystemdHost) -> None:
    """A queue worker writes without any visitor."""
    service.stop()
    machine.systemctl("start", WORKER)
    with pytest.raises(ServiceError, match=rf"not down \(manager: {WORKER} active \(running\); {UNIT} inactive"):
        service.prove_down()
    assert "closed" == service.state()


def test_a_web_server_that_is_gone_is_as_good_as_a_page(service: Service, machine: SystemdHost) -> None:
    """Putting old data back must not wait for nginx."""
    service.stop()
    machine.systemctl("stop", "nginx")
    assert "Connection refused in spite of its flag" == service.prove_down()["page"]
    # Without the flag, people would meet the application as soon as nginx is back.
    machine.inside(FLAG).unlink()
    with pytest.raises(ServiceError, match=r"maintenance page: Connection refused without its flag\)"):
        service.prove_down()


def test_a_health_url_may_lead_through_the_web_server(service: Service, machine: SystemdHost) -> None:
    """It says 502 then, which is down only because systemd says so, too."""
    through = open_service(service._host, site_settings(health_url=PAST_PAGE, port=None))
    stopped = through.stop()
    assert ("stopped", "502", "shown") == tuple(stopped[key] for key in ("state", "health", "page"))
    machine.systemctl("start", WORKER)
    with pytest.raises(ServiceError, match=r"not down \(manager: .*, health: 502, maintenance page: shown\)"):
        through.prove_down()
    assert "200" == through.start()["health"]


def test_a_masked_unit_does_not_put_the_page_on(service: Service, machine: SystemdHost) -> None:
    """What could not be started again is not stopped, and nobody meets a page for it."""
    (machine.root / "run/systemd/system").mkdir(exist_ok=True)
    machine.run("mv", f"/etc/systemd/system/{UNIT}", f"/run/systemd/system/{UNIT}")
    machine.systemctl("mask", UNIT)
    with pytest.raises(ServiceError, match="is masked"):
        service.stop()
    assert service.state() == "running"
    machine.systemctl("unmask", UNIT)
    machine.run("mv", f"/run/systemd/system/{UNIT}", f"/etc/systemd/system/{UNIT}")
    machine.systemctl("daemon-reload")


def test_a_flag_that_cannot_be_put_stops_nothing(service: Service, machine: SystemdHost) -> None:
    """The directory is not there, or something else lies under that name."""
    for flag, words in ((f"{MISSING}/x/y", "cannot be used"), (STATE, "is no plain file")):
        broken = site_settings(maintenance={"flag": flag, "url": PAGE, "text": TEXT})
        with pytest.raises(ServiceError, match=words):
            open_service(service._host, broken).stop()
    assert service.healthy()


MISSING = "/srv/simpel/tidak-ada"


def test_a_page_needs_a_manager_that_knows_what_runs() -> None:
    """Behind a page, a port that is closed for others proves nothing."""
    changes = {"kind": "command", "units": [], "start": ["true"], "stop": ["true"]}
    with pytest.raises(ConfigurationError, match="nothing tells whether the service web is down behind its"):
        open_service(LocalHost(), site_settings(**changes))
