"""The one thread behind a pipeline: started with the first item, and again whenever it is found dead."""

import threading
from collections.abc import Callable
from typing import Final

from e2edebug.policy import thread_signals
from e2edebug_exporters.own_work import suppressed

NAME: Final = "e2edebug-pipeline"


class WritingThread:
    """Runs *work*, with instrumentation suppressed, until that returns.

    note_error: told why no thread can be started.
    """

    def __init__(self, work: Callable[[], None], note_error: Callable[[str], None]) -> None:
        self._work = work
        self._note_error = note_error
        self.latest: threading.Thread | None = None
        """The one that was started last."""
        self.running: threading.Thread | None = None
        """The one that works. Not asked of the thread: up to Python 3.12, is_alive() takes a running thread for dead for
        good when a signal handler raises in it (bpo-45274)."""
        self.is_starting = False
        self._is_refused = False

    @property
    def is_impossible(self) -> bool:
        """Whether none runs, and none can be started: Python 3.12.0 to 3.12.2 start none once exit handlers run."""
        return self._is_refused and self.running is None

    def is_this(self) -> bool:
        """Whether the calling thread is it."""
        return threading.current_thread() is self.latest

    def ensure(self) -> None:
        """Have it run, unless it does."""
        # A flag, not a lock: a handler that interrupts this would wait for itself. Should two threads pass all the same,
        # the one that is not `latest` ends itself.
        if self.is_starting or self.running is not None:
            return
        self.is_starting = True
        try:
            thread_signals.start_thread(self._start)  # in a thread of its own, where no signal handler runs
        except RuntimeError as error:  # no thread can be started while the interpreter ends
            self.is_starting = False
            self._is_refused = True
            self._note_error(str(error))
        except BaseException:
            self.is_starting = False
            raise

    def _start(self) -> None:
        try:
            if self.running is None:
                thread = self.latest = threading.Thread(target=self._run, name=NAME, daemon=True)
                thread.start()  # returns once the thread runs
        except RuntimeError as error:
            self._is_refused = True
            self._note_error(str(error))
        finally:
            self.is_starting = False

    def _run(self) -> None:
        thread = self.running = threading.current_thread()
        try:
            with suppressed():
                self._work()
        finally:
            if self.running is thread:
                self.running = None
