"""A real TCP proxy on loopback that can stop forwarding while its connections stay open, as behind a cut cable."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class StoppingProxy:
    """Forwards to one port until it is told to stop."""

    def __init__(self, listener: socket.socket, target: int) -> None:
        self.port: int = listener.getsockname()[1]
        self._listener, self._target = listener, target
        self._flowing = threading.Event()
        self._flowing.set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._forward, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Forward nothing any more; the connections stay open, and the system goes on acknowledging."""
        self._flowing.clear()

    def go_on(self) -> None:
        """Forward again."""
        self._flowing.set()

    def close(self) -> None:
        """End all connections."""
        self._over.set()
        self._thread.join()

    def _forward(self) -> None:
        pairs: dict[socket.socket, socket.socket] = {}
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._over.is_set():
                if not self._flowing.wait(0.02):
                    continue
                for key, _ in selector.select(0.02):
                    ready = key.fileobj
                    assert isinstance(ready, socket.socket)
                    if ready is self._listener:
                        ours, theirs = ready.accept()[0], socket.create_connection(("127.0.0.1", self._target))
                        for one, other in ((ours, theirs), (theirs, ours)):
                            pairs[one] = other
                            selector.register(one, selectors.EVENT_READ)
                    elif ready in pairs and not self._pass_on(ready, pairs[ready]):
                        for one in (ready, pairs[ready]):
                            selector.unregister(one)
                            del pairs[one]
                            one.close()
            for one in pairs:
                one.close()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> bool:
        try:
            data = one.recv(1 << 16)
            other.settimeout(None)
            other.sendall(data)
        except OSError:
            return False
        return bool(data)


@contextmanager
def stopping_proxy(target: int) -> Iterator[StoppingProxy]:
    """Run a proxy to a port on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = StoppingProxy(listener, target)
        try:
            yield proxy
        finally:
            proxy.close()
