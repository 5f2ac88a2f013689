"""Under Django's test runner and pytest-django, rows are written on Django's connection: tests see and undo them.

Nothing of it shows in the test's own books: `assertNumQueries` counts what Django's cursors execute, so savepoints and
statements of ours go past them.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import wrapt
from django.apps import apps
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from opentelemetry.instrumentation.utils import suppress_instrumentation

from e2edebug.django.router import APP_LABEL
from e2edebug.django.store_alias import alias_of_store
from e2edebug.django.store_engine import engine_on
from e2edebug.runtime.lifecycle import config_in_force
from e2edebug_exporters.batch_writer import BatchWriter
from e2edebug_exporters.configured_mapper import mapper_of
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.synchronous import SynchronousSink

_SAVEPOINT = "e2edebug_in_test"


def make_sink() -> SynchronousSink | None:
    """Return where the recorded goes while tests run; None when their database cannot hold the tables."""
    if alias_of_store() is None:
        return None
    sink = SynchronousSink(_Writer(), lambda: mapper_of(config_in_force()))
    _follow_tests(sink)
    return sink


class _Writer:
    """Stores batches through the connection of the thread that runs the tests."""

    def __init__(self) -> None:
        self._thread = threading.current_thread()
        self._tables_of: dict[str, bool] = {}

    def __call__(self, batch: RowBatch) -> bool:
        alias = alias_of_store()
        if alias is None or not batch:
            return True
        if threading.current_thread() is not self._thread or _is_in_event_loop():
            return False
        connection = connections[alias]
        if not _is_allowed(connection) or connection.needs_rollback:
            return True  # a test without a database, or one that has broken its transaction: nothing to write to
        if not self._has_tables(connection):
            return True
        engine = engine_on(alias)
        with suppress_instrumentation(), _transaction(connection), engine.connect() as lent:
            # A writer remembers which steps it has stored, and tests roll back.
            BatchWriter(engine).write_in(lent, batch)
        return True

    def _has_tables(self, connection: BaseDatabaseWrapper) -> bool:
        """A project may run its tests without migrations, which alone make our tables."""
        name = str(connection.settings_dict["NAME"])
        if not self._tables_of.get(name):
            with connection.connection.cursor() if connection.vendor == "mysql" else _closing(connection) as cursor:
                try:
                    cursor.execute("SELECT 1 FROM debugging_alert LIMIT 1")
                    cursor.fetchall()
                except connection.Database.Error:  # type: ignore[attr-defined]  # not in the stubs
                    return False
            self._tables_of[name] = True
        return True


@contextmanager
def _closing(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    cursor = connection.connection.cursor()
    try:
        yield cursor
    finally:
        cursor.close()


@contextmanager
def _transaction(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Everything or nothing, without Django's `atomic`, whose savepoints a test would count among its queries."""
    if connection.in_atomic_block or not connection.get_autocommit():
        begin, end, undo = f"SAVEPOINT {_SAVEPOINT}", f"RELEASE SAVEPOINT {_SAVEPOINT}", f"ROLLBACK TO {_SAVEPOINT}"
    else:
        begin, end, undo = "BEGIN", "COMMIT", "ROLLBACK"
    with _closing(connection) as cursor:
        cursor.execute(begin)
    try:
        yield
    except BaseException:
        with _closing(connection) as cursor:
            cursor.execute(undo)
        raise
    with _closing(connection) as cursor:
        cursor.execute(end)


def _is_allowed(connection: BaseDatabaseWrapper) -> bool:
    """Whether the test that runs may use this database: SimpleTestCase and pytest-django take it away."""
    if type(connection.cursor).__name__ == "_DatabaseFailure":
        return False
    try:
        connection.ensure_connection()
    except Exception:  # noqa: BLE001 # pytest-django raises a RuntimeError, Django an AssertionError, a server its own
        return False
    return True


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _follow_tests(sink: SynchronousSink) -> None:
    """Take what is recorded between the set-up of a test and its tear-down; the test cases of Django frame both."""
    depth = 0

    def set_up(wrapped: Callable[..., Any], _: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        nonlocal depth
        depth += 1
        try:
            return wrapped(*arguments, **named)
        finally:
            depth -= 1
            if not depth:  # of the outermost: TransactionTestCase calls SimpleTestCase's and loads fixtures then
                sink.open()

    def tear_down(wrapped: Callable[..., Any], _: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        sink.close()
        return wrapped(*arguments, **named)

    def tear_down_fixtures(
        wrapped: Callable[..., Any], case: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]
    ) -> Any:
        result = wrapped(*arguments, **named)
        alias = alias_of_store()
        if alias is not None and alias in case._databases_names(include_mirrors=False):
            _empty_tables(alias)
        return result

    def hook(testcases: Any) -> None:
        wrapt.wrap_function_wrapper(testcases, "TransactionTestCase._fixture_teardown", tear_down_fixtures)
        for case in ("SimpleTestCase", "TransactionTestCase"):
            wrapt.wrap_function_wrapper(testcases, f"{case}._pre_setup", set_up)
            wrapt.wrap_function_wrapper(testcases, f"{case}._post_teardown", tear_down)

    wrapt.register_post_import_hook(hook, "django.test.testcases")


def _empty_tables(alias: str) -> None:
    """Undo what a test without a transaction has written: Django flushes the tables of managed models only."""
    if "debugging_alert" not in connections[alias].introspection.table_names():
        return
    for model in apps.get_app_config(APP_LABEL).get_models():
        model._base_manager.using(alias).all()._raw_delete(alias)
