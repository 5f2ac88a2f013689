"""What the store holds after shoppers used the shop, compared with what they counted themselves."""

from collections import Counter

from end_to_end.shop_run import Recording


def test_every_request_is_one_server_step(recording: Recording) -> None:
    assert recording.one("SELECT COUNT(*) FROM debugging_trace_step WHERE kind = 'server'") == recording.report.requests


def test_requests_are_one_session_each_unless_the_client_gave_them_one_correlation_id(recording: Recording) -> None:
    named = recording.report.correlation_ids
    unnamed = recording.report.requests - sum(named.values())

    assert recording.one("SELECT COUNT(*) FROM debugging_workflow_session") == unnamed + len(named)


def test_every_step_belongs_to_a_session_that_counts_it(recording: Recording) -> None:
    wrong = recording.rows(
        "SELECT steps.correlation_id, steps.n, session.step_count FROM "
        "(SELECT correlation_id, COUNT(*) AS n FROM debugging_trace_step GROUP BY correlation_id) steps "
        "LEFT JOIN debugging_workflow_session session ON session.correlation_id = steps.correlation_id "
        "WHERE session.step_count IS NULL OR session.step_count <> steps.n"
    )

    assert wrong == []


def test_the_correlation_ids_that_clients_sent_are_found_with_all_their_requests(recording: Recording) -> None:
    stored = Counter(
        row.correlation_id
        for row in recording.rows("SELECT correlation_id FROM debugging_trace_step WHERE kind = 'server'")
    )

    sent = recording.report.correlation_ids
    assert {name: stored[name] for name in sent} == dict(sent)


def test_the_status_codes_that_clients_saw_are_stored(recording: Recording) -> None:
    stored = Counter(
        int(row.code)
        for row in recording.rows(
            "SELECT JSON_EXTRACT(metadata, '$.\"http.response.status_code\"') AS code "
            "FROM debugging_trace_step WHERE kind = 'server'"
        )
    )

    assert stored == recording.report.by_status


def test_requests_that_ended_with_a_server_error_are_failed_and_no_others(recording: Recording) -> None:
    failed = recording.one("SELECT COUNT(*) FROM debugging_trace_step WHERE kind = 'server' AND status = 'failed'")

    assert failed == sum(count for status, count in recording.report.by_status.items() if status >= 500)


def test_every_trace_has_one_root_and_every_other_step_a_parent_in_its_trace(recording: Recording) -> None:
    roots = recording.rows(
        "SELECT trace_id FROM debugging_trace_step GROUP BY trace_id "
        "HAVING SUM(CASE WHEN parent_span_id IS NULL THEN 1 ELSE 0 END) <> 1"
    )
    orphans = recording.rows(
        "SELECT child.trace_id, child.operation FROM debugging_trace_step child "
        "LEFT JOIN debugging_trace_step parent "
        "ON parent.trace_id = child.trace_id AND parent.span_id = child.parent_span_id "
        "WHERE child.parent_span_id IS NOT NULL AND parent.span_id IS NULL"
    )

    assert (roots, orphans) == ([], [])


def test_the_root_of_every_trace_is_the_request(recording: Recording) -> None:
    kinds = recording.rows("SELECT DISTINCT kind, layer FROM debugging_trace_step WHERE parent_span_id IS NULL")

    assert [tuple(row) for row in kinds] == [("server", "api")]


def test_no_step_lasts_longer_than_the_step_around_it(recording: Recording) -> None:
    """A task runs on its own time: the step that ordered it has ended long before."""
    longer = recording.rows(
        "SELECT child.trace_id, child.operation, child.duration_ms, parent.operation, parent.duration_ms "
        "FROM debugging_trace_step child JOIN debugging_trace_step parent "
        "ON parent.trace_id = child.trace_id AND parent.span_id = child.parent_span_id "
        "WHERE child.duration_ms > parent.duration_ms + 0.001 AND child.kind <> 'consumer'"
    )

    assert longer == []


def test_nothing_is_left_unfinished_when_the_shop_has_ended(recording: Recording) -> None:
    open_steps = recording.one("SELECT COUNT(*) FROM debugging_trace_step WHERE end_time IS NULL")
    open_sessions = recording.one("SELECT COUNT(*) FROM debugging_workflow_session WHERE status = 'in_progress'")

    assert (open_steps, open_sessions) == (0, 0)


def test_the_snapshots_of_durations_count_every_step_once(recording: Recording) -> None:
    """Every one but the spans of @workflow itself, whose duration is that of the workflow."""
    by_steps = recording.rows(
        "SELECT layer, component, COUNT(*) AS n FROM debugging_trace_step "
        "WHERE component <> 'workflow' GROUP BY layer, component"
    )
    by_snapshots = recording.rows(
        "SELECT layer, component, SUM(count) AS n FROM debugging_performance_snapshot "
        "WHERE metric_name = 'response_time' GROUP BY layer, component"
    )

    assert {(row.layer, row.component): int(row.n) for row in by_snapshots} == {
        (row.layer, row.component): row.n for row in by_steps
    }


def test_workflows_have_the_types_that_rules_and_decorators_give_them(recording: Recording) -> None:
    types = {row[0] for row in recording.rows("SELECT DISTINCT workflow_type FROM debugging_workflow_session")}

    assert {"checkout", "login", "search", "browse", "cart", "api_call"} <= types


def test_our_own_statements_are_no_steps(recording: Recording) -> None:
    ours = recording.rows("SELECT statement FROM debugging_trace_step WHERE statement LIKE '%debugging!_%' ESCAPE '!'")

    assert ours == []


def test_each_query_is_one_step(recording: Recording) -> None:
    twice = recording.rows(
        "SELECT parent.statement, child.statement FROM debugging_trace_step child "
        "JOIN debugging_trace_step parent "
        "ON parent.trace_id = child.trace_id AND parent.span_id = child.parent_span_id "
        "WHERE child.layer = 'database' AND parent.layer = 'database'"
    )

    assert twice == []


def test_passwords_cards_tokens_and_session_keys_are_in_no_column(recording: Recording) -> None:
    tables = ("workflow_session", "trace_step", "performance_snapshot", "error_log", "error_group")
    everything = "\n".join(
        str(tuple(row)) for table in tables for row in recording.rows(f"SELECT * FROM debugging_{table}")
    )

    assert [
        secret for secret in ("correct horse", "tok_", "eyJ", "sessionid=", "csrftoken=") if secret in everything
    ] == []


def test_every_self_report_accounts_for_every_item_and_none_was_lost(recording: Recording) -> None:
    reports: dict[tuple[str, str], dict[str, float]] = {}
    for row in recording.rows(
        "SELECT service_instance, timestamp, metric_name, metric_value FROM debugging_performance_snapshot "
        "WHERE layer = 'system' AND component = 'e2edebug'"
    ):
        reports.setdefault((row.service_instance, str(row.timestamp)), {})[row.metric_name] = row.metric_value

    assert reports
    for report in reports.values():
        accounted = report["stored"] + report["already_there"] + report["queued"] + report["dropped"]
        assert (report["emitted"], report["dropped"]) == (accounted, 0)
