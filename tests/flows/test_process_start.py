"""Starting a run's process stays cheap: it happens again after every approval."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Each takes from a quarter of a second to five, and only single steps need one.
HEAVY = (
    "great_expectations",
    "pandas",
    "numpy",
    "boto3",
    "botocore",
    "fabric",
    "paramiko",
    "typst",
    "alembic",
    "apprise",
    "holidays",
    "segno",
    "pyotp",
    "psycopg",
    "prefect.server.api.server",
)


def test_importing_the_flows_loads_nothing_that_only_single_steps_need() -> None:
    program = f"import sys, flows.backup, flows.restore; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "" == done.stdout.strip()
