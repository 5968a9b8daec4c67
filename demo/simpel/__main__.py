"""Run SIMPEL: `python -m demo.simpel --database ADDRESS --uploads DIR --port N`. Ends gracefully on SIGTERM."""

import argparse
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from demo.simpel.application import Server


def main() -> int:
    """Serve until SIGTERM or SIGINT, finish what is being served, and return 0."""
    parser = argparse.ArgumentParser(prog="python -m demo.simpel", description="SIMPEL, aplikasi contoh.")
    parser.add_argument("--database", required=True)
    parser.add_argument("--uploads", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    server = Server((given.host, given.port), given.database, given.uploads)

    def stop(number: int, frame: FrameType | None) -> None:
        # In a thread: `shutdown` waits for the loop, and the loop runs in the thread that handles this signal.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"SIMPEL siap di http://{given.host}:{server.server_port}/", flush=True)
    try:
        server.serve_forever(poll_interval=0.1)
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
