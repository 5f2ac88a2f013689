"""A program that takes messages by HTTP, as the receiver of a webhook does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Mailbox(ThreadingHTTPServer):
    """What came in. `holds` keeps a sender waiting once it was told; `status` is the answer."""

    daemon_threads = True

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[Any] = []
        self.arrived = threading.Event()
        self.holds: threading.Event | None = None
        self.status = 200
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """The address for a route."""
        return f"webhook+http://127.0.0.1:{self.server_port}/in"


class _Handler(BaseHTTPRequestHandler):
    server: Mailbox

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.headers.append(self.headers)
        self.server.arrived.set()
        if self.server.holds is not None:
            self.server.holds.wait(30)
        try:
            self.send_response(self.server.status)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
        except OSError:  # the sender was killed
            pass

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def open_mailbox() -> Iterator[Mailbox]:
    """Give a mailbox that takes messages while the block runs."""
    server = Mailbox()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        if server.holds is not None:
            server.holds.set()
        server.shutdown()
        server.server_close()
