"""With spool-first, a second thread puts rows on disk while the writing one waits for the store.

Without it rows would be in memory alone for as long as a frozen server holds that thread up: one read timeout and one
attempt to connect, of which a kill -9 leaves nothing.
"""

import threading
from collections.abc import Callable

from e2edebug_exporters.fork_gate import ForkGate
from e2edebug_exporters.store_calls import StoreCalls


class SpoolRelief:
    """Works only while a call to the store lasts longer than *interval_s*, and then every *interval_s*.

    put_on_disk: spools one batch of what waits and returns whether to call it again; raises nothing.
    """

    def __init__(self, calls: StoreCalls, put_on_disk: Callable[[], bool], *, interval_s: float) -> None:
        self._calls = calls
        self._put_on_disk = put_on_disk
        self._interval_s = interval_s
        self._thread: threading.Thread | None = None
        self.gate = ForkGate()
        """Of its own: a fork waits for a batch that is being spooled, not for the store."""

    def start(self) -> None:
        """Start the thread, unless it runs. Called by the writing thread; raises RuntimeError at a late exit."""
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._run, name="e2edebug-spool-relief", daemon=True)
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        while not self._calls.is_closed:
            may_go_on = self._calls.wait_for_long_one(self._interval_s)
            while may_go_on:
                with self.gate.working():
                    may_go_on = self._calls.do_meanwhile(self._put_on_disk)
