"""pulih completion: a script that lets the shell complete verbs, options and names."""

import click
from click.shell_completion import get_completion_class

from cli.output import Output

SHELLS = ("bash", "fish", "zsh")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script for a shell. For bash: pulih completion bash > /etc/bash_completion.d/pulih"""
    # Here, because the program's module imports its verbs.
    from cli.main import COMPLETION_VARIABLE

    output: Output = context.obj
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 — one of click's own three
    script = found(context.find_root().command, {}, "pulih", COMPLETION_VARIABLE).source()
    output.show({"shell": shell, "script": script}, [script])
