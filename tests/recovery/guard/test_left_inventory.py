"""Restores whose application, or a component of it, leaves the inventory before they have come to their end."""

from collections.abc import Callable

import pytest

from recovery.errors import NotFoundError, ProcedureError, SourceBusyError
from recovery.guard.report import Alarm, Report
from recovery.procedures.conclude import conclude_given_up, conclude_rejected
from recovery.procedures.questions import question_of
from recovery.procedures.restore.interventions import STOPPING
from recovery.procedures.restore.inventoried import _control
from recovery.procedures.restore.r4_stop_service import stop_service
from recovery.records import ledger, procedures
from recovery.settings import ApplicationSettings, ServiceSettings
from recovery.standing import overview
from tests.recovery.guard.conftest import Scene
from tests.testbed.small_office import DISPOSITION, KABID, KADIS, VERIFICATION

PUT_BACK = "put the entry back into inventory.yaml as it was and run `pulih apply`; "


def take_out(scene: Scene) -> ApplicationSettings:
    return scene.installation.applications.pop("simpel")


def put_in(scene: Scene, settings: ApplicationSettings) -> None:
    scene.installation.applications["simpel"] = settings


def of_the_restore(report: Report) -> list[Alarm]:
    return [alarm for alarm in report.alarms if alarm.kind in ("restore", "service")]


def web(scene: Scene) -> str:
    """How people are told of the application's service."""
    application = scene.installation.applications["simpel"]
    (service,) = application.services
    return f"web (command: {' '.join(service.start)}) on {scene.installation.host_of(application).title()}"


def untouched(scene: Scene) -> None:
    pass


def prepared(scene: Scene) -> None:
    scene.prepare()


def swapped_in_part(scene: Scene) -> None:
    scene.prepare()
    scene.swap("simpel/data")


def swapped(scene: Scene) -> None:
    swapped_in_part(scene)
    scene.swap("simpel/berkas")


def kept(scene: Scene) -> None:
    swapped(scene)
    scene.mark("simpel/data", "kept")
    scene.mark("simpel/berkas", "kept")


BY_HAND = "whoever cannot wait for it may start them by hand"
NOT_BY_HAND = "start nothing by hand before: people would work on data that goes back"


@pytest.mark.parametrize(
    ("die", "live", "by_hand", "in_the_end"),
    [
        (untouched, "the whole old data is live", BY_HAND, "old"),
        (prepared, "the whole old data is live", BY_HAND, "old"),
        (swapped_in_part, "part of the data may be new and part of it old", NOT_BY_HAND, "old"),
        (swapped, "the whole new data is live, not yet for good", NOT_BY_HAND, "old"),
        (kept, "the whole new data is live", BY_HAND, "new"),
    ],
)
def test_stopped_services_are_told_exactly_and_started_when_the_entry_is_back(
    stopped: Scene, die: Callable[[Scene], None], live: str, by_hand: str, in_the_end: str
) -> None:
    """Nothing is touched meanwhile: neither by the guard nor by a run that comes again."""
    services = web(stopped)
    die(stopped)
    stopped.forget_leases()
    before, states = stopped.content(), stopped.states()
    application = take_out(stopped)
    what = f"the application simpel of the restore {stopped.procedure_id} is not in the inventory any more"
    state = f"{live}, and its services may be stopped: {services}"
    hint = f"{PUT_BACK}the guard then ends what was begun and starts the services; then Retry the run; {by_hand}"
    for _ in range(2):
        (alarm,) = of_the_restore(stopped.guard())
        assert ("restore", "simpel", f"{what}; {state}", hint) == (
            alarm.kind,
            alarm.subject,
            alarm.message,
            alarm.mend,
        )
    assert ["guard.failed"] == stopped.kinds(), "recorded once"
    for number in (5, 6):
        with pytest.raises(NotFoundError) as caught:
            stopped.office.step(f"restore.{number}", stopped.procedure_id)
        assert (what, state, hint) == (caught.value.message, caught.value.state, caught.value.hint)
    assert (before, states) == (stopped.content(), stopped.states())

    put_in(stopped, application)
    assert [] == of_the_restore(stopped.guard())
    assert stopped.office.service_running()
    assert getattr(stopped, in_the_end) == stopped.content()
    assert stopped.ledger_is_intact()


def test_what_is_settled_needs_its_components_no_more(stopped: Scene) -> None:
    """The old data is back, or the new is there for good: a component that left keeps no service from being started."""
    kept(stopped)
    stopped.forget_leases()
    components = stopped.installation.applications["simpel"].components
    (berkas,) = [each for each in components if each.name == "berkas"]
    components.remove(berkas)
    report = stopped.guard()
    assert "guard.service_started" in [action.kind for action in report.actions]
    assert stopped.office.service_running()
    assert [] == of_the_restore(report)
    assert stopped.new == stopped.content()


def test_a_component_that_left_while_its_data_may_move_is_told_and_nothing_is_touched(stopped: Scene) -> None:
    """All are swapped, or all go back: without one of them nothing can be done."""
    swapped_in_part(stopped)
    stopped.forget_leases()
    before, states = stopped.content(), stopped.states()
    components = stopped.installation.applications["simpel"].components
    (berkas,) = [each for each in components if each.name == "berkas"]
    components.remove(berkas)
    (alarm,) = of_the_restore(stopped.guard())
    what = f"the component simpel/berkas of the restore {stopped.procedure_id} is not in the inventory any more; "
    assert alarm.message.startswith(f"{what}part of the data may be new and part of it old, and its services may be ")
    assert (before, states) == (stopped.content(), stopped.states())
    components.append(berkas)
    stopped.guard()
    assert stopped.old == stopped.content()
    assert stopped.office.service_running()


def test_after_the_services_were_started_the_records_alone_end_the_restore(stopped: Scene) -> None:
    """The requester is informed, acknowledges, and the form says what was done."""
    for number in (5, 6):
        stopped.office.step(f"restore.{number}", stopped.procedure_id)
    application = take_out(stopped)
    assert [] == of_the_restore(stopped.guard())
    (procedure,) = overview(stopped.installation, stopped.office.clock).procedures
    assert () == procedure.missing
    assert stopped.office.finish(stopped.procedure_id).good
    assert "simpel/data (tidak lagi dalam inventaris)" in stopped.form()
    put_in(stopped, application)
    assert stopped.office.service_running()
    assert stopped.new == stopped.content()


def test_a_restore_that_was_put_back_is_ended_by_the_records_alone(stopped: Scene) -> None:
    """The guard had ended it before the entry was taken out; the copies' removal is then nobody's any more."""
    swapped_in_part(stopped)
    stopped.forget_leases()
    stopped.guard()
    stopped.office.step("restore.6", stopped.procedure_id)
    take_out(stopped)
    assert not stopped.office.finish(stopped.procedure_id).good
    with stopped.installation.catalog.read() as connection:
        assert "closed" == procedures.get(connection, stopped.procedure_id).state


def test_before_step_4_it_is_told_and_closed_and_its_copies_go_when_the_entry_is_back(scene: Scene) -> None:
    """A restore that its executor has started: step 4 stops nothing, and the next request is not kept out."""
    application = take_out(scene)
    what = f"the application simpel of the restore {scene.procedure_id} is not in the inventory any more; "
    state = "nothing was changed: no service was stopped for it and no data exchanged"
    hint = f"{PUT_BACK}then Retry the run; or end the restore: pulih close {scene.procedure_id} --reason …"
    (alarm,) = of_the_restore(scene.guard())
    assert (what + state, hint) == (alarm.message, alarm.mend)
    (procedure,) = overview(scene.installation, scene.office.clock).procedures
    assert ("simpel",) == procedure.missing
    conclusion = conclude_given_up(scene.installation, scene.procedure_id, "Aplikasi pindah.")
    assert conclusion.sentence == (
        "Permintaan ditutup. Alasan: Aplikasi pindah.\nsimpel tidak lagi dalam inventaris: salinan gladi yang mungkin "
        "ada di samping datanya tidak dihapus. Penjaga menghapusnya bila entri itu dikembalikan."
    )
    assert "tidak lagi dalam inventaris" not in (scene.office.root / "notices.txt").read_text(), "not the requester's"
    assert [] == of_the_restore(scene.guard())
    put_in(scene, application)
    assert 2 == len(scene.copies())
    scene.guard()
    assert [] == scene.copies()
    assert scene.office.service_running()
    assert scene.old == scene.content()


def test_a_step_4_without_the_entry_stops_nothing_and_can_be_retried(scene: Scene) -> None:
    """The executor's go-ahead came before the entry was taken out."""
    application = take_out(scene)
    with pytest.raises(NotFoundError, match="is not in the inventory any more"):
        scene.office.step("restore.4", scene.procedure_id)
    (alarm,) = of_the_restore(scene.guard())
    assert alarm.message.endswith("; nothing was changed: no service was stopped for it and no data exchanged")
    assert (
        f"{PUT_BACK}then Retry the run; or end the restore: pulih close {scene.procedure_id} --reason …" == alarm.mend
    )
    put_in(scene, application)
    assert scene.office.service_running()
    for number in (4, 5, 6):
        scene.office.step(f"restore.{number}", scene.procedure_id)
    assert scene.office.finish(scene.procedure_id).good
    assert scene.new == scene.content()


def test_a_step_4_that_failed_before_it_stopped_anything_is_closed_and_no_alarm_follows(scene: Scene) -> None:
    """Else the application's next restore would wait for an entry that was taken out for good. That its service stands
    still afterwards has other reasons."""
    office, application = scene.office, take_out(scene)
    with pytest.raises(NotFoundError, match="is not in the inventory any more"):
        office.step("restore.4", scene.procedure_id)
    assert conclude_given_up(scene.installation, scene.procedure_id, "Aplikasi pindah.").good
    assert "Tidak ada data atau layanan yang diubah." in (office.root / "notices.txt").read_text()
    put_in(scene, application)
    with pytest.raises(ProcedureError, match=f"procedure {scene.procedure_id} is closed"):
        office.step("restore.4", scene.procedure_id)
    with pytest.raises(ProcedureError, match=f"procedure {scene.procedure_id} is closed; nothing was stopped"):
        stop_service(scene.installation, scene.procedure_id)
    assert office.service_running(), "a try that was taken for dead stops nothing either"
    assert [] == scene.kinds(STOPPING)
    for service in scene.installation.services("simpel"):
        service.stop()
    assert [] == of_the_restore(scene.guard())
    assert office.request() != scene.procedure_id, "the next request is taken"


def test_a_step_4_that_failed_after_it_began_to_stop_is_not_closed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services may be down: the guard brings them back."""
    monkeypatch.setattr("recovery.procedures.restore.r4_stop_service.make_quiet", busy)
    with pytest.raises(SourceBusyError):
        scene.office.step("restore.4", scene.procedure_id)
    with pytest.raises(ProcedureError, match="is between its steps 4 and 6 and not settled"):
        conclude_given_up(scene.installation, scene.procedure_id, "Aplikasi pindah.")


def busy(*_anything: object) -> None:
    raise SourceBusyError("somebody has the data open", state="nothing was exchanged")


def test_how_a_service_is_controlled_is_told_as_its_administrator_knows_it() -> None:
    """Of each kind by what he would write."""
    assert ["timer.timer, web.service", "web", "/usr/bin/web --port '8 0'"] == [
        _control(ServiceSettings(name="web", **given)).partition(": ")[2]
        for given in (
            {"kind": "systemd", "units": ["timer.timer", "web.service"]},
            {"kind": "supervisor", "program": "web"},
            {"kind": "command", "start": ["/usr/bin/web", "--port", "8 0"]},
        )
    ]


def test_services_that_an_earlier_release_stopped_are_told_without_their_names(stopped: Scene) -> None:
    """It recorded the application alone."""
    stopped.forget_leases()
    take_out(stopped)
    with stopped.installation.catalog.begin() as connection:
        ledger.append(connection, STOPPING, {"application": "simpel"}, procedure_id=stopped.procedure_id)
    (alarm,) = of_the_restore(stopped.guard())
    assert alarm.message.endswith("; the whole old data is live, and its services may be stopped")


def test_what_the_guard_has_started_is_said(stopped: Scene) -> None:
    """The run comes again after the guard's end of it, when the entry is gone."""
    stopped.forget_leases()
    stopped.guard()
    take_out(stopped)
    with pytest.raises(NotFoundError) as caught:
        stopped.office.step("restore.5", stopped.procedure_id)
    assert "the whole old data is live, and the guard has started its services" == caught.value.state


def test_a_request_that_cannot_be_verified_any_more_is_disposed_of_told_and_rejected(scene: Scene) -> None:
    """The Kadis and the Kabid decide on what is on record; nobody is asked to approve what cannot be done."""
    office = scene.office
    conclude_given_up(scene.installation, scene.procedure_id, "Diganti.")
    first, application = office.request(), take_out(scene)
    office.decide("restore.2", first, KADIS, "diteruskan", **DISPOSITION)
    office.step("restore.2", first)
    with pytest.raises(NotFoundError, match=f"the application simpel of the restore {first} is not in the inventory"):
        question_of(scene.installation, first, "restore.3")
    put_in(scene, application)
    asked = {**VERIFICATION, "cadangan_utuh": "tidak"}
    office.decide("restore.3", first, KABID, "ditolak", note="Aplikasi dihapus.", **asked)
    take_out(scene)
    office.step("restore.3", first)
    assert "Permintaan ditolak. Alasan: Aplikasi dihapus." == conclude_rejected(scene.installation, first).sentence


def test_a_rehearsal_of_what_left_the_inventory_is_not_begun(scene: Scene) -> None:
    """The Kabid approved, and nobody has the places of the data any more; the executor is asked for nothing either."""
    office = scene.office
    with pytest.raises(NotFoundError, match="not in the inventory any more; nothing was changed"):
        application = take_out(scene)
        question_of(scene.installation, scene.procedure_id, "restore.start")
    put_in(scene, application)
    conclude_given_up(scene.installation, scene.procedure_id, "Diganti.")
    other = office.request()
    office.decide("restore.2", other, KADIS, "diteruskan", **DISPOSITION)
    office.step("restore.2", other)
    office.decide("restore.3", other, KABID, "disetujui", **VERIFICATION)
    take_out(scene)
    with pytest.raises(NotFoundError, match="not in the inventory any more; nothing was changed"):
        office.step("restore.3", other)
