"""A TCP proxy before the server that cuts connections at the worst moment, once per fault."""

import contextlib
import socket
import struct
import threading
from typing import Self

_COMMIT = b"\x03COMMIT"


class FaultProxy:
    """Passes everything through until `mode` says otherwise; after one fault it passes again.

    mode: `pass`, `swallow` (nothing arrives, either way, until the mode is changed), `cut_mid_request` (half of a packet above 2 kB, then RST), `drop_reply_after_commit` (the server gets
    COMMIT, the client never hears of it).
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.mode = "pass"
        self.faults = 0
        self._sockets: list[socket.socket] = [self._listener]
        self._deaf: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            _close(each)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target_port))
            self._sockets += [client, server]
            threading.Thread(target=self._pump_up, args=(client, server), daemon=True).start()
            threading.Thread(target=self._pump_down, args=(client, server), daemon=True).start()

    def _pump_up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self.mode == "swallow":
                    continue
                if self.mode == "cut_mid_request" and len(data) > 2000:
                    server.sendall(data[: len(data) // 2])
                    self._cut(client)
                    break
                # Connecting sends SET AUTOCOMMIT as well, so the packet has to end with the statement.
                if self.mode == "drop_reply_after_commit" and data.endswith(_COMMIT):
                    self._deaf.add(client)
                server.sendall(data)
        _close(server)

    def _pump_down(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if self.mode == "swallow":
                    continue
                if client in self._deaf:  # the answer to COMMIT: the server has done it
                    self._cut(client)
                    break
                client.sendall(data)
        _close(client)

    def _cut(self, client: socket.socket) -> None:
        self.faults += 1
        self.mode = "pass"
        # Linger of 0 s makes close() send RST instead of FIN.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()


def _close(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
