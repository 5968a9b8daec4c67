"""For how long the service of a small office is waited for, where it is to fail: else as long as any machine takes."""

from tests.testbed.small_office import SmallOffice


def patience(office: SmallOffice, *, start: float = 60, stop: float = 60) -> None:
    """Given an office, say for how many seconds its service is waited for from now on, in this process."""
    (service,) = office.installation.applications[office.application].services
    service.start_timeout, service.stop_timeout = start, stop
