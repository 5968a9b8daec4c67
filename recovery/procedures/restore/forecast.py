"""What a restore of an application would do, before anybody asks for one. Changes nothing, and asks no Prefect."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from recovery import sop
from recovery.calendar import to_date, to_wib
from recovery.errors import ConflictError, NotFoundError, PulihError
from recovery.installation import Installation
from recovery.procedures.restore.plan import choose_backups
from recovery.procedures.restore.rehearsal import space_needed
from recovery.records import backups, leases, officials, procedures, steps


@dataclass(frozen=True)
class Measured:
    """How long something took when it was done last; `seconds` is None when it never was. `by` says what it was."""

    seconds: float | None = None
    by: str = ""


@dataclass(frozen=True)
class PlannedComponent:
    """One component: the backup that would be restored, what seems newer and was passed over, whether its moment is in
    doubt, whether it was taken after the damage (None: no), where to, in what that is not what was backed up, the room
    for its copy, and how long that takes."""

    component: str
    name: str
    moment: str
    verdict: str
    bytes: int
    stores: tuple[str, ...]
    passed_over: tuple[dict[str, str], ...]
    doubtful: bool
    after_incident: dict[str, Any] | None
    target: dict[str, Any]
    target_sha256: str
    differences: dict[str, Any]
    needed: int
    free: int | None
    rehearsal: Measured


@dataclass(frozen=True)
class PlannedService:
    """A service that would be stopped, and its state now: running, stopped, closed by its maintenance page, unknown."""

    name: str
    kind: str
    state: str


@dataclass(frozen=True)
class PlannedApproval:
    """A step that an official decides, and who could today: NIP, name, and whether a device is enrolled."""

    step_id: str
    title: str
    role: str
    officials: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Forecast:
    """The whole restore. `request_point` is what the request form has to say as `titik_pulih` to get exactly this."""

    application: str
    point: str | None
    request_point: str
    components: tuple[PlannedComponent, ...]
    services: tuple[PlannedService, ...]
    approvals: tuple[PlannedApproval, ...]
    downtime: Measured
    obstacles: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def forecast(
    installation: Installation, application_name: str, point: str | None, incident: str | None = None
) -> Forecast:
    """Given an application, a recovery point (UTC; None: the newest backups) and when the damage happened (UTC, where
    it is known), say what its restore would do.

    Raises NotFoundError when a component has no verified backup at or before the point.
    """
    chosen = choose_backups(installation, application_name, point, incident)
    components = tuple(_component(installation, key, facts) for key, facts in chosen.items())
    services = tuple(_services(installation, application_name))
    with installation.catalog.read() as connection:
        approvals = tuple(_approvals(connection))
        downtime = last_downtime(connection, application_name)
        obstacles = [
            *_occupied(connection, application_name, list(chosen)),
            *_room(components),
            *(f"nobody in office with an enrolled device can do {each.title!r}" for each in approvals if _nobody(each)),
        ]
    return Forecast(
        application_name,
        point,
        _as_requested(point),
        components,
        services,
        approvals,
        downtime,
        tuple(obstacles),
    )


def point_of(installation: Installation, application_name: str, name: str) -> str:
    """Given a backup's name, return the recovery point (UTC) at which the backups of its own run are the newest.

    The components of one run are dumped one after the other, so its point is the moment of the last of them. Raises
    NotFoundError when the application has no proven backup of that name.
    """
    with installation.catalog.read() as connection:
        backup = backups.by_name(connection, name)
        if backup is None or backup.application != application_name or backup.state != "secured":
            raise NotFoundError(
                f"{application_name} has no verified backup named {name!r}",
                state="nothing was touched",
                hint=f"`pulih backups {application_name}` lists the names",
            )
        run = backups.list_of_procedure(connection, backup.procedure_id)
    return max(each.moment for each in run if each.application == application_name and each.state == "secured")


def _component(installation: Installation, key: str, chosen: dict[str, Any]) -> PlannedComponent:
    source = installation.source(key)
    with installation.catalog.read() as connection:
        backup = backups.get(connection, chosen["backup_id"])
        rehearsal = _last_rehearsal(connection, key)
    try:
        free = source.free_space()
    except PulihError:
        # Said as "unknown": the plan is asked for when something is broken.
        free = None
    return PlannedComponent(
        component=key,
        name=chosen["name"],
        moment=chosen["moment"],
        verdict=chosen["verdict"],
        bytes=int(backup.facts["digests"]["cipher_size"]),
        stores=tuple(chosen["stores"]),
        passed_over=tuple(chosen["passed_over"]),
        doubtful=chosen["doubtful"],
        after_incident=chosen["after_incident"],
        target=source.identify(),
        target_sha256=chosen["target"],
        differences=chosen["differences"],
        needed=space_needed(chosen["totals"]),
        free=free,
        rehearsal=rehearsal,
    )


def _services(installation: Installation, application_name: str) -> list[PlannedService]:
    kinds = {service.name: service.kind for service in installation.application(application_name).services}
    planned = []
    for service in installation.services(application_name):
        try:
            state: str = service.state()
        except PulihError:
            state = "unknown"
        planned.append(PlannedService(service.name, kinds[service.name], state))
    return planned


def _approvals(connection: Connection) -> list[PlannedApproval]:
    planned = []
    for step in sop.steps_of("restore"):
        if step.id == "restore.4":
            planned.append(_approval(connection, sop.EXECUTOR_START, sop.EXECUTOR_START_TITLE, step.role))
        if step.approval:
            planned.append(_approval(connection, step.id, step.title, step.role))
    return planned


def _approval(connection: Connection, step_id: str, title: str, role: str) -> PlannedApproval:
    today = to_date(datetime.now(UTC)).isoformat()
    able = [each for each in officials.list_all(connection) if role in each.roles and each.is_in_office(today)]
    people = tuple({"nip": each.nip, "name": each.name, "enrolled": each.is_enrolled()} for each in able)
    return PlannedApproval(step_id, title, role, people)


def _nobody(approval: PlannedApproval) -> bool:
    # The requester may also answer with the receipt code of his notice.
    return approval.role != "pemohon" and not any(official["enrolled"] for official in approval.officials)


def _last_rehearsal(connection: Connection, key: str) -> Measured:
    application = key.partition("/")[0]
    for procedure in reversed(procedures.list_all(connection, "restore")):
        evidence = steps.evidence_of(connection, procedure.id, "restore.3") or {}
        if procedure.application == application and key in evidence.get("rehearsal", {}):
            return Measured(evidence["rehearsal"][key]["milliseconds"] / 1000, f"the rehearsal of {procedure.id}")
    # Proving a backup is the same work: decrypt, load, measure, judge. One that was retried took its pauses too.
    for procedure in reversed(procedures.list_all(connection, "backup")):
        row = steps.find(connection, procedure.id, "backup.2", key)
        if row is not None and row.state == "done" and row.ended_at and row.tries == 1:
            return Measured(_seconds(row.opened_at, row.ended_at), f"the proof of the backup {procedure.id}")
    return Measured()


def last_downtime(connection: Connection, application_name: str) -> Measured:
    """Given an application, return for how long its last restore kept it down. One that proved it never down counts
    for nothing."""
    for procedure in reversed(procedures.list_all(connection, "restore")):
        evidence = steps.evidence_of(connection, procedure.id, "restore.6") or {}
        if procedure.application == application_name and evidence.get("downtime_milliseconds") is not None:
            return Measured(evidence["downtime_milliseconds"] / 1000, f"the restore {procedure.id}")
    return Measured()


def _seconds(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def _occupied(connection: Connection, application_name: str, keys: list[str]) -> list[str]:
    found = []
    try:
        procedures.refuse_second_restore(connection, application_name)
    except ConflictError as error:
        found.append(error.message)
    wanted = {f"component:{key}" for key in keys}
    for lease in leases.list_leases(connection):
        if lease["resource"] in wanted and not lease["expired"] and lease["holder"]:
            found.append(f"{lease['resource'].removeprefix('component:')} is being worked on by {lease['holder']}")
    return found


def _room(components: tuple[PlannedComponent, ...]) -> list[str]:
    short = [
        f"{each.component} needs {each.needed} bytes beside its live data, and {each.free} are free"
        for each in components
        if each.free is not None and each.free < each.needed
    ]
    known = [each.free for each in components if each.free is not None]
    together = sum(each.needed for each in components)
    if not short and known and together > min(known):
        short.append(f"the copies need {together} bytes together, more than the {min(known)} free where least is free")
    return short


def _as_requested(point: str | None) -> str:
    """The form takes whole seconds: the next one still lies before whatever comes after the backups of this run."""
    if point is None:
        return ""
    moment = to_wib(point)
    whole = moment.replace(microsecond=0)
    return f"{whole if whole == moment else whole + timedelta(seconds=1):%Y-%m-%d %H:%M:%S}"
