"""What a log record and an unhandled exception cost, beside OpenTelemetry's instrumentors for logging and exceptions.

`make bench ARGS=log_records`.
"""

import asyncio
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.paired_cost import compare, instrumented, own_provider, result_of, stock_provider
from benchmarks.result import Case, Result
from opentelemetry import _logs
from opentelemetry.instrumentation.exceptions import UnhandledExceptionInstrumentor as StockExceptions
from opentelemetry.instrumentation.logging import LoggingInstrumentor as StockLogging
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor

from e2edebug_instrumentation.logs.instrumentor import LoggingInstrumentor
from e2edebug_instrumentation.logs.unhandled_exceptions import UnhandledExceptionInstrumentor


class Forgetting(LogRecordProcessor):
    """Takes every record and keeps none."""

    def on_emit(self, log_record: Any) -> None:
        """Forget it."""

    def shutdown(self) -> None:
        """Nothing waits."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits."""
        return True


def fail(depth: int = 20) -> None:
    if depth:
        fail(depth - 1)
    raise ValueError("no price for product 17")


def functions_in_new_files(folder: Path, count: int, call: str) -> list[Callable[[], object]]:
    """Return functions that fail below 20 others, no two at one place in the code: nothing of them was shown before."""
    found: list[Callable[[], object]] = []
    for number in range(count):
        path = folder / f"shop_{len(call)}_{number}.py"
        calls = [f"def f{depth}(prices):\n    return f{depth + 1}({call}) or 0\n" for depth in range(20)]
        path.write_text("\n".join([*calls, "def f20(prices):\n    raise ValueError('no price for product 17')\n"]))
        names: dict[str, Any] = {}
        exec(compile(path.read_text(), str(path), "exec"), names)
        found.append(partial(names["f0"], {}))
    return found


EXPLANATION = """\
Records of the standard library's logging and exceptions that nobody catches, beside OpenTelemetry's instrumentors for
logging and for exceptions. `first time there` goes through 21 frames of a file that no exception was shown of before;
`lines to be parsed` likewise, through lines whose marks under the source no text rule can place. CPU time of
one record, exporting not included.
"""


def measure(*, quick: bool) -> list[Result]:
    """Return what they cost."""
    cases: list[Case] = []
    warnings.simplefilter("ignore")
    logs = LoggerProvider(shutdown_on_exit=False)
    logs.add_log_record_processor(Forgetting())
    _logs.set_logger_provider(logs)
    stock, own = stock_provider(), own_provider()
    logging.getLogger().addHandler(logging.NullHandler())
    log = logging.getLogger("shop")
    log.setLevel("INFO")

    def with_exception(_number: int) -> None:
        try:
            fail()
        except ValueError:
            log.exception("could not price")

    folder = TemporaryDirectory()
    # As many as all rounds of all variants take, so that none comes twice.
    count = 3 * 4 * 5 if quick else 3 * 16 * 44
    unseen = iter(functions_in_new_files(Path(folder.name), count, "prices"))
    to_be_parsed = iter(functions_in_new_files(Path(folder.name), count, "dict(prices, note='''one + another''')"))

    def failing_in(functions: Iterator[Callable[[], object]]) -> Callable[[int], object]:
        def fail_there(_number: int) -> None:
            try:
                next(functions)()
            except ValueError:
                log.exception("could not price")

        return fail_there

    actions: dict[str, tuple[Callable[[int], object], int]] = {
        "debug, below the level": (lambda number: log.debug("priced %s", number), 20_000),
        "info": (lambda number: log.info("priced %s", number), 3000),
        "warning, on a step": (lambda number: log.warning("stale price of %s", number), 1000),
        "exception, 21 frames": (with_exception, 100),
        "exception, first time there": (failing_in(unseen), 40),
        "exception, lines to be parsed": (failing_in(to_be_parsed), 40),
    }
    for name, (action, count) in actions.items():
        cases.append(
            compare(
                name,
                lambda times, action=action: [action(number) for number in range(times)],  # type: ignore[misc]
                peer=lambda: instrumented(StockLogging(), stock, logger_provider=logs),
                ours=lambda: instrumented(LoggingInstrumentor(), own),
                count=count,
                quick=quick,
            )
        )

    threading.excepthook = lambda _args: None

    def unhandled(times: int) -> None:
        for _ in range(times):
            thread = threading.Thread(target=fail)
            thread.start()
            thread.join()

    cases.append(
        compare(
            "unhandled in a thread",
            unhandled,
            peer=lambda: instrumented(StockExceptions(), stock, logger_provider=logs),
            ours=lambda: instrumented(UnhandledExceptionInstrumentor(), own),
            count=100,
            quick=quick,
        )
    )
    asyncio.set_event_loop(None)
    folder.cleanup()
    return [result_of("log_records", "Log records and exceptions", EXPLANATION, cases)]
