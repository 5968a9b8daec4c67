"""pulih request: a letter that came on paper becomes a request of a restore."""

import os
from pathlib import Path

import click

from cli.output import Output


@click.command("request")
@click.argument("letter", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Check the letter and send nothing.")
@click.pass_obj
def command(output: Output, letter: Path, dry_run: bool) -> None:
    """Check the LETTER (YAML with the fields of the restore request form) and start the restore procedure with it.

    What is checked is what the procedure itself checks first. deployments/letter.example.yaml shows all fields.
    """
    # Here, because help must not cost the import of everything.
    from recovery.prefect_api import prefect_api
    from recovery.procedures.restore.begin import check_request
    from recovery.procedures.restore.letter import read_letter
    from recovery.procedures.restore.sending import send_request

    request = read_letter(letter)
    requester = check_request(output.installation, request)
    flow_run_id, address = "", ""
    if not dry_run:
        api = prefect_api(os.environ)
        flow_run_id = send_request(api, request)
        address = api.run_address(flow_run_id)
    data = {
        "application": request.aplikasi,
        "letter": request.nomor_surat,
        "requester": requester.nip,
        "dry_run": dry_run,
        "flow_run_id": flow_run_id,
        "address": address,
    }
    about = f"{request.nomor_surat}, {request.aplikasi}, for {requester.name}"
    if dry_run:
        output.show(data, [f"the request could be sent: {about} (dry run: it was not)"])
    else:
        output.show(data, [f"sent: {about}", f"id {flow_run_id}", f"it waits for its disposition: {address}"])
