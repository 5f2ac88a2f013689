"""What the store says about a stretch of traffic, in plain words of 80 columns."""

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Engine

import next_commands
from e2edebug_schema.queries.errors import ErrorFilter, list_errors
from e2edebug_schema.queries.sessions import Session, SessionFilter, list_sessions
from e2edebug_schema.queries.snapshots import merged_histograms, metric_windows
from e2edebug_schema.queries.statistics import (
    failing_workflows,
    repeated_statements,
    slowest_endpoints,
    slowest_statements,
)
from e2edebug_schema.queries.steps import Step, steps_of
from terminal import counted

WIDTH = 80
MOST_SESSIONS = 200
MOST_ERRORS = 5000


def worst_session(engine: Engine, workflow_type: str, *, since: datetime) -> Session | None:
    """Return the failed workflow of that type that got furthest, the slowest of them; without one, the longest."""
    filters = SessionFilter(workflow_type=workflow_type, since=since)
    sessions = list_sessions(engine, filters=filters, limit=MOST_SESSIONS)
    return max(sessions, key=lambda one: (one.status == "failed", one.step_count, one.duration_ms or 0.0), default=None)


def session_with_task(engine: Engine, workflow_type: str, *, since: datetime) -> Session | None:
    """Return a workflow of that type that ended well and whose task has run; None without one."""
    filters = SessionFilter(workflow_type=workflow_type, status="completed", since=since)
    for session in list_sessions(engine, filters=filters, limit=MOST_SESSIONS):
        if any(step.kind == "consumer" for step in steps_of(engine, session.correlation_id)):
            return session
    return None


def failures(engine: Engine, *, since: datetime) -> Iterator[str]:
    """Say which workflows failed, and at which step."""
    for workflow in failing_workflows(engine, since=since):
        yield f"{workflow.workflow_type}: {workflow.failed} of {workflow.count} failed"
        filters = SessionFilter(workflow_type=workflow.workflow_type, status="failed", since=since)
        places: Counter[str] = Counter()
        for session in list_sessions(engine, filters=filters, limit=MOST_SESSIONS):
            places.update(where_it_failed(steps_of(engine, session.correlation_id)))
        for place, count in places.most_common(3):
            yield from _indented(f"{count} x {place}", 4)


def where_it_failed(steps: Sequence[Step]) -> Iterator[str]:
    """Give the failed steps that no failed step explains: those without a failed child."""
    failed = [step for step in steps if step.status == "failed"]
    parents = {(step.trace_id, step.parent_span_id) for step in failed}
    for step in failed:
        if (step.trace_id, step.span_id) not in parents:
            reason = f": {step.status_message}" if step.status_message else ""
            yield f"{step.layer} layer, {step.component} {step.operation}{reason}"


def endpoints(engine: Engine, *, since: datetime, how_many: int = 5) -> Iterator[str]:
    """Say which requests were slowest."""
    for endpoint in slowest_endpoints(engine, since=since, limit=how_many):
        failed = f", {endpoint.failed} failed" if endpoint.failed else ""
        name = f"{endpoint.component} {endpoint.operation}"
        noun = "request" if endpoint.count == 1 else "requests"
        yield f"{endpoint.p95_ms:>7,.0f} ms  {name:<30} {endpoint.count:>5} {noun}{failed}"


def repetitions(engine: Engine, *, since: datetime, how_many: int = 3) -> Iterator[str]:
    """Say which statement ran again and again within one request, and from which line."""
    for statement in repeated_statements(engine, since=since, limit=how_many):
        requests = counted(statement.sessions, "request")
        yield f"up to {statement.most_repeats} times per request, in {requests}:"
        runs = [
            step
            for step in steps_of(engine, statement.worst_correlation_id)
            if step.statement_digest == statement.digest
        ]
        # A session holds the beginning of the statement, which may end among its columns; a step holds all of it.
        whole = next((step.statement for step in runs if step.statement), statement.statement)
        yield from _indented(without_columns(whole), 4, lines=2)
        for line in sorted({step.code_location for step in runs if step.code_location}):
            yield f"    from {_without_module(line)}"
        yield f"    {next_commands.show(statement.worst_correlation_id)}"


def statements(engine: Engine, *, since: datetime, how_many: int = 4) -> Iterator[str]:
    """Say which statements took the most time."""
    for statement in slowest_statements(engine, since=since, limit=how_many):
        times = f"{statement.total_ms:,.0f} ms in {counted(statement.count, 'run')}, slowest {statement.max_ms:,.1f} ms"
        yield f"{times}, {statement.component}"
        yield from _indented(without_columns(statement.statement), 4, lines=1)
        if statement.code_location:
            yield f"    from {_without_module(statement.code_location)}"


def caches(engine: Engine, *, since: datetime) -> Iterator[str]:
    """Say how often each cache had what it was asked for."""
    windows = metric_windows(engine, since=since, metric_name="hit_rate", layer="cache", limit=MOST_ERRORS)
    for alias in sorted({window.component for window in windows}):
        of_alias = [window for window in windows if window.component == alias]
        counts = [window.metadata for window in of_alias]
        lookups = sum(count.get("lookups", 0) for count in counts)
        hits = sum(count.get("hits", 0) for count in counts)
        worst = min(window.metric_value or 0.0 for window in of_alias)
        if lookups:
            yield (
                f"cache {alias}: {100 * hits / lookups:,.0f} % of {counted(lookups, 'look-up')} were hits; "
                f"{worst:,.0f} % in the worst {of_alias[0].interval_s:,.0f} s"
            )


def calls_and_tasks(engine: Engine, *, since: datetime) -> Iterator[str]:
    """Say how calls to other services, and tasks, went."""
    for layer, what in (("external", "call"), ("system", "run")):
        for summary in merged_histograms(engine, since=since, layer=layer):
            if layer == "system" and "." not in summary.component:
                continue  # not a task, but what e2edebug says of itself
            name = (
                f"{summary.component} (queueing)"
                if layer == "external" and "." in _letters(summary.component)
                else summary.component
            )
            failed = f", {summary.error_count:,} failed" if summary.error_count else ""
            yield f"{summary.p95 or 0.0:>7,.0f} ms  {name:<36} {counted(summary.count, what)}{failed}"


def _letters(text: str) -> str:
    return text if any(character.isalpha() for character in text) else ""


def errors(engine: Engine, *, since: datetime, how_many: int = 6) -> Iterator[str]:
    """Say which errors there were, those of one cause together."""
    found = list_errors(engine, filters=ErrorFilter(since=since), limit=MOST_ERRORS)
    examples = {error.fingerprint: error for error in found}
    for fingerprint, count in Counter(error.fingerprint for error in found).most_common(how_many):
        example = examples[fingerprint]
        message = example.error_message.strip().partition("\n")[0]
        where = ", ".join(sorted({error.component for error in found if error.fingerprint == fingerprint}))
        yield from _indented(f"{count} x {example.error_type} ({where}): {message}", 0)


def without_columns(statement: str) -> str:
    """Return a masked statement without the columns that it selects and the quotes around its names."""
    text = re.sub(r'["`]', "", statement)
    select = re.match(r"SELECT (DISTINCT )?", text)
    depth = 0
    for found in re.finditer(r"[()]| FROM ", text) if select else ():
        # A column may be a query in parentheses, whose FROM is not the statement's.
        if found[0] == " FROM " and select and depth == 0:
            return f"{select[0]}…{text[found.start() :]}"
        depth += {"(": 1, ")": -1}.get(found[0], 0)
    return text


def _without_module(location: str) -> str:
    """Return `cart/current.py:11 in cart_of` of `cart/current.py:11 in cart.current.cart_of`: the path says it."""
    place, _, function = location.partition(" in ")
    module = place.partition(".py:")[0].replace("/", ".")
    return f"{place} in {function.removeprefix(f'{module}.')}" if function else place


def _indented(text: str, indent: int, *, lines: int = 3, hang: int = 4) -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()),
        width=WIDTH - 2,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hang),
        max_lines=lines,
        placeholder=" …",
    )
