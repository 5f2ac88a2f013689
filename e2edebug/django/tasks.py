"""Tasks for Celery beat, found by `app.autodiscover_tasks()`.

`e2edebug.prune`, once a day or once an hour; `e2edebug.evaluate_thresholds`, every half minute or minute.
"""

from typing import Any

from celery import shared_task

from e2edebug.alerts.running import EvaluationRunner
from e2edebug.policy.config import load_config
from e2edebug.runtime import django_project
from e2edebug.runtime.retention import READ_TIMEOUT_S, run_retention
from e2edebug.runtime.store_choice import choose_store_url
from e2edebug_schema.engine import create_store_engine


def prune() -> dict[str, Any] | None:
    """Clear out what is older than the settings keep; None when another process is at it.

    Returns how many steps were taken, and whether the next run has something left to do.
    """
    config = load_config(django_settings=django_project.e2edebug_settings())
    engine = create_store_engine(
        choose_store_url(config).url,
        connect_timeout_s=config.connect_timeout_s,
        read_timeout_s=max(config.read_timeout_s, READ_TIMEOUT_S),
        write_timeout_s=config.write_timeout_s,
    )
    try:
        outcome = run_retention(engine, config)
    finally:
        engine.dispose()
    if outcome is None:
        return None
    return {
        "steps": len(outcome.steps),
        "is_complete": outcome.is_complete,
        "held_tables": outcome.held_tables,
        "size_bytes": outcome.size_bytes,
        "is_over_size": outcome.is_over_size,
    }


def evaluate_thresholds() -> dict[str, Any]:
    """Judge the thresholds and deliver the messages; `evaluated` is false while another process is at it.

    Returns how many changes were found, and what became of the messages.
    """
    config = load_config(django_settings=django_project.e2edebug_settings())
    engine = create_store_engine(
        choose_store_url(config).url,
        connect_timeout_s=config.connect_timeout_s,
        read_timeout_s=config.read_timeout_s,
        write_timeout_s=config.write_timeout_s,
    )
    runner = EvaluationRunner(engine, config, every_s=config.evaluate_every_s)
    try:
        done = runner.run_once()
        runner.release()
    finally:
        engine.dispose()
    return {
        "evaluated": done.turn is not None,
        "transitions": 0 if done.turn is None else len(done.turn.transitions),
        "sent": done.delivery.sent,
        "postponed": done.delivery.postponed,
        "failed": done.delivery.failed,
    }


prune_task = shared_task(name="e2edebug.prune")(prune)
evaluate_thresholds_task = shared_task(name="e2edebug.evaluate_thresholds")(evaluate_thresholds)
