"""e2edebug, complete: its spans, and its pipeline with cleaning, redaction, sessions, summaries and metrics."""

import os

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from e2edebug.policy.config import load_config
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.recording.provider import make_tracer_provider
from e2edebug_exporters.span_processor import SpanPipelineProcessor
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate
from e2edebug_schema.tables import trace_step

TITLE = "e2edebug"
WHO = "ours"
_EXIT_TIMEOUT_S = 30.0
"""What is asked at the end is whether every span is in the store; with the default of two seconds, the rest may go to disk."""


def prepare(store_url: str) -> None:
    """Make the tables, as they are there in a store in use: the process that makes them has read Alembic."""
    engine = create_store_engine(store_url)
    migrate(engine)
    engine.dispose()


def provider(store_url: str, sink_url: str) -> TracerProvider:
    made = make_tracer_provider(ALWAYS_ON, Resource.create({"service.name": "benchmark"}))
    made.add_span_processor(
        SpanPipelineProcessor(Pipeline(store_url, load_config({"exit_timeout_s": _EXIT_TIMEOUT_S}, environ={})))
    )
    return made


def begin(store_url: str, sink_url: str) -> None:
    os.environ["E2EDEBUG_DATABASE_URL"] = store_url
    os.environ["E2EDEBUG_EXIT_TIMEOUT_S"] = str(_EXIT_TIMEOUT_S)
    import e2edebug.auto  # noqa: F401 - the line that a project adds


def stored(store_url: str) -> int:
    import sqlalchemy as sa

    engine = create_store_engine(store_url)
    with engine.connect() as connection:
        count: int = connection.execute(sa.select(sa.func.count()).select_from(trace_step)).scalar_one()
    engine.dispose()
    return count
