"""What a shipped program says of what the system refuses it: it runs on any host, under the account of that host."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import recovery.hosts

NOBODY = 65534


@pytest.mark.root
def test_what_an_account_may_not_do_is_told_with_the_host_on_which_it_may_not() -> None:
    """Not the worker's: on another machine that account is nobody."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        root.chmod(0o755)
        shutil.copytree(Path(recovery.hosts.__file__).parent, root / "programs", ignore=shutil.ignore_patterns("_*"))
        (root / "closed").mkdir(0o700)
        command = ["/usr/bin/python3", root / "programs" / "helper.py", "files", "inspect", root / "closed" / "data"]
        ended = subprocess.run(command, capture_output=True, user=NOBODY, group=NOBODY, extra_groups=[], check=False)
    assert 3 == ended.returncode, ended.stderr
    assert {
        "error": "SourceError",
        "message": f"permission denied ({root / 'closed' / 'data'})",
        "state": "",
        "hint": "give Pulih's account on the host the right to do this",
    } == json.loads(ended.stderr.splitlines()[-1])
