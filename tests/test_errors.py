"""Whoever reads an error knows the state of the data and what to do; what lacks that stands here with its reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

from recovery import errors
from recovery.errors import PulihError

RECOVERY = Path(__file__).resolve().parent.parent / "recovery"
NAMES = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, PulihError)}

# What the programs that are shipped to hosts say, and the worker raises by the name of one of these.
PROGRAM_ERROR = "ProgramError"

# Module, or module and what contains the error: why nobody is told what to do.
WITHOUT_HINT = {
    "forms/destruction.py build": "a defect: only plans with something to destroy come here",
    "forms/drill.py build": "a defect: only drills with components and our own verdicts come here",
    "forms/model.py approval_text": "a defect: the catalog holds only these decisions",
    "forms/render.py render": "for the type checker",
    "forms/restore.py build": "a defect: a restore has components",
    "forms/schedule.py build": "a defect: a schedule has applications",
    "forms/sheet.py render_sheet": "a defect of the template",
    "hosts/local.py _Piped._open": "a defect of the caller",
    "hosts/ssh_program.py RemoteProgram._send": "a defect of the caller",
    "procedures/drill.py prove": "caught at once: the message becomes the drill's finding",
    "procedures/questions.py question_of": "a defect of the caller",
    "quality/expectations.py ExpectPulihOwnersToEqual._compare": "becomes a finding of the verdict, in its words",
    "quality/judge.py _require_read_only": "a defect: our own sources make these addresses",
    "quality/manifest.py manifest_expectations": "a defect: one of our own sources measured it",
    "rebuild_records.py _extract": "caught: its message stands in the rebuild's own sentence",
    "rebuild_records.py _extract_member": "caught: its message stands in the rebuild's own sentence",
    "rebuild_sets.py recorded_head": "caught: its message stands in the rebuild's own sentence",
    "records/approval_requests.py Question.__post_init__": "a defect: our own questions are made so",
    "sources/files.py FilesSource._own": "a defect: copies' names come from the source itself",
    "sources/files.py FilesSource._checked": "a defect: receipts come from the source itself",
    "sources/server.py ServerSource._own": "a defect: copies' names come from the source itself",
    "sources/server.py ServerSource._checked": "a defect: receipts come from the source itself",
    "sources/sqlite.py SqliteSource._own": "a defect: copies' names come from the source itself",
    "sources/sqlite.py SqliteSource._checked": "a defect: receipts come from the source itself",
}
# In these nothing is there whose state could be told: they compute, read settings, or only look.
WITHOUT_STATE = {
    "calendar.py": "computes",
    "doctor/keys.py": "looks",
    "doctor/records.py": "looks",
    "forms/backup.py": "computes",
    "forms/model.py": "computes",
    "forms/restore.py": "computes",
    "forms/restore_request.py": "computes",
    "hosts/services.py": "reads settings",
    "hosts/services_sudo.py": "reads settings",
    "records/approval_requests.py Submission.__post_init__": "a defect of the caller",
    "records/backups.py": "looks up",
    "records/codes.py": "computes",
    "records/officials.py": "looks up",
    "secrets.py": "reads settings",
    "sources/base.py": "computes",
    "sources/server.py": "computes",
}


def test_every_error_says_the_state_of_the_data_and_what_to_do() -> None:
    lacking = [
        f"{place}: {error.func.id} lacks {word}"  # type: ignore[attr-defined]
        for place, error in _errors()
        for word, excused in (("hint", WITHOUT_HINT), ("state", {**WITHOUT_STATE, **WITHOUT_HINT}))
        if word in _lacking(error) and not {place, place.partition(" ")[0]} & excused.keys()
    ]
    assert [] == lacking


def test_every_exception_is_still_one() -> None:
    """What has got a hint meanwhile is held to it from then on."""
    for word, excused in (("hint", WITHOUT_HINT), ("state", WITHOUT_STATE)):
        found = {name for place, error in _errors() if word in _lacking(error) for name in _names(place)}
        assert set() == excused.keys() - found


def test_the_walk_sees_the_errors() -> None:
    """Over nothing it would always pass."""
    assert len(list(_errors())) > 300


def _names(place: str) -> tuple[str, str]:
    return place, place.partition(" ")[0]


def _errors() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(RECOVERY.rglob("*.py")):
        module = str(path.relative_to(RECOVERY))
        for scope, call in _calls(ast.parse(path.read_text(encoding="utf-8")), ""):
            if isinstance(call.func, ast.Name) and call.func.id in {*NAMES, PROGRAM_ERROR}:
                yield f"{module} {scope}", call


def _calls(node: ast.AST, scope: str) -> Iterator[tuple[str, ast.Call]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield scope, child
        named = isinstance(child, ast.ClassDef | ast.FunctionDef)
        yield from _calls(child, f"{scope}.{child.name}".lstrip(".") if named else scope)


def _lacking(error: ast.Call) -> set[str]:
    given = {keyword.arg for keyword in error.keywords if keyword.arg}
    if isinstance(error.func, ast.Name) and error.func.id == PROGRAM_ERROR:
        # These take kind, message, state and hint by their places, or a tuple of the last ones.
        unpacked = any(isinstance(argument, ast.Starred) for argument in error.args)
        given |= {"state", "hint"} if unpacked else {*("kind", "message", "state", "hint")[: len(error.args)]}
    return {"state", "hint"} - given
