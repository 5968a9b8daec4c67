"""What can go wrong on the way to a machine, told so that an operator knows what to do."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from recovery.errors import ConfigurationError, HostError
from recovery.settings import HostSettings

NOT_REACHED = "nothing was asked of the machine"


@contextmanager
def connecting(settings: HostSettings) -> Iterator[None]:
    """Translate whatever Fabric and paramiko raise while a connection is made."""
    import paramiko

    title = f"{settings.name} ({settings.user}@{settings.address}, port {settings.port})"
    try:
        yield
    except paramiko.BadHostKeyException as error:
        raise HostError(
            f"{title} shows another host key than the pinned one: {error.key.fingerprint}"
            f" and not {error.expected_key.fingerprint}",
            state=NOT_REACHED,
            hint="if nobody has changed the machine's key, somebody stands in between: do not go on; "
            f"if it was changed, {_pin(settings)}",
        ) from error
    except paramiko.AuthenticationException as error:
        raise HostError(
            f"{title} refuses the key {settings.key}",
            state=NOT_REACHED,
            hint=f"put its public half into ~{settings.user}/.ssh/authorized_keys there (docs/hosts.md); "
            "passwords are never used",
        ) from error
    except paramiko.SSHException as error:
        if "not found in known_hosts" in str(error):
            raise HostError(
                f"the host key of {title} is not pinned in {settings.host_keys}", state=NOT_REACHED, hint=_pin(settings)
            ) from error
        raise HostError(
            f"{title} does not speak SSH as it should ({error})", state=NOT_REACHED, hint="see whether sshd runs there"
        ) from error
    except TimeoutError as error:
        raise HostError(
            f"{title} did not answer within {settings.connect_timeout:g} s",
            state=NOT_REACHED,
            hint="see whether the machine is up and a firewall lets the worker through",
        ) from error
    except socket.gaierror as error:
        raise HostError(
            f"the address of {title} is unknown ({error.strerror})", state=NOT_REACHED, hint="correct the inventory"
        ) from error
    except FileNotFoundError as error:
        if error.filename != settings.host_keys:  # pragma: no cover - no other file is opened here; not to be mistold
            raise
        raise ConfigurationError(
            f"the file of pinned host keys, {settings.host_keys}, is not there", state=NOT_REACHED, hint=_pin(settings)
        ) from error
    except (OSError, EOFError) as error:
        if isinstance(error, OSError) and error.filename == settings.host_keys:
            raise ConfigurationError(
                f"the file of pinned host keys, {settings.host_keys}, cannot be read ({error.strerror})",
                state=NOT_REACHED,
                hint="let the worker's account read it",
            ) from error
        # Of several addresses of one name; the system's own words stand in the last one.
        reasons = [each.strerror for each in getattr(error, "errors", {}).values()] or [
            getattr(error, "strerror", None) or "the connection was closed"
        ]
        raise HostError(
            f"{title} cannot be reached ({reasons[-1]})",
            state=NOT_REACHED,
            hint="see whether the machine is up, sshd listens there and a firewall lets the worker through",
        ) from error


def _pin(settings: HostSettings) -> str:
    return (
        f"pin it: ssh-keyscan -p {settings.port} {settings.address} >> {settings.host_keys}, and compare what "
        f"`ssh-keygen -lf {settings.host_keys}` says with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says "
        "on the machine itself"
    )
