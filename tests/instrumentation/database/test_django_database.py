"""Django's queries, transactions and connections as spans, on SQLite and MariaDB."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from instrumentation.database.recorded_spans import names

PROGRAM = Path(__file__).parent / "django_program.py"
FILE = PROGRAM.name


@pytest.fixture(scope="module", params=("sqlite", "mariadb"))
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('django') / 'host.sqlite3'}"
        return
    server = request.getfixturevalue("mariadb_server")
    database_url = server.create_database()
    yield database_url
    server.drop_database(database_url)


def run_program(url: str, mode: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), url, mode],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "E2EDEBUG_RAISE_ERRORS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def spans(url: str) -> dict[str, Any]:
    """The spans of each scenario of the program, with all three instrumentors at work."""
    return run_program(url, "traced")


def is_mariadb(url: str) -> bool:
    return not url.startswith("sqlite")


def test_a_query_has_its_statement_its_table_and_the_line_that_caused_it(spans: dict[str, Any], url: str):
    (span,) = spans["one_query"]

    attributes = span["attributes"]
    digest = attributes.pop("e2edebug.db.digest")
    text = attributes.pop("db.query.text").replace("`", '"')
    returned = {"db.response.returned_rows": 0} if is_mariadb(url) else {}
    line = attributes.pop("code.line.number")
    server = {name: attributes.pop(name) for name in ("server.address", "server.port") if name in attributes}
    namespace = attributes.pop("db.namespace")
    assert span["name"] == "SELECT auth_user"
    assert (span["kind"], span["status"], span["parent"], span["events"]) == ("CLIENT", "UNSET", None, [])
    assert len(digest) == 32
    assert text.startswith('SELECT "auth_user"."id", "auth_user"."password"')
    assert text.endswith('FROM "auth_user" WHERE ("auth_user"."id" IN (?+) AND "auth_user"."username" = ?)')
    assert (
        PROGRAM.read_text().splitlines()[line - 1].strip() == 'list(users().filter(username="bob", id__in=[1, 2, 3]))'
    )
    assert namespace
    assert "/" not in namespace
    assert sorted(server) == (["server.address", "server.port"] if is_mariadb(url) else [])
    assert attributes == {
        "db.system.name": "mariadb" if is_mariadb(url) else "sqlite",
        "db.operation.name": "SELECT",
        "db.collection.name": "auth_user",
        "e2edebug.layer": "database",
        "e2edebug.component": "auth_user",
        "e2edebug.operation": "SELECT",
        "code.file.path": FILE,
        "code.function.name": "__main__.one_query",
        **returned,
    }


def test_no_value_of_a_row_reaches_a_span(spans: dict[str, Any]):
    everything = json.dumps(spans)

    assert "hunter2" not in everything
    assert "bob" not in everything


def test_inserts_and_updates_tell_how_many_rows_they_changed(spans: dict[str, Any]):
    assert names(spans["insert"]) == ["INSERT auth_user"]
    (update,) = spans["update"]
    assert update["attributes"]["e2edebug.db.affected_rows"] == 1


def test_a_transaction_shows_its_savepoint_its_commit_and_its_hooks(spans: dict[str, Any]):
    found = spans["transaction_with_savepoint_and_hook"]

    assert names(found) == [
        "BEGIN default",
        "SAVEPOINT default",
        "SELECT auth_user",
        "RELEASE SAVEPOINT default",
        "COMMIT default",
        "SELECT auth_user",
        "ON COMMIT default",
    ]
    assert [span["parent"] for span in found] == [None] * 5 + ["ON COMMIT default", None]
    assert found[-1]["kind"] == "INTERNAL"
    assert found[-1]["attributes"]["e2edebug.db.on_commit_hooks"] == [
        "transaction_with_savepoint_and_hook.<locals>.count_users"
    ]


def test_a_rollback_is_a_span(spans: dict[str, Any]):
    assert names(spans["rollback"]) == ["BEGIN default", "ROLLBACK default"]


def test_a_failing_hook_makes_the_span_of_the_hooks_a_failed_one(spans: dict[str, Any]):
    hooks = spans["failing_hook"][-1]

    assert (hooks["name"], hooks["status"]) == ("ON COMMIT default", "ERROR")
    assert [event["exception.type"] for event in hooks["events"]] == ["ValueError"]


def test_a_failed_query_records_its_exception_once_with_the_number_of_the_server(spans: dict[str, Any], url: str):
    failed = next(span for span in spans["failing_insert"] if span["status"] == "ERROR")

    (event,) = failed["events"]
    assert failed["name"] == "INSERT auth_user"
    assert failed["attributes"]["db.response.status_code"] == (
        "1062" if is_mariadb(url) else "SQLITE_CONSTRAINT_UNIQUE"
    )
    assert failed["attributes"]["error.type"] == event["exception.type"] == "django.db.utils.IntegrityError"
    assert "username" in event["exception.message"]
    assert event["exception.stacktrace"].startswith("Traceback")
    assert "in failing_insert" in event["exception.stacktrace"]
    assert failed["status_message"].startswith("IntegrityError: ")


def test_executemany_is_one_span_with_the_size_of_the_batch(spans: dict[str, Any]):
    (span,) = spans["executemany"]

    assert span["attributes"]["db.operation.batch.size"] == 2
    assert span["attributes"]["e2edebug.db.affected_rows"] >= 1


def test_a_procedure_call_is_a_query(spans: dict[str, Any]):
    (span,) = spans["missing_procedure"]

    assert (span["name"], span["status"]) == ("CALL greet", "ERROR")


def test_a_statement_of_nothing_but_a_comment_is_a_query_without_a_verb(spans: dict[str, Any]):
    (span,) = spans["comment_only"]

    assert span["name"] == "QUERY default"
    assert span["attributes"]["db.query.text"] == ""


def test_a_long_statement_is_cut_and_says_how_long_it_was(spans: dict[str, Any]):
    (span,) = spans["long_statement"]

    assert span["attributes"]["db.query.text"] == "SELECT ?"
    assert span["attributes"]["e2edebug.db.statement_length"] == 200_023


def test_connecting_is_one_span_and_the_queries_of_the_backend_are_part_of_it(spans: dict[str, Any]):
    assert names(spans["reconnecting"]) == ["CONNECT default", "SELECT auth_user"]


def test_a_failed_connection_attempt_is_a_failed_span(spans: dict[str, Any]):
    (span,) = spans["failing_to_connect"]

    assert (span["name"], span["status"]) == ("CONNECT broken", "ERROR")
    assert len(span["events"]) == 1


def test_the_application_keeps_its_own_wrappers_in_order(spans: dict[str, Any]):
    """A connection made within execute_wrapper() must not have ours removed, and theirs left, at its end."""
    found = names(spans["wrapper_of_the_application_around_connecting"])

    assert found == ["CONNECT default", "SELECT auth_user", "SELECT auth_user"]


def test_suppressed_instrumentation_makes_no_span(spans: dict[str, Any]):
    assert spans["suppressed"] == []


def test_the_async_orm_points_at_the_coroutine_that_awaits_it(spans: dict[str, Any]):
    queries = [span for span in spans["asynchronous"] if span["name"] == "SELECT auth_user"]

    assert [span["attributes"]["code.function.name"] for span in queries] == ["__main__.asynchronous.<locals>.view"] * 2


def test_the_stack_of_a_failed_query_names_the_coroutine_that_awaits_it(spans: dict[str, Any]):
    failed = next(span for span in spans["failing_asynchronous"] if span["status"] == "ERROR")

    stack = failed["events"][0]["exception.stacktrace"]
    assert stack.count("django_program.py") == stack.count("in view\n") == 1


def test_a_query_within_a_template_points_at_the_code_that_renders_it(spans: dict[str, Any]):
    (span,) = spans["in_a_template"]

    assert span["attributes"]["code.function.name"] == "__main__.in_a_template.<locals>.page"


def test_a_query_of_a_library_view_points_at_the_library_and_not_at_the_middleware(spans: dict[str, Any]):
    (span,) = spans["in_a_view_of_a_library"]

    assert span["attributes"]["code.file.path"].startswith("django/")


def test_it_can_be_switched_off_and_on_again(spans: dict[str, Any]):
    assert names(spans["switched_off_and_on"]) == ["SELECT auth_user"]


def test_a_connection_that_another_thread_made_before_is_traced(url: str):
    assert names(run_program(url, "late")["late"]) == ["SELECT auth_user"]


def test_a_driver_wrapped_by_opentelemetry_itself_does_not_make_a_second_span(url: str):
    assert names(run_program(url, "wrapped")["wrapped"]) == ["SELECT auth_user"]


def test_without_a_tracer_provider_everything_works_and_nothing_is_recorded(url: str):
    assert all(found == [] for found in run_program(url, "untraced").values())
