"""The small office, whose application runs on another machine: several units of systemd behind nginx, over SSH."""

from pathlib import Path

from recovery.settings import ComponentSettings
from tests.testbed.small_office import SmallOffice, describe, open_office, write_application
from tests.testbed.systemd_host import SystemdHost
from tests.testbed.systemd_site import DATABASE, UPLOADS, install_site, site_settings


def open_systemd_office(root: Path, machine: SystemdHost) -> SmallOffice:
    """Build the office below a directory and its application on a machine, running."""
    office = open_office(root)
    # Its own service of the same name stays behind: the application has moved.
    office.stop_service_for_good()
    office.database, office.uploads = (machine.inside(path) for path in (DATABASE, UPLOADS))
    install_site(machine)
    write_application(office.database, office.uploads)
    installation = office.installation
    installation.hosts["server"] = machine.settings("server")
    application = installation.applications["simpel"]
    application.services[:] = [site_settings()]
    application.components[:] = [
        ComponentSettings(name="data", kind="sqlite", path=DATABASE, lock_timeout=3),
        ComponentSettings(name="berkas", kind="files", path=UPLOADS),
    ]
    for service in installation.services("simpel"):
        service.start()
        service.open()
    describe(office)
    return office
