"""Rows of debugging_configuration take effect in a pipeline that runs."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from support.waiting import wait_until

from e2edebug_exporters.pipeline import Pipeline
from e2edebug_schema.tables import configuration

from .pipelines import pipeline_on, tracer_of
from .rows_by_hand import count


def configure(engine: sa.Engine, config_type: str, data: Any = None, *, enabled: bool = True) -> None:
    now = datetime.now(UTC)
    row = {
        "name": config_type, "config_type": config_type, "enabled": enabled, "config_data": json.dumps(data),
        "created_at": now, "updated_at": now,
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(configuration.delete().where(configuration.c.name == config_type))
        connection.execute(configuration.insert().values(row))


def end_span(pipeline: Pipeline, name: str, **attributes: Any) -> None:
    with tracer_of(pipeline).start_as_current_span(name, attributes=attributes):
        pass


def test_tracing_is_switched_off_and_on_while_the_process_runs(store_url: str, engine: sa.Engine) -> None:
    with pipeline_on(store_url) as pipeline:
        end_span(pipeline, "before")
        assert pipeline.flush(30)

        configure(engine, "tracing", enabled=False)
        wait_until(lambda: not pipeline.configuration.is_tracing)
        end_span(pipeline, "meanwhile")
        with pytest.raises(ValueError, match="refused"), tracer_of(pipeline).start_as_current_span("broken"):
            raise ValueError("refused")

        configure(engine, "tracing", enabled=True)
        wait_until(lambda: pipeline.configuration.is_tracing)
        end_span(pipeline, "afterwards")
        assert pipeline.flush(30)

    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT operation FROM debugging_trace_step ORDER BY operation").scalars()
        assert list(found) == ["afterwards", "before", "broken"]


def test_what_is_to_be_hidden_is_hidden_from_the_first_batch_on(store_url: str, engine: sa.Engine) -> None:
    configure(engine, "redaction", {"keys": ["loyalty_number"]})

    with pipeline_on(store_url) as pipeline:
        end_span(pipeline, "buy", loyaltyNumber="L-4711")
        assert pipeline.flush(30)

    with engine.connect() as connection:
        text = connection.exec_driver_sql("SELECT metadata FROM debugging_trace_step").scalar_one()
    assert "L-4711" not in text
    assert "loyaltyNumber" in text


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_no_metric_is_stored_while_performance_monitoring_is_off(store_url: str, engine: sa.Engine) -> None:
    configure(engine, "performance_monitoring", enabled=False)

    with pipeline_on(store_url) as pipeline:
        end_span(pipeline, "first")
        wait_until(lambda: not pipeline.configuration.is_monitoring)
        end_span(pipeline, "second")
        assert pipeline.flush(30)

    assert count(engine, "debugging_trace_step") == 2
    assert count(engine, "debugging_performance_snapshot") == 0


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(("enabled", "level", "stored"), [(True, "critical", 0), (True, "error", 1), (False, None, 0)])
def test_errors_below_the_level_are_not_stored(
    store_url: str, engine: sa.Engine, enabled: bool, level: str | None, stored: int
) -> None:
    configure(engine, "error_logging", {"level": level}, enabled=enabled)

    with pipeline_on(store_url) as pipeline:
        with pytest.raises(ValueError, match="refused"), tracer_of(pipeline).start_as_current_span("broken"):
            raise ValueError("refused")
        assert pipeline.flush(30)

    assert count(engine, "debugging_error_log") == stored
    assert count(engine, "debugging_trace_step") == 1


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_row_that_cannot_be_used_is_named_and_left_out(
    store_url: str, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    configure(engine, "tracing", {"sample_ratio": "half"})

    with pipeline_on(store_url) as pipeline:
        end_span(pipeline, "first")
        assert pipeline.flush(30)

    assert count(engine, "debugging_trace_step") == 1
    assert "'tracing' of debugging_configuration is left out: sample_ratio: must be a number from 0 to 1" in caplog.text
