"""The register and the tasks are the same list: one task per step, named in the SOP's words."""

import ast
import importlib
from pathlib import Path

from recovery import sop

ROOT = Path(__file__).resolve().parent.parent.parent


def load_all_tasks() -> dict:
    for path in sorted((ROOT / "tasks").rglob("*.py")):
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    from tasks.step import STEP_TASKS

    return STEP_TASKS


def test_every_register_entry_has_exactly_one_task_and_no_task_is_without_entry() -> None:
    """Loading all of tasks/ defines each step once; a second definition raises while loading."""
    assert sorted(entry.id for entry in sop.STEPS) == sorted(load_all_tasks())


def test_a_task_carries_the_sops_number_and_wording() -> None:
    """Officials find a step on the dashboard by the words of their SOP."""
    tasks = load_all_tasks()
    assert "4. Mengamankan hasil backup" == tasks["backup.4"].name
    for entry in sop.STEPS:
        assert f"{entry.number}. {entry.wording}" == tasks[entry.id].name
        assert {"sop", entry.id} == tasks[entry.id].tags


def test_a_steps_file_carries_its_position_in_the_procedure() -> None:
    """A reader who knows the SOP finds any step by its file's name."""
    for procedure in ("backup", "restore"):
        files = sorted(path.stem for path in (ROOT / "tasks" / procedure).glob("[br]*.py"))
        positions = [f"{procedure[0]}{position}" for position in range(1, len(sop.steps_of(procedure)) + 1)]
        assert positions == [name.split("_")[0] for name in files]


def test_a_flow_calls_its_steps_once_each_in_the_sops_order() -> None:
    """Read from the flow's own text: the body is the procedure."""
    tasks = load_all_tasks()
    for procedure in ("backup", "restore"):
        tree = ast.parse((ROOT / "flows" / f"{procedure}.py").read_text(encoding="utf-8"))
        module = importlib.import_module(f"flows.{procedure}")
        body = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == procedure)
        called = []
        for node in ast.walk(body):
            if isinstance(node, ast.Call):
                name = node.func.value if isinstance(node.func, ast.Attribute) else node.func
                task = getattr(module, name.id, None) if isinstance(name, ast.Name) else None
                if task in tasks.values():
                    called.append((node.lineno, task.entry.id))
        assert [entry.id for entry in sop.steps_of(procedure)] == [step_id for _line, step_id in sorted(called)]


def test_no_step_uses_prefects_cache() -> None:
    """Its default repeats a step after a code change, and skips one that looks alike: the catalog decides."""
    from prefect.cache_policies import NO_CACHE

    for task in load_all_tasks().values():
        assert NO_CACHE == task.cache_policy
        assert task.persist_result is False
        assert 0 == task.retries


def test_the_two_steps_that_print_the_number_six_are_kept_apart() -> None:
    """The restore procedure numbers two steps "6"; the ids are ours and differ."""
    sixes = [entry.id for entry in sop.steps_of("restore") if entry.number == "6"]
    assert ["restore.6", "restore.7"] == sixes
