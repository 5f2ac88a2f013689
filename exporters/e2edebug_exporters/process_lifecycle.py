"""Forks and exits: what has to happen at once in every pipeline and exporter of the process.

At a fork the parent keeps its rows and its sockets, and the child begins empty. At an exit what waits is written within
a bound. `os._exit`, a default SIGTERM and kill -9 run nothing of Python: what waited then is lost.
"""

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Protocol

import wrapt

from e2edebug.policy.self_report import internal_error


class LivesThroughForks(Protocol):
    """Something with locks, a thread or sockets."""

    def before_fork(self) -> None:
        """Come to rest and hold the own locks, so that no dead thread holds them in the child."""

    def after_fork_in_parent(self) -> None:
        """Release them."""

    def after_fork_in_child(self) -> None:
        """Make new ones and forget what belongs to the parent."""

    def exit(self) -> None:
        """Write what waits, within a bound."""


_alive: "weakref.WeakSet[LivesThroughForks]" = weakref.WeakSet()
_lock = threading.Lock()
_held: list[LivesThroughForks] = []
_is_hooked = False
_imports = threading.RLock()
_holds_imports = False
_LONGEST_IMPORT_S: Final = 5.0
_exit_began_at: float | None = None
_LONGEST_EXIT_S: Final = 60.0
"""Who is alive for this long after all bounds has not ended: `flush_worker()` may be called by one that goes on."""


@contextmanager
def importing() -> Iterator[None]:
    """Import within this in a thread of ours: no fork happens meanwhile.

    A module that is half imported at a fork can never be imported in the child, and its lock belongs to a dead thread.
    """
    with _imports:
        yield


def watch(part: LivesThroughForks) -> None:
    """Tell *part* of forks and exits for as long as it lives."""
    global _is_hooked
    with _lock:
        _alive.add(part)
        if not _is_hooked:
            _is_hooked = True
            _hook()


def forget(part: LivesThroughForks) -> None:
    """Tell *part* nothing more."""
    with _lock:
        _alive.discard(part)


def _hook() -> None:
    os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
    # Registered before any provider's own exit handler, hence run after it: providers hand over their last items first.
    atexit.register(exit_all)
    _finalize_with_multiprocessing()
    wrapt.register_post_import_hook(_hook_celery, "celery.signals")
    wrapt.register_post_import_hook(_hook_uvicorn, "uvicorn.server")


def exit_all() -> None:
    """Let everything write what waits."""
    _note_exit()
    for part in _living():
        _guarded("flush at exit", part.exit)


def exit_time_left(exit_timeout_s: float) -> float | None:
    """Return how many of *exit_timeout_s* seconds are left, 0 or less if none; None while the process is not ending."""
    global _exit_began_at
    if _exit_began_at is None:
        return None
    left_s = _exit_began_at + exit_timeout_s - time.monotonic()
    if left_s < -_LONGEST_EXIT_S:
        _exit_began_at = None
        return None
    return left_s


def note_exit_before_providers() -> None:
    """Count the time of an exit from before the exit handlers of all providers that exist by now."""
    if threading.main_thread().is_alive():
        atexit.register(_note_exit)
    elif all(thread.daemon or thread is threading.main_thread() for thread in threading.enumerate()):
        _note_exit()  # exit handlers run by now: Python has waited for every thread that it waits for


def _note_exit() -> None:
    global _exit_began_at
    if _exit_began_at is None or exit_time_left(0.0) is None:
        _exit_began_at = time.monotonic()


def _living() -> list[LivesThroughForks]:
    with _lock:
        return list(_alive)


def _before_fork() -> None:
    global _holds_imports
    # A fork waits for an import, and not for ever: it is the host's.
    _holds_imports = _imports.acquire(timeout=_LONGEST_IMPORT_S)
    _lock.acquire()
    _held[:] = list(_alive)
    for part in _held:
        _guarded("prepare a fork", part.before_fork)


def _after_in_parent() -> None:
    for part in reversed(_held):
        _guarded("go on after a fork", part.after_fork_in_parent)
    _held.clear()
    _lock.release()
    if _holds_imports:
        _imports.release()


def _after_in_child() -> None:
    global _lock, _imports, _exit_began_at
    _exit_began_at = None
    for part in reversed(_held):
        _guarded("begin in a forked child", part.after_fork_in_child)
    _held.clear()
    _lock = threading.Lock()
    _imports = threading.RLock()


def _guarded(what: str, action: Callable[[], None]) -> None:
    try:
        action()
    except Exception as error:  # noqa: BLE001 # a fork or an exit of the host must not fail because of us
        internal_error(what, error)


def _finalize_with_multiprocessing() -> None:
    """A multiprocessing child ends with os._exit, which skips atexit; it runs multiprocessing's own finalizers before."""
    from multiprocessing import util

    util.register_after_fork(_anchor, _finalize_here)
    _finalize_here(_anchor)


class _Anchor:
    """What multiprocessing keeps by weak reference; lives as long as this module."""


_anchor = _Anchor()


def _finalize_here(_: object) -> None:
    from multiprocessing import util

    # A finalizer runs at exit only if it has a priority; a negative one is run after the host's own.
    util.Finalize(None, exit_all, exitpriority=-10)


def _hook_celery(signals: Any) -> None:
    """A pool child of Celery ends with os._exit as well: 0 of 20 spans arrived without this, 20 of 20 with it."""
    signals.worker_process_shutdown.connect(_at_celery_exit, weak=False, dispatch_uid="e2edebug")


def _at_celery_exit(**_: object) -> None:
    exit_all()


def _hook_uvicorn(server: Any) -> None:
    from e2edebug_exporters import uvicorn_exit  # a process without it needs none of this

    _guarded("watch how uvicorn ends", partial(uvicorn_exit.hook, server, exit_all))
