"""pulih sudoers: the file that lets an account without root's rights stop and start a host's services."""

import click

from cli.completing import host_names
from cli.output import Output


@click.command("sudoers")
@click.argument("host", shell_complete=host_names)
@click.option("--account", default="", help="The account on HOST.  [default: the inventory's, or the worker's own]")
@click.pass_obj
def command(output: Output, host: str, account: str) -> None:
    """Print the file of sudoers for HOST: one exact line for each command that Pulih runs there through sudo.

    Changes nothing. Check it with `visudo -cf` and install it on HOST as /etc/sudoers.d/pulih.
    """
    # Here, because help must not cost the import of everything.
    import getpass

    from recovery.errors import NotFoundError
    from recovery.hosts.services_sudo import commands_for, sudoers

    known = {each.name: each for each in output.inventory.hosts}
    if host not in known:
        raise NotFoundError(f"there is no host {host!r}", hint=f"known are {', '.join(sorted(known)) or '(none)'}")
    commands = commands_for(
        service
        for application in output.inventory.applications
        if application.host == host
        for service in application.services
    )
    name = account or known[host].user or getpass.getuser()
    text = sudoers(host, name, commands)
    output.show({"host": host, "account": name, "commands": commands, "file": text}, text.splitlines())
