"""A small application on the systemd test host: a unit behind nginx, which shows a page while a flag file is there."""

from pathlib import Path
from typing import Any

from recovery.settings import ServiceSettings
from tests.testbed.systemd_host import SystemdHost

UNIT = "simpel.service"
WORKER = "antrean.service"
TEXT = "Sedang dalam pemeliharaan"
# Everything of the application lies below this directory of the machine.
HOME = "/srv/simpel"
STATE, DATABASE, UPLOADS = f"{HOME}/state", f"{HOME}/app/simpel.db", f"{HOME}/app/unggahan"
FLAG = f"{HOME}/penanda/tutup"
PORT = 8000
PROGRAM = Path(__file__).with_name("web_service.py")
HEALTH, PAGE = f"http://127.0.0.1:{PORT}/sehat", "http://127.0.0.1/sehat"
# Through the web server, and past the page.
PAST_PAGE = "http://127.0.0.1/langsung"

NGINX = f"""\
server {{
    listen 127.0.0.1:80;
    location / {{
        if (-f {FLAG}) {{ return 503 "{TEXT}"; }}
        proxy_pass http://127.0.0.1:{PORT};
    }}
    location = /langsung {{
        proxy_pass http://127.0.0.1:{PORT}/sehat;
    }}
}}
"""


def install_site(machine: SystemdHost, account: str = "root") -> None:
    """Put the application there, without its data, as the account under which it runs; start nginx."""
    for folder in (STATE, str(Path(DATABASE).parent), str(Path(FLAG).parent)):
        machine.inside(folder).mkdir(parents=True, exist_ok=True)
    machine.write("/opt/simpel/web_service.py", PROGRAM.read_text())
    machine.write("/etc/nginx/conf.d/simpel.conf", NGINX)
    run = f"/usr/bin/python3 /opt/simpel/web_service.py run {STATE} {PORT} {DATABASE}"
    service = f"[Service]\nUser={account}\nExecStart={run}\nTimeoutStopSec=infinity\n"
    machine.unit(UNIT, f"[Unit]\nDescription=SIMPEL\n{service}")
    machine.unit(WORKER, f"[Service]\nUser={account}\nExecStart=/bin/sleep infinity\n")
    machine.run("chown", "-R", f"{account}:{account}", HOME)
    machine.systemctl("restart", "nginx")


def site_settings(**changes: Any) -> ServiceSettings:
    """The settings of the application's service; changes override."""
    settings = {
        "name": "web",
        "kind": "systemd",
        "units": [WORKER, UNIT],
        "health_url": HEALTH,
        "port": PORT,
        "maintenance": {"flag": FLAG, "url": PAGE, "text": TEXT},
        "stop_timeout": 60,
        "start_timeout": 60,
    }
    return ServiceSettings.model_validate({**settings, **changes})
