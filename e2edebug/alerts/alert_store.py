"""What an evaluation has found becomes rows: one transaction, which counts only if nobody else has evaluated meanwhile.

Every write goes through `claim_evaluation`, a conditional update of the one row in debugging_evaluation. Whoever comes
second changes nothing there and rolls back: one transition, one notification, whatever happens to leases and clocks.
The number of statements does not depend on the number of targets.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, func, insert, select, update
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.exc import IntegrityError

from e2edebug.alerts.progress import Progress
from e2edebug.alerts.states import AlertState, State, Target, Transition, Window
from e2edebug.policy.redaction import Redactor
from e2edebug_schema.alert_tables import alert_event, alert_target, evaluation
from e2edebug_schema.column_types import SERVER_DIALECTS
from e2edebug_schema.queries.alerts import OPEN_STATES, RememberedTarget, StoredAlert
from e2edebug_schema.tables import alert, text_limits

EVALUATION_NAME: Final = "thresholds"
_STORED_STATES: Final[dict[State, str]] = {"ok": "resolved"}


class EvaluationLostError(Exception):
    """Another evaluator was faster; everything of this turn is rolled back."""


@dataclass(slots=True)
class Memory:
    """The rows of debugging_alert_target, as the evaluator uses them."""

    states: dict[Target, AlertState]
    alert_ids: dict[Target, int]
    told: dict[Target, dict[str, Any]]
    row_ids: dict[Target, int]

    @classmethod
    def of(cls, rows: Iterable[RememberedTarget]) -> "Memory":
        """Return what *rows* say; a row that cannot be read any more is forgotten."""
        memory = cls({}, {}, {}, {})
        for row in rows:
            target = Target(row.layer, row.metric_name, row.component)
            memory.row_ids[target] = row.id
            memory.told[target] = row.told
            if row.alert_id is not None:
                memory.alert_ids[target] = row.alert_id
            try:
                state = AlertState.from_json(target, row.state, row.level, row.memory)  # type: ignore[arg-type]  # our own columns
            except (KeyError, TypeError, ValueError):
                continue
            memory.states[target] = state
        return memory


def claim_evaluation(connection: Connection, *, version: int | None, progress: Progress, evaluator: str) -> None:
    """Make this turn count. version: that of the row that was read, None when there was none.

    Raises EvaluationLostError when somebody else has evaluated since.
    """
    values = {
        "evaluated_until": progress.evaluated_until,
        "newest_id": progress.newest_id,
        "floor_id": progress.floor_id,
        "floor_until": progress.floor_until,
        "evaluator": evaluator[:150],
    }
    if version is None:
        try:
            connection.execute(insert(evaluation).values(name=EVALUATION_NAME, version=1, **values))
        except IntegrityError as error:
            raise EvaluationLostError from error
        return
    claimed = connection.execute(
        update(evaluation)
        .where(evaluation.c.name == EVALUATION_NAME, evaluation.c.version == version)
        .values(version=version + 1, **values)
    )
    if claimed.rowcount != 1:
        raise EvaluationLostError


def store_transitions(
    connection: Connection,
    memory: Memory,
    transitions: Collection[Transition],
    *,
    threshold_ids: Mapping[Target, int | None],
    advice: Mapping[Target, str],
    now: datetime,
) -> None:
    """Store alerts that began, their changes and every change as an event. Adds the new alerts' ids to *memory*."""
    begun = [one for one in transitions if one.from_state == "ok"]
    if begun:
        connection.execute(
            insert(alert),
            [_alert_columns(one, now) | {"threshold_id": threshold_ids.get(one.target)} for one in begun],
        )
        # Nobody else stores alerts in this transaction's turn, so these are ours.
        query = select(alert.c.id, alert.c.layer, alert.c.metric_name, alert.c.component).where(
            alert.c.last_seen_at == now, alert.c.started_at == begun[0].started_at, alert.c.state.in_(OPEN_STATES)
        )
        for row_id, *target in connection.execute(query):
            memory.alert_ids[Target(*target)] = row_id
    changed = {one.target: one for one in transitions if one.from_state != "ok"}
    if changed:
        rows = [
            _alert_columns(one, now) | {"id": memory.alert_ids[target]}
            for target, one in changed.items()
            if target in memory.alert_ids
        ]
        _upsert(
            connection, alert, rows, key="id", keep=("layer", "metric_name", "component", "started_at", "threshold_id")
        )
    known = [one for one in transitions if one.target in memory.alert_ids]
    if known:
        connection.execute(insert(alert_event), [_event(memory.alert_ids[one.target], one) for one in known])
    advised = [
        {"b_id": memory.alert_ids[target], "b_text": text[: text_limits(alert)["recommendation"]]}
        for target, text in advice.items()
        if target in memory.alert_ids
    ]
    for one in advised:
        connection.execute(update(alert).where(alert.c.id == one["b_id"]).values(recommendation=one["b_text"]))


def store_memory(
    connection: Connection,
    memory: Memory,
    states: Mapping[Target, AlertState],
    windows: Mapping[Target, Window],
    *,
    now: datetime,
) -> None:
    """Store what is to be remembered, and forget the rest."""
    kept = dict(states)
    for target, told in memory.told.items():
        # Somebody who was told that it fires waits to hear that it is over.
        if target not in kept and any(one.get("state") not in (None, "resolved") for one in told.values()):
            kept[target] = AlertState(target=target, state="ok", since=now, seen_at=now)
    rows = [
        {
            "layer": target.layer,
            "metric_name": target.metric_name,
            "component": target.component,
            "alert_id": memory.alert_ids.get(target),
            "state": state.state,
            "level": state.level,
            "memory": json.dumps(state.as_json() | _measured(windows.get(target))),
            "told": json.dumps(memory.told.get(target, {})),
            "updated_at": now,
        }
        for target, state in kept.items()
    ]
    _upsert(connection, alert_target, rows, key=("layer", "metric_name", "component"), keep=())
    forgotten = sorted(row_id for target, row_id in memory.row_ids.items() if target not in kept)
    for start in range(0, len(forgotten), 1000):
        connection.execute(delete(alert_target).where(alert_target.c.id.in_(forgotten[start : start + 1000])))
    seen = sorted(
        memory.alert_ids[target] for target, state in states.items() if state.is_open and target in memory.alert_ids
    )
    for start in range(0, len(seen), 1000):
        connection.execute(update(alert).where(alert.c.id.in_(seen[start : start + 1000])).values(last_seen_at=now))


def store_event_by_hand(
    connection: Connection, found: StoredAlert, *, kind: str, actor: str, note: str, now: datetime
) -> None:
    """Store that somebody did something about an alert."""
    connection.execute(
        insert(alert_event).values(
            alert_id=found.id,
            occurred_at=now,
            kind=kind,
            from_state=found.state,
            to_state=found.state,
            level=found.level,
            value=found.value,
            limit_value=found.limit_value,
            correlation_id=found.correlation_id,
            actor=actor[:150],
            note=_redactor.text(note)[: text_limits(alert_event)["note"]] or None,
        )
    )


_redactor: Final = Redactor()
"""A person may paste a secret into a note."""


def _alert_columns(one: Transition, now: datetime) -> dict[str, Any]:
    is_over = one.to_state == "ok"
    return {
        "layer": one.target.layer,
        "metric_name": one.target.metric_name,
        "component": one.target.component,
        "level": one.level or "warning",
        "state": _STORED_STATES.get(one.to_state, one.to_state),
        "value": one.value,
        "limit_value": one.limit_value,
        "started_at": one.started_at,
        "last_seen_at": now,
        "resolved_at": one.at if is_over else None,
        # A recovery shows no trouble: the example of the trouble stays.
        "correlation_id": None if is_over else one.correlation_id,
    }


def _event(alert_id: int, one: Transition) -> dict[str, Any]:
    return {
        "alert_id": alert_id,
        "occurred_at": one.at,
        "kind": one.kind,
        "from_state": one.from_state,
        "to_state": _STORED_STATES.get(one.to_state, one.to_state),
        "level": one.level,
        "value": one.value,
        "limit_value": one.limit_value,
        "window_s": one.window_s,
        "samples": one.samples,
        "correlation_id": one.correlation_id,
    }


def _measured(window: Window | None) -> dict[str, Any]:
    return {} if window is None or window.value != window.value else {"value": window.value, "samples": window.count}


def _upsert(
    connection: Connection,
    table: Table,
    rows: list[dict[str, Any]],
    *,
    key: str | tuple[str, ...],
    keep: tuple[str, ...],
) -> None:
    """Insert *rows* or change those that are there, in one batch. keep: columns that a row keeps."""
    if not rows:
        return
    keys = (key,) if isinstance(key, str) else key
    changed = [name for name in rows[0] if name not in keys and name not in keep]
    if connection.dialect.name in SERVER_DIALECTS:
        on_server = mysql.insert(table)
        connection.execute(
            on_server.on_duplicate_key_update(
                {name: _kept_example(name, on_server.inserted[name], table) for name in changed}
            ),
            rows,
        )
        return
    in_file = sqlite.insert(table)
    connection.execute(
        in_file.on_conflict_do_update(
            index_elements=list(keys),
            set_={name: _kept_example(name, in_file.excluded[name], table) for name in changed},
        ),
        rows,
    )


def _kept_example(name: str, new: Any, table: Table) -> Any:
    """An example, a value or a level that is not there any more does not take the place of the last one."""
    if table is alert and name in ("correlation_id", "value", "limit_value"):
        return func.coalesce(new, table.c[name])
    return new
