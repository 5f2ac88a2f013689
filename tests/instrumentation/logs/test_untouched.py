"""Log files, hooks and other people's set-ups stay as they are."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from instrumentation.logs.programs import rows, run
from support.site import Site

LOGGING_SETUPS = {
    "nothing set up": "",
    "basicConfig": "logging.basicConfig(level='INFO', format='%(levelname)s %(name)s %(message)s')",
    "every attribute": """
class Everything(logging.Formatter):
    def format(self, record):
        return record.name + str(sorted(vars(record)))
handler = logging.StreamHandler()
handler.setFormatter(Everything())
logging.getLogger().addHandler(handler)
""",
    "dictConfig, nothing propagated": """
import logging.config
logging.config.dictConfig({"version": 1, "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(name)s %(filename)s:%(lineno)d %(message)s"}},
    "handlers": {"file": {"class": "logging.FileHandler", "filename": "shop.log", "formatter": "plain"}},
    "loggers": {"shop": {"handlers": ["file"], "level": "DEBUG", "propagate": False}}})
""",
}

SPEAK = """
log = logging.getLogger("shop")
log.debug("debug")
log.info("info")
log.warning("warning %s", 1)
try:
    {}["sku"]
except KeyError:
    log.exception("exception")
logging.getLogger("other").warning("other")
print(logging.getLogger().level, log.level, len(logging.getLogger().handlers))
"""


@pytest.mark.parametrize("setup", LOGGING_SETUPS.values(), ids=LOGGING_SETUPS)
def test_what_is_written_is_the_same_with_and_without(tmp_path: Path, setup: str) -> None:
    program = "import logging\n" + setup + SPEAK
    outputs = []
    for name in ("without", "with"):
        folder = tmp_path / name
        folder.mkdir()
        # The same lines in both, so that line numbers agree.
        begin = "import e2edebug; e2edebug.init()" if name == "with" else "import os; os.getpid()"
        done = run(
            f"{begin}\n{program}", folder, environ={"E2EDEBUG_DATABASE_URL": f"sqlite:///{folder / 'store.sqlite3'}"}
        )
        file = folder / "shop.log"
        said = [line for line in done.stderr.splitlines() if "e2edebug" not in line]
        log = file.read_text() if file.exists() else ""
        outputs.append([done.stdout, "\n".join(said).replace(str(folder), ""), log.replace(str(folder), "")])

    assert outputs[0] == outputs[1]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_a_host_that_exports_its_logs_exports_them_once(engine: sa.Engine, store_url: str, tmp_path: Path) -> None:
    """OpenTelemetry's own handler is on the root logger, and e2edebug joins the provider behind it."""
    program = run(
        """
        import logging, warnings
        warnings.simplefilter("ignore")
        from opentelemetry._logs import set_logger_provider
        from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
        from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
        import e2edebug

        exporter = InMemoryLogRecordExporter()
        provider = LoggerProvider()
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        set_logger_provider(provider)
        logging.getLogger().addHandler(LoggingHandler(logger_provider=provider))
        e2edebug.init()

        log = logging.getLogger("shop")
        with e2edebug.step(component="Cart"):
            try:
                {}["sku"]
            except KeyError:
                log.exception("failed")
            log.error("declined")
        print(len([one for one in exporter.get_finished_logs() if one.instrumentation_scope.name == "shop"]))
        """,
        tmp_path,
        environ={"E2EDEBUG_DATABASE_URL": store_url, "E2EDEBUG_EXIT_TIMEOUT_S": "30"},
    )

    assert (program.returncode, program.stdout) == (0, "2\n"), program.stderr
    found = rows(engine, "SELECT error_type, error_message FROM debugging_error_log ORDER BY timestamp")
    assert found == [("KeyError", "sku"), ("shop", "declined")]


def test_shutdown_puts_everything_back(tmp_path: Path) -> None:
    program = run(
        """
        import logging, sys, threading
        from asyncio.base_events import BaseEventLoop
        hooks = lambda: (logging.Logger.callHandlers, logging.getLogRecordFactory(), sys.excepthook,
                         threading.excepthook, BaseEventLoop.call_exception_handler)
        before = hooks()
        import e2edebug
        e2edebug.init()
        during = hooks()
        e2edebug.shutdown()
        print([a is b for a, b in zip(before, hooks())], [a is b for a, b in zip(before, during)])
        """,
        tmp_path,
        environ={"E2EDEBUG_DATABASE_URL": f"sqlite:///{tmp_path / 'store.sqlite3'}"},
    )

    assert program.stdout == f"{[True] * 5} {[False] * 5}\n", program.stderr


def test_what_django_logs_of_requests_makes_no_second_error_and_no_noise(tmp_path: Path) -> None:
    site = Site(tmp_path / "site", {"wsgi_top": "import e2edebug.auto"})
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    source = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_project.settings")
from site_project.wsgi import application
from wsgiref.util import setup_testing_defaults
for path in ("/crash/", "/missing/3/", "/nowhere/", "/users/"):
    environ = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    b"".join(application(environ, lambda status, headers: print(status)))
"""

    done = site.run("-c", source, environ={"E2EDEBUG_DATABASE_URL": url})

    engine = sa.create_engine(url)
    found = rows(engine, "SELECT error_type, severity, request_path FROM debugging_error_log")
    events = rows(engine, "SELECT metadata FROM debugging_trace_step WHERE kind = 'server'")
    engine.dispose()
    assert found == [("ValueError", "error", "/crash/")]
    assert not [text for (text,) in events if "log.message" in text]
    assert "recursive" not in done.stderr


def test_a_wrapper_around_ours_does_not_make_two_of_one_record(tmp_path: Path) -> None:
    """As Sentry's: it is put around ours, and then Django's settings make e2edebug begin anew."""
    program = run(
        """
        import logging, e2edebug
        from e2edebug_instrumentation.logs.instrumentor import LoggingInstrumentor
        from opentelemetry.sdk.trace import TracerProvider
        instrumentor = LoggingInstrumentor()
        instrumentor.instrument()
        inner = logging.Logger.callHandlers
        logging.Logger.callHandlers = lambda logger, record: inner(logger, record)
        instrumentor.uninstrument()
        instrumentor.instrument()
        with TracerProvider().get_tracer("shop").start_as_current_span("step") as span:
            logging.getLogger("shop").warning("stale")
        print(len(span.events))
        """,
        tmp_path,
    )

    assert program.stdout == "1\n", program.stderr
