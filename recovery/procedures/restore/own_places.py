"""What no restore may touch, asked of the settings of the day: a worker has them from blocks that anybody with the
Prefect API can write, and not from an inventory that was validated."""

from recovery.errors import ConfigurationError
from recovery.installation import Installation
from recovery.inventory_places import own_places


def refuse_own_places(installation: Installation, application_name: str) -> None:
    """Given an application that is to be restored, return when none of its components is, holds or lies in what Pulih
    itself depends on: records, keys, stores, Prefect's database (design §10). Raises ConfigurationError, NotFoundError.
    """
    application = installation.application(application_name)
    found = own_places(
        installation.office,
        installation.keys,
        dict(enumerate(installation.hosts.values())),
        dict(enumerate(installation.stores.values())),
        {0: application},
    )
    for complaint in found:
        component = application.components[int(complaint.location[3])]
        raise ConfigurationError(
            f"{application.name}/{component.name} is never restored: its {complaint.location[4]} {complaint.message}",
            state="nothing was touched",
            hint="`pulih apply` says whether the Prefect server has the inventory's settings; if not, find out who "
            "changed the block of this application",
        )
