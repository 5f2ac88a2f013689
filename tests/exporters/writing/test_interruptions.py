"""Signal handlers and finalisers make spans, and raise, in the middle of any line of ours."""

import os
import subprocess
import sys
import textwrap

import pytest

PROLOGUE = """
import faulthandler, gc, os, signal, sys, threading, time
from e2edebug.policy.config import load_config
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.span_processor import SpanPipelineProcessor
from opentelemetry.sdk.trace import TracerProvider

faulthandler.dump_traceback_later(150, exit=True)
SETTINGS = {"flush_interval_s": 0.05, "metric_interval_s": 0.5, "queue_max_items": 2000}
pipeline = Pipeline(os.environ["TEST_STORE_URL"], load_config(SETTINGS, environ={}))
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(SpanPipelineProcessor(pipeline))
tracer = provider.get_tracer("test")
tracer.start_span("warm up").end()
assert pipeline.flush(20)
SECONDS = 3.0
"""


def run(body: str, url: str) -> None:
    """Run a program that must come to its end."""
    environment = {name: value for name, value in os.environ.items() if name != "E2EDEBUG_RAISE_ERRORS"}
    finished = subprocess.run(
        [sys.executable, "-c", PROLOGUE + textwrap.dedent(body)],
        env=environment | {"TEST_STORE_URL": url},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_signal_handler_may_end_a_span_while_a_span_ends(store_url: str) -> None:
    body = """
        def handler(*_):
            tracer.start_span("in the handler").end()
            pipeline.stats()
            signal.setitimer(signal.ITIMER_REAL, 0.0005)

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            tracer.start_span("work").end()
            assert pipeline.ledger.read().is_balanced
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert pipeline.flush(20)
        assert pipeline.ledger.read().is_balanced
        """

    run(body, store_url)


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_finaliser_may_end_a_span_while_a_span_ends(store_url: str) -> None:
    body = """
        class Resource:
            def __init__(self):
                self.itself = self
                self.span = tracer.start_span("held")

            def __del__(self):
                self.span.end()

        number = 0
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            number += 1
            gc.set_threshold(1 + number % 60)
            Resource()
            tracer.start_span("work").end()
        gc.set_threshold(700)
        assert pipeline.flush(20)
        assert pipeline.ledger.read().is_balanced
        """

    run(body, store_url)


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_what_a_signal_handler_raises_reaches_the_application_and_leaves_the_pipeline_whole(store_url: str) -> None:
    body = """
        class TimeLimit(Exception):
            pass

        def handler(*_):
            raise TimeLimit

        signal.signal(signal.SIGALRM, handler)
        swallowed = raised = 0
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            try:
                begun = time.monotonic()
                signal.setitimer(signal.ITIMER_REAL, 0.0005 + (raised % 10) * 0.0001)
                while time.monotonic() < begun + 0.05:
                    tracer.start_span("work").end()
                swallowed += 1
            except TimeLimit:
                raised += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert (raised > 100, swallowed) == (True, 0), (raised, swallowed)
        assert pipeline.flush(20)
        reading = pipeline.ledger.read()
        assert reading.is_balanced and reading.queued == 0, reading
        threads = [thread for thread in threading.enumerate() if thread.name == "e2edebug-pipeline"]
        assert len(threads) == 1, threads
        """

    run(body, store_url)


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_breaking_off_the_start_of_the_thread_leaves_one_thread(store_url: str) -> None:
    body = """
        class TimeLimit(Exception):
            pass

        is_armed = False

        def handler(*_):
            if is_armed:
                raise TimeLimit

        signal.signal(signal.SIGALRM, handler)
        for number in range(100):
            own = Pipeline(os.environ["TEST_STORE_URL"], load_config(SETTINGS, environ={}))
            try:
                is_armed = True
                until = time.monotonic() + 0.005
                signal.setitimer(signal.ITIMER_REAL, 0.00002 + number * 0.000002)
                while time.monotonic() < until:
                    own._ensure_thread()
                is_armed = False
            except TimeLimit:
                is_armed = False
            assert own.flush(20)
            own.shutdown(20)
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("e2edebug-pipeline") == 1, names
        """

    run(body, store_url)


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_time_limits_in_queries_neither_get_lost_nor_silence_later_queries(store_url: str) -> None:
    body = """
        from e2edebug_instrumentation.database.database_target import database_target
        from e2edebug_instrumentation.database.query_span import QueryRecorder

        class TimeLimit(Exception):
            pass

        def handler(*_):
            raise TimeLimit

        recorder = QueryRecorder(tracer_provider=provider)
        target = database_target(system="sqlite")

        def execute():
            query = recorder.begin_query(target, "SELECT 1")
            assert query is not None, "an earlier query is still under way"
            query.succeed(1)

        signal.signal(signal.SIGALRM, handler)
        swallowed = raised = 0
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            try:
                begun = time.monotonic()
                signal.setitimer(signal.ITIMER_REAL, 0.0005 + (raised % 10) * 0.0001)
                while time.monotonic() < begun + 0.05:
                    execute()
                swallowed += 1
            except TimeLimit:
                raised += 1
        assert (raised > 100, swallowed) == (True, 0), (raised, swallowed)
        """

    run(body, store_url)
