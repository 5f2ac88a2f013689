"""The ids of the workflow in log lines of one's own."""

import io
import json
import logging
import logging.config
import logging.handlers
import pickle
import queue
from collections.abc import Iterator

import pytest
from opentelemetry import trace

from e2edebug.logs import LOGGING, JsonFormatter, WorkflowIds, add_workflow_ids
from e2edebug_instrumentation.logs.record_ids import RecordWithIds

TRACE = f"{0xABC:032x}"
SPAN = f"{0xDEF:016x}"
CORRELATION = "00000000-0000-0000-0000-000000000abc"


@pytest.fixture
def in_a_step() -> Iterator[None]:
    context = trace.SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(context)):
        yield


@pytest.fixture
def own_factory() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(RecordWithIds)
    yield
    logging.setLogRecordFactory(before)


def logger_with(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("shop.cart")
    logger.addHandler(handler)
    return logger


def written(formatter: logging.Formatter) -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(WorkflowIds())
    handler.setFormatter(formatter)
    return logger_with(handler), stream


@pytest.mark.usefixtures("in_a_step")
def test_the_filter_gives_a_format_its_ids() -> None:
    logger, stream = written(logging.Formatter("%(correlation_id)s %(trace_id)s %(span_id)s %(message)s"))

    logger.info("priced")

    assert stream.getvalue() == f"{CORRELATION} {TRACE} {SPAN} priced\n"


def test_outside_of_a_workflow_stands_a_dash() -> None:
    logger, stream = written(logging.Formatter("%(correlation_id)s %(trace_id)s %(span_id)s"))

    logger.info("priced")

    assert stream.getvalue() == "- - -\n"


@pytest.mark.usefixtures("own_factory")
def test_a_record_that_another_thread_writes_has_the_ids_of_where_it_was_made() -> None:
    waiting: queue.Queue[logging.LogRecord] = queue.Queue()
    logger = logger_with(logging.handlers.QueueHandler(waiting))
    context = trace.SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(context)):
        logger.info("priced %s", 17)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(WorkflowIds())
    handler.setFormatter(logging.Formatter("%(span_id)s %(message)s"))

    listener = logging.handlers.QueueListener(waiting, handler)
    listener.start()
    listener.stop()

    assert stream.getvalue() == f"{SPAN} priced 17\n"


@pytest.mark.usefixtures("in_a_step", "own_factory")
def test_another_process_gets_a_plain_record() -> None:
    record = logging.getLogger("shop").makeRecord("shop", 20, "shop.py", 1, "priced", (), None)

    sent = pickle.dumps(record)

    assert b"e2edebug" not in sent
    assert vars(pickle.loads(sent)) == vars(record)
    assert isinstance(record, RecordWithIds)
    assert record.e2edebug_ids.span_id == SPAN


@pytest.mark.usefixtures("in_a_step")
def test_a_json_line_has_message_ids_extras_and_the_exception() -> None:
    logger, stream = written(JsonFormatter(fields={"timestamp": "@timestamp"}))
    try:
        {}["sku"]
    except KeyError:
        logger.exception("no price for %s", "ann", extra={"order": 17, "request": object()})

    line = json.loads(stream.getvalue())

    assert line.pop("@timestamp").endswith("+00:00")
    assert line.pop("exception").endswith("KeyError: 'sku'")
    assert line == {
        "level": "ERROR", "logger": "shop.cart", "message": "no price for ann", "order": 17,
        "correlation_id": CORRELATION, "trace_id": TRACE, "span_id": SPAN,
    }  # fmt: skip


@pytest.mark.usefixtures("in_a_step")
def test_structlog_gets_them_by_a_processor() -> None:
    assert add_workflow_ids(None, "info", {"event": "priced", "trace_id": "own"}) == {
        "event": "priced", "trace_id": "own", "correlation_id": CORRELATION, "span_id": SPAN,
    }  # fmt: skip


def test_the_ready_logging_is_accepted_by_dictconfig(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        logging.config.dictConfig(LOGGING)
        logging.getLogger("shop").info("priced")
    finally:
        root.handlers[:], root.level = before, level

    assert "INFO    [- -] shop: priced" in capsys.readouterr().err
