#!/usr/bin/env python
"""The payment provider: a small HTTP service of its own, so that its faults are real ones.

`POST /charges` answers 201 with a reference, 402 for cards that end in 0002, and not at all
while the fault payment_timeout is on.
"""

import argparse
import json
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from shop import fault_switches

HANGS_FOR_S = 20.0


class Charges(BaseHTTPRequestHandler):
    """Answers the charges."""

    def do_POST(self) -> None:
        charge = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if fault_switches.is_on("payment_timeout"):
            self.server.closing.wait(HANGS_FOR_S)  # type: ignore[attr-defined] # set by serve()
        time.sleep(random.uniform(0.01, 0.04))
        if str(charge["card"]).endswith("0002"):
            self._answer(402, {"error": "card_declined"})
        else:
            self._answer(201, {"reference": f"pay-{charge['order']}"})

    def _answer(self, status: int, body: dict[str, str]) -> None:
        data = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the shop has given up waiting, which is what payment_timeout is for

    def log_message(self, *args: object) -> None:
        """Stay silent: the demo shares this terminal."""


def serve(port: int) -> None:
    """Serve on 127.0.0.1:*port* until interrupted; 0 takes a free port. Prints the address first."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Charges)
    server.daemon_threads = True
    server.closing = threading.Event()  # type: ignore[attr-defined] # what hanging requests wait on
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass  # Ctrl-C is how it is stopped
    finally:
        server.closing.set()  # type: ignore[attr-defined] # see above


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=8091, help="0 takes a free one (default: 8091)")
    serve(parser.parse_args().port)
