"""The demonstration's machine: `python -m tests.testbed.systemd_demo DIRECTORY SSH_PORT WEB_PORT`.

Boots it, puts SIMPEL on it as a unit of systemd behind nginx, prints "ready", and keeps it until SIGTERM.
"""

import signal
import sys
import time
from pathlib import Path

from tests.testbed.systemd_host import SSH, WEB, SystemdHost, run_systemd_host

PROGRAMS = Path(__file__).resolve().parents[2] / "demo" / "simpel"
HOME = "/srv/simpel"
PORT = 8000
START_SECONDS = 60
FLAG = "/srv/simpel-pemeliharaan/tutup"
UNIT = f"""\
[Unit]
Description=SIMPEL
After=network.target
[Service]
WorkingDirectory=/opt/simpel
ExecStart=/usr/bin/python3 -m demo.simpel --database {HOME}/simpel.db --uploads {HOME}/unggahan --port {PORT}
Restart=on-failure
"""
NGINX = f"""\
server {{
    listen 127.0.0.1:80;
    client_max_body_size 100m;
    location / {{
        if (-f {FLAG}) {{ return 503 "SIMPEL sedang dalam pemeliharaan"; }}
        proxy_pass http://127.0.0.1:{PORT};
    }}
}}
"""


def install(machine: SystemdHost) -> None:
    """Put SIMPEL's programs there and start it; its data lies there already."""
    machine.write("/opt/simpel/demo/__init__.py", "")
    for path in PROGRAMS.glob("*.py"):
        machine.write(f"/opt/simpel/demo/simpel/{path.name}", path.read_text(encoding="utf-8"))
    machine.inside(FLAG).parent.mkdir(exist_ok=True)
    machine.write("/etc/nginx/conf.d/simpel.conf", NGINX)
    machine.unit("simpel.service", UNIT)
    machine.systemctl("restart", "simpel.service", "nginx.service")
    give_up_at = time.monotonic() + START_SECONDS
    # With a restore that was interrupted, it is the page that answers.
    while machine.answer("/sehat")[0] == 502:
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"SIMPEL does not answer there: {machine.run('journalctl', '--unit=simpel.service')}")
        time.sleep(0.1)


def main() -> int:
    """Keep the machine until SIGTERM, which is how it is told to end."""
    directory, ssh_port, web_port = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with run_systemd_host(Path(directory), {SSH: int(ssh_port), WEB: int(web_port)}) as machine:
            install(machine)
            print("ready", flush=True)
            while True:
                signal.pause()
    except RuntimeError as error:
        print(error, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
