"""Every rule, and how its evidence comes: a constant number of queries for all alerts of a turn."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from e2edebug.alerts.recommendations import (
    cache_misses,
    coinciding_errors,
    dominant_statement,
    external_host,
    lock_waits,
    new_release,
    repeated_statement,
)
from e2edebug.alerts.recommendations.evidence import Evidence
from e2edebug.alerts.states import Target, Transition
from e2edebug_schema.queries.alert_evidence import errors_near, releases_between, steps_of_examples
from e2edebug_schema.queries.reading import Source

Rule = Callable[[Evidence], str | None]

RULES: Final[tuple[Rule, ...]] = (
    lock_waits.advise,
    repeated_statement.advise,
    dominant_statement.advise,
    external_host.advise,
    cache_misses.advise,
    coinciding_errors.advise,
    new_release.advise,
)
"""The most specific first."""

MOST_SENTENCES: Final = 3
MOST_ADVISED: Final = 20
"""Alerts of one turn that get advice; a storm of thousands has one cause, and the first twenty show it."""


def recommend(evidence: Evidence, rules: tuple[Rule, ...] = RULES) -> str | None:
    """Return what the evidence shows, a line for each rule that sees something; None where none does."""
    said = [text for rule in rules if (text := rule(evidence)) is not None]
    return "\n".join(said[:MOST_SENTENCES]) or None


def advise(source: Source, transitions: list[Transition], *, now: datetime) -> Mapping[Target, str]:
    """Return advice for those of *transitions* about whose requests the store knows something."""
    chosen = sorted(transitions, key=lambda one: (one.level != "critical", one.target))[:MOST_ADVISED]
    ids = {example for one in chosen for example in one.examples}
    steps = steps_of_examples(source, ids, now=now)
    longest = timedelta(seconds=max((one.window_s for one in chosen), default=0))
    errors = errors_near(
        source, [(one.target.layer, one.target.component) for one in chosen], ids, since=now - longest, until=now
    )
    releases = releases_between(source, since=now - longest - new_release.REACH, until=now)
    advice = {}
    for one in chosen:
        mine = set(one.examples)
        text = recommend(
            Evidence(
                target=one.target,
                started_at=one.started_at,
                steps=tuple(step for step in steps if step.correlation_id in mine),
                errors=tuple(
                    error
                    for error in errors
                    if error.correlation_id in mine
                    or (error.layer, error.component) == (one.target.layer, one.target.component)
                ),
                releases=tuple(releases),
            )
        )
        if text is not None:
            advice[one.target] = text
    return advice


def with_failing_examples(source: Source, transitions: list[Transition], *, now: datetime) -> list[Transition]:
    """Return *transitions* with requests that failed as the examples of error rates: the slowest ones show nothing."""
    rates = [one for one in transitions if one.target.metric_name == "error_rate" and one.kind != "resolved"]
    if not rates:
        return transitions
    longest = timedelta(seconds=max(one.window_s for one in rates))
    errors = errors_near(
        source, [(one.target.layer, one.target.component) for one in rates], (), since=now - longest, until=now
    )
    changed = []
    for one in transitions:
        failing = [
            error.correlation_id
            for error in errors
            if error.correlation_id is not None
            and (error.layer, error.component) == (one.target.layer, one.target.component)
        ]
        is_rate = one.target.metric_name == "error_rate" and failing
        changed.append(replace(one, examples=tuple(dict.fromkeys(failing))[:3]) if is_rate else one)
    return changed
