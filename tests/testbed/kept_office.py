"""An office that was brought to a stage once and is put back there for each test: what took long takes a moment."""

import shutil
from pathlib import Path

from recovery.installation import remove_tree
from tests.testbed.small_office import SmallOffice, attach

# All that is changed by what is done to an office, but for its service's process.
PARTS = ("app", "keys", "state", "store")
ORDERS = ("ignore-stop", "refuse-start", "unhealthy*")


def keep(office: SmallOffice, stage: str) -> None:
    """Remember the office as it is now, under the name of a stage."""
    office.installation.catalog.dispose()
    for part in PARTS:
        shutil.copytree(office.root / part, _kept(office.root, stage) / part, symlinks=True)


def put_back(root: Path, stage: str, *, running: bool = True) -> SmallOffice:
    """Bring the office in a directory back to a stage, with its services running (or none), and open it.

    Call it when nobody else has the office open; dispose of its catalog before the next call.
    """
    for part in PARTS:
        remove_tree(root / part)
        shutil.copytree(_kept(root, stage) / part, root / part, symlinks=True)
    for order in ORDERS:
        for path in root.glob(f"service*/{order}"):
            path.unlink()
    (root / "notices.txt").unlink(missing_ok=True)
    (_start if running else _stop)(attach(root))
    return attach(root)


def _stop(office: SmallOffice) -> None:
    office.stop_service_for_good()
    for service in office.installation.services(office.application):
        service.stop()


def _start(office: SmallOffice) -> None:
    services = office.installation.services(office.application)
    # A service opens its database for each question, so one that runs answers from what was put back.
    for service in services:
        service.start()
    # Those that share a maintenance page are opened when all are well.
    for service in services:
        service.open()


def _kept(root: Path, stage: str) -> Path:
    return root.parent / f"{root.name}-{stage}"
