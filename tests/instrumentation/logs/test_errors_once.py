"""An exception is one error, however often it surfaces; errors of one cause are one group."""

import json
import textwrap
from pathlib import Path

import pytest
import sqlalchemy as sa
from instrumentation.logs.programs import rows, run

# A process takes its second or two, and what differs between dialects is tested elsewhere.
on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)

DEEP = """
    import logging
    from e2edebug import step, workflow

    log = logging.getLogger("shop.orders")

    @step(component="five")
    def five(number):
        raise ValueError(f"no stock of product {number}") from KeyError("sku")

    @step(component="four")
    def four(number):
        five(number)

    @step(component="three")
    def three(number):
        try:
            four(number)
        except ValueError as error:
            error.add_note("while order 17 was reserved")
            log.exception("could not reserve")
            raise

    @step(component="two")
    def two(number):
        three(number)

    @workflow("checkout")
    def one(number):
        two(number)

    for number in (1, 2):
        try:
            one(number)
        except ValueError:
            log.exception("checkout failed")
"""


def test_an_exception_that_passes_through_five_steps_and_two_log_calls_is_one_error(
    engine: sa.Engine, store_url: str, tmp_path: Path
) -> None:
    """With the deepest step as its origin; the second run of the same bug, with another id, is of the same group."""
    program = run(DEEP, tmp_path, url=store_url)

    assert program.returncode == 0, program.stderr
    found = rows(
        engine,
        "SELECT e.error_type, s.component, e.error_class, e.stack_trace FROM debugging_error_log e"
        " LEFT JOIN debugging_trace_step s ON s.span_id = e.span_id ORDER BY e.timestamp",
    )
    assert [row[:3] for row in found] == [("ValueError", "five", "code")] * 2
    assert "KeyError: 'sku'" in found[0][3]
    assert "direct cause" in found[0][3]
    assert rows(engine, "SELECT occurrences FROM debugging_error_group") == [(2,)]
    assert rows(engine, "SELECT error_count FROM debugging_workflow_session") == [(1,), (1,)]


STORED_BEFORE_ITS_STEP = """
    import logging
    import e2edebug
    from opentelemetry import trace

    tracer = trace.get_tracer("tasks")
    place = {"e2edebug.layer": "system", "e2edebug.component": "orders.send_confirmation"}
    with tracer.start_as_current_span("run", attributes=place) as span:
        try:
            raise RuntimeError("the mail server says: 451")
        except RuntimeError as error:
            span.record_exception(error)
            logging.getLogger("celery.app.trace").exception("the task failed")
        assert e2edebug.flush(20)  # a batch ends between the record and the end of the span
"""


@on_sqlite
def test_an_exception_is_of_its_step_even_if_its_log_record_is_stored_before_the_step(
    engine: sa.Engine, store_url: str, tmp_path: Path
) -> None:
    program = run(STORED_BEFORE_ITS_STEP, tmp_path, url=store_url)

    assert program.returncode == 0, program.stderr
    assert rows(engine, "SELECT layer, component FROM debugging_error_log") == [("system", "orders.send_confirmation")]


@on_sqlite
def test_the_same_bug_at_two_places_is_two_groups_and_with_its_lines_moved_one(
    engine: sa.Engine, store_url: str, tmp_path: Path
) -> None:
    source = textwrap.dedent("""
        import logging
        log = logging.getLogger("shop")

        def here(number):
            raise ValueError(f"no price for {number}")

        def there(number):
            raise ValueError(f"no price for {number}")

        for function in (here, there):
            try:
                function(17)
            except ValueError:
                log.exception("failed")
    """)
    run(source, tmp_path, url=store_url)
    run("# A line more.\n\n" + source.replace("(17)", "(8412)"), tmp_path, url=store_url)

    assert rows(engine, "SELECT occurrences FROM debugging_error_group ORDER BY id") == [(2,), (2,)]
    assert rows(engine, "SELECT COUNT(*) FROM debugging_error_log") == [(4,)]


@on_sqlite
def test_severe_records_without_an_exception_are_grouped_by_place_and_template(
    engine: sa.Engine, store_url: str, tmp_path: Path
) -> None:
    program = run(
        """
        import logging
        from e2edebug import step
        log = logging.getLogger("shop.payment")

        @step(layer="external", component="Bank")
        def charge(order, person):
            log.error("order %s of %s was declined", order, person, extra={"amount": 17, "password": "hunter2"})

        @step(layer="external", component="Bank")
        def refund(order, person):
            log.critical("order %s of %s was declined", order, person)

        charge(1, "ann")
        charge(2, "bob")
        refund(3, "ann")
        """,
        tmp_path,
        url=store_url,
    )

    assert program.returncode == 0, program.stderr
    found = rows(
        engine, "SELECT severity, layer, component, error_message, metadata FROM debugging_error_log ORDER BY timestamp"
    )
    assert [(row[0], row[2], row[3]) for row in found] == [
        ("error", "shop.payment", "order 1 of ann was declined"),
        ("error", "shop.payment", "order 2 of bob was declined"),
        ("critical", "shop.payment", "order 3 of ann was declined"),
    ]
    assert json.loads(found[0][4])["amount"] == 17
    assert "hunter2" not in found[0][4]
    assert rows(engine, "SELECT occurrences FROM debugging_error_group ORDER BY first_seen") == [(2,), (1,)]
    joined = rows(
        engine, "SELECT COUNT(*) FROM debugging_error_log e JOIN debugging_trace_step s ON s.span_id = e.span_id"
    )
    assert joined == [(3,)]


@on_sqlite
def test_a_warning_is_an_event_of_its_step_and_debugging_is_nothing(
    engine: sa.Engine, store_url: str, tmp_path: Path
) -> None:
    program = run(
        """
        import logging
        from e2edebug import step
        logging.getLogger().setLevel("DEBUG")
        log = logging.getLogger("shop")

        with step(component="Cart", operation="price"):
            log.warning("price of %s is stale", "sku-1")
            log.info("priced")
            log.debug("done")
        log.warning("outside of any step")
        """,
        tmp_path,
        url=store_url,
    )

    assert program.returncode == 0, program.stderr
    ((metadata,),) = rows(engine, "SELECT metadata FROM debugging_trace_step")
    (event,) = json.loads(metadata)["otel.events"]
    assert event["name"] == "log"
    assert event["attributes"]["log.message"] == "price of sku-1 is stale"
    assert event["attributes"]["log.severity"] == "warning"
    assert rows(engine, "SELECT COUNT(*) FROM debugging_error_log") == [(0,)]


@on_sqlite
def test_levels_can_be_set(engine: sa.Engine, store_url: str, tmp_path: Path) -> None:
    source = """
        import logging
        from e2edebug import step
        log = logging.getLogger("shop")
        log.setLevel("INFO")
        with step(component="Cart", operation="price"):
            log.info("priced")
            log.error("declined")
    """
    environ = {"E2EDEBUG_LOG_EVENT_LEVEL": "info", "E2EDEBUG_LOG_ERROR_LEVEL": "OFF"}

    program = run(source, tmp_path, url=store_url, environ=environ)

    assert program.returncode == 0, program.stderr
    ((metadata,),) = rows(engine, "SELECT metadata FROM debugging_trace_step")
    assert [event["attributes"]["log.message"] for event in json.loads(metadata)["otel.events"]] == [
        "priced",
        "declined",
    ]
    assert rows(engine, "SELECT COUNT(*) FROM debugging_error_log") == [(0,)]


@on_sqlite
def test_exceptions_outside_of_any_trace_are_told_once(engine: sa.Engine, store_url: str, tmp_path: Path) -> None:
    """Logged twice on their way, and then by asyncio, by a thread and by the interpreter as well."""
    program = run(
        """
        import asyncio, logging, threading
        log = logging.getLogger("shop")

        def fail(where):
            raise ValueError(f"failed in a {where}")

        def in_thread():
            try:
                fail("thread")
            except ValueError:
                log.exception("first")
                log.error("second", exc_info=True)
                raise

        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()

        async def in_loop():
            async def task():
                raise ExceptionGroup("two failed", [ValueError("one"), KeyError("two")])
            asyncio.get_running_loop().create_task(task())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        asyncio.run(in_loop())

        fail("process")
        """,
        tmp_path,
        url=store_url,
    )

    assert program.returncode == 1
    assert program.stderr.count("ValueError: failed in a process") == 1, "the interpreter says so as ever"
    assert "ValueError: failed in a thread" in program.stderr
    found = rows(
        engine, "SELECT error_type, severity, error_message, stack_trace FROM debugging_error_log ORDER BY timestamp"
    )
    assert [row[:3] for row in found] == [
        ("ValueError", "error", "failed in a thread"),
        ("ExceptionGroup", "error", "two failed (2 sub-exceptions)"),
        ("ValueError", "critical", "failed in a process"),
    ]
    assert "KeyError: 'two'" in found[1][3]


@on_sqlite
def test_notes_and_contexts_are_kept(engine: sa.Engine, store_url: str, tmp_path: Path) -> None:
    run(
        """
        import logging
        try:
            try:
                {}["sku"]
            except KeyError:
                error = ValueError("no price")
                error.add_note("for order 17")
                raise error
        except ValueError:
            logging.exception("failed")
        """,
        tmp_path,
        url=store_url,
    )

    ((stack,),) = rows(engine, "SELECT stack_trace FROM debugging_error_log")

    assert "for order 17" in stack
    assert "During handling of the above exception" in stack
    assert "KeyError: 'sku'" in stack


@on_sqlite
def test_what_storing_itself_logs_is_not_stored(engine: sa.Engine, store_url: str, tmp_path: Path) -> None:
    program = run(
        """
        import logging
        logging.getLogger().setLevel("DEBUG")
        for name in ("e2edebug.pipeline", "sqlalchemy.engine", "pymysql", "opentelemetry.sdk.trace"):
            logging.getLogger(name).error("told by %s", name)
        """,
        tmp_path,
        url=store_url,
    )

    assert program.returncode == 0, program.stderr
    assert rows(engine, "SELECT COUNT(*) FROM debugging_error_log") == [(0,)]


@on_sqlite
@pytest.mark.parametrize("names", ["logging", "unhandled_exceptions", "*"])
def test_either_can_be_switched_off(engine: sa.Engine, store_url: str, tmp_path: Path, names: str) -> None:
    run(
        """
        import logging
        try:
            {}["sku"]
        except KeyError:
            logging.exception("failed")
        1 / 0
        """,
        tmp_path,
        url=store_url,
        environ={"E2EDEBUG_DISABLED_INSTRUMENTATIONS": names},
    )

    found = {row[0] for row in rows(engine, "SELECT error_type FROM debugging_error_log")}

    assert found == {"logging": {"ZeroDivisionError"}, "unhandled_exceptions": {"KeyError"}, "*": set()}[names]


COUNTED = """
    from e2edebug.policy import shown_frames

    made = []
    original = shown_frames.frame_text

    def counted(frame):
        made.append((frame.filename, frame.lineno, frame.name))
        return original(frame)

    shown_frames.frame_text = counted
    logging.raiseExceptions = False
    logging.getLogger().addHandler(logging.NullHandler())  # or the last resort would write the stacks, too
"""


@on_sqlite
def test_a_frame_is_formatted_once_for_steps_logs_and_hooks_together(store_url: str, tmp_path: Path) -> None:
    """The text of its stack is what an exception costs the application's thread."""
    ending = """
    import threading
    threading.excepthook = lambda args: None
    for _ in range(2):
        thread = threading.Thread(target=three, args=(1,))
        thread.start()
        thread.join()
    ours = [one for one in made if one[0] == __file__]
    print(len(ours), len(set(ours)), sorted({name for _, _, name in ours}))
    """
    program = run(DEEP.replace("    log = ", COUNTED + "\n    log = ", 1) + ending, tmp_path, url=store_url)

    total, distinct, names = program.stdout.split(" ", 2)
    assert (total, names) == (distinct, "['five', 'four', 'one', 'three', 'two']\n"), program.stderr
