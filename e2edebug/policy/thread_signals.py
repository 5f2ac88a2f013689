"""Signals sent to the process are the host's: no thread of ours takes one.

A process that blocks a signal blocks it thread by thread, and the kernel hands it to any thread that does not. Celery's
pool child blocks SIGTERM while it writes its last message, holding a lock that all children share (billiard 4.2,
`Worker._do_exit`): taken by a thread of ours, the signal ended the child there and then, and no other child ever ran a
task again. `signal.sigwait` is deceived likewise.
"""

import signal
from _thread import get_native_id, start_new_thread
from collections.abc import Callable
from functools import cache
from typing import Final

_OF_THE_THREAD_ITSELF: Final = (
    "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP",
)  # fmt: skip
"""Faults are handed to the thread that made them; blocked, they end the process without faulthandler's report."""


def start_thread(work: Callable[[], None]) -> None:
    """Run *work* in a thread that takes no signal. Raises RuntimeError where none can be started: late at an exit.

    Not threading.Thread: a signal handler that raises within its start() leaves a thread that runs and is not known, or
    one that dies at its first step. This call into C happens whole or not at all.
    """
    start_new_thread(without_signals(work), ())


def without_signals(work: Callable[[], None]) -> Callable[[], None]:
    """Return what runs *work* with every signal blocked, in a thread that the caller starts and in those it starts.

    With gevent or eventlet that thread is a greenlet within the caller's own, which belongs to the host: nothing is
    blocked there, or gunicorn's gevent workers would not hear SIGTERM and be killed 30 s later.
    """
    starter = get_native_id()

    def run() -> None:
        if get_native_id() != starter:
            _leave_to_others()
        work()

    return run


def _leave_to_others() -> None:
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, _of_others())


@cache  # Python makes a member of an enum of each: 85 us, as long as the thread takes to start
def _of_others() -> frozenset[int]:
    own = {getattr(signal, name) for name in _OF_THE_THREAD_ITSELF if hasattr(signal, name)}
    return frozenset(signal.valid_signals() - own)
