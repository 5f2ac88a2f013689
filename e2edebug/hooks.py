"""For the configuration of servers: nothing waits in memory when a worker ends.

gunicorn, in gunicorn.conf.py:

    from e2edebug.hooks import worker_exit

uWSGI, in the application's module:

    import uwsgi
    from e2edebug.hooks import flush_worker
    uwsgi.atexit = flush_worker

Celery needs nothing: its pool children are flushed by `worker_process_shutdown`, which e2edebug connects to by itself.
Elsewhere call `flush_worker()` wherever a process is about to end without Python's own exit, as with `os._exit()`.
"""

from typing import Any

from e2edebug.policy.self_report import internal_error

__all__ = ["flush_worker", "worker_exit"]


def flush_worker() -> None:
    """Write what waits in this process, or put it on disk, within `E2EDEBUG_EXIT_TIMEOUT_S`. Never raises.

    To be called at the very end: what is recorded afterwards is dropped, and counted.
    """
    try:
        from e2edebug_exporters import process_lifecycle  # the SDK: a configuration file should not pay for it at once

        process_lifecycle.exit_all()
    except Exception as error:  # noqa: BLE001 # a worker must end in peace
        internal_error("flush a worker that ends", error)


def worker_exit(_server: Any, _worker: Any) -> None:
    """gunicorn's hook of the same name: it runs in the worker, whatever ended its loop."""
    flush_worker()
