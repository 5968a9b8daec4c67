"""Which sweep must come to which point. Whoever declares one whose name begins like no other adds a line here."""

import ast
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

# By how the name begins, the longest that fits: the sweep whose clean run reaches it, by its title.
SWEEPS = {
    "backup.": "backup",
    "backup.4: incomplete": "backup with a store down",
    "catalog: ": "backup",
    "conclusion: ": "backup",
    "form: ": "backup",
    "new file: ": "backup",
    "records: ": "backup",
    "set: ": "backup",
    "store: object ": "backup",
    "store: object removed": "destruction",
    "store: directory made": "backup",
    "stream: ": "backup",
    "files: ": "restore",
    "notice: ": "restore",
    "quiet: ": "restore",
    "rehearsal: ": "restore",
    "service: ": "restore",
    "services: ": "restore",
    "sqlite: ": "restore",
    "drill: ": "drill",
    "key: identity added": "rotation of the operations key",
    "key: identity made": "rotation of the escrow key",
    "key: made": "making of the keys",
    "key: ": "rotation of the signing key",
    "rebuild: ": "rebuild",
    "retention: ": "destruction",
    "sync: ": "synchronisation",
}
# What only other offices than the sweep's have, and where the work dies there (for buckets: is broken off).
ENGINES = "tests/recovery/procedures/test_killed_engines.py"
MACHINE = "tests/recovery/procedures/test_systemd_office.py"
BUCKET = "tests/recovery/stores/test_s3_killed.py"
ELSEWHERE = {
    "*: before *": ENGINES,
    "*: after *": ENGINES,
    "*: before fingerprint": ENGINES,
    "*: after fingerprint": ENGINES,
    "service: before opening *": MACHINE,
    "service: before closing *": MACHINE,
    "unit: after stopping *": MACHINE,
    "unit: after starting *": MACHINE,
    "store: upload begun": BUCKET,
    "store: parts sent": BUCKET,
}


@cache
def declared() -> frozenset[str]:
    """Every point in the code; what is put into its name at run time is a star."""
    found = set()
    for path in sorted((ROOT / "recovery").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "reached":
                found.add(_name(node.args[0]))
    return frozenset(found)


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_name(each) for each in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else "*"


def sweep_of(point: str) -> str:
    """The title of the sweep that must come to a point, or the file in which the work dies there; "" when none does."""
    if point in ELSEWHERE:
        return ELSEWHERE[point]
    fitting = [start for start in SWEEPS if point.startswith(start)]
    return SWEEPS[max(fitting, key=len)] if fitting else ""


def unreached(title: str, names: list[str]) -> list[str]:
    """The points that a sweep must come to, and that are not among those that its clean run reached."""
    own = [point for point in declared() if sweep_of(point) == title]
    return sorted(point for point in own if not any(fnmatchcase(name, point) for name in names))
