"""Lists, single rows and pages, by whatever id a person has at hand."""

import gzip
import uuid
from urllib.parse import urlsplit

import pytest
from rest.api_project import Client, Site


def made_sessions(client: Client, count: int, *, release: str) -> list[str]:
    """Sessions of one release, three of which start at once; newest first."""
    made = []
    for number in range(count):
        body = {
            "workflow_type": "paged", "service_release": release, "start_time": f"2026-11-25T10:00:{number // 3:02}Z",
            "correlation_id": f"{release}-{number:02}",
        }  # fmt: skip
        made.append(client.post("workflow-sessions/", body).body["correlation_id"])
    return made[::-1]


def test_pages_follow_each_other_both_ways_while_rows_arrive(client: Client) -> None:
    release = uuid.uuid4().hex
    expected = made_sessions(client, 8, release=release)
    query = f"service_release={release}&since=2026-11-25T00:00:00Z&page_size=3"

    first = client.get(f"workflow-sessions/?{query}")
    second = client.get(first.body["next"])
    client.post(
        "workflow-sessions/",
        {"workflow_type": "paged", "service_release": release, "start_time": "2026-11-25T11:00:00Z"},
    )
    third = client.get(second.body["next"])
    back = client.get(third.body["previous"])
    start = client.get(back.body["previous"])

    def ids(answer: object) -> list[str]:
        return [one["correlation_id"] for one in answer.body["results"]]  # type: ignore[attr-defined]

    assert [ids(first), ids(second), ids(third)] == [expected[:3], expected[3:6], expected[6:]]
    assert (ids(back), ids(start)) == (expected[3:6], expected[:3])
    assert (first.body["previous"], third.body["next"]) == (None, None)
    assert start.body["previous"] is not None  # the one that has arrived meanwhile


def test_a_list_covers_a_day_and_says_so_and_its_links_keep_to_it(client: Client) -> None:
    made_sessions(client, 2, release=f"old-{uuid.uuid4().hex}")
    for _ in range(2):
        client.post("workflow-sessions/", {"workflow_type": "recent"})

    page = client.get("workflow-sessions/?workflow_type=recent&page_size=1").body

    assert set(page["range"]) == {"since", "until"}
    assert f"since={page['range']['since'].replace(':', '%3A')}" in page["next"]


def test_an_id_is_a_number_a_correlation_id_or_a_trace_id(client: Client) -> None:
    session = client.post("workflow-sessions/", {"workflow_type": "any-id"}).body
    step = client.post(
        "trace-steps/",
        {"correlation_id": session["correlation_id"], "layer": "api", "component": "A", "operation": "b",
         "trace_id": uuid.uuid4().hex, "duration_ms": 1},
    ).body  # fmt: skip
    references = [session["id"], session["correlation_id"], session["trace_id"], step["trace_id"]]

    found = [client.get(f"workflow-sessions/{one}/") for one in references]
    steps = [client.get(f"trace-steps/{one}/").body["id"] for one in (step["id"], step["trace_id"])]

    assert [one.body["id"] for one in found] == [session["id"]] * 4
    assert steps == [step["id"]] * 2
    assert client.get(f"workflow-sessions/?trace_id={step['trace_id']}").body["results"][0]["id"] == session["id"]


@pytest.mark.parametrize(
    "reference",
    ["0", "99999999999999999999999999", "no-such-id", "f" * 32, "%00", "a%20b", "%F0%9F%98%80", "..", "x" * 65],
)
@pytest.mark.parametrize(
    "path", ["workflow-sessions", "trace-steps", "error-logs", "error-groups", "debug-configurations"]
)
def test_an_id_that_nothing_has_is_404_in_json(client: Client, path: str, reference: str) -> None:
    answer = client.get(f"{path}/{reference}/")

    assert (answer.status, set(answer.body)) == (404, {"detail"})


def test_what_is_to_be_changed_is_not_guessed(client: Client) -> None:
    session = client.post("workflow-sessions/", {"workflow_type": "ambiguous"}).body
    for name in ("one", "two"):
        client.post(
            "trace-steps/",
            {"correlation_id": session["correlation_id"], "layer": "api", "component": "A", "operation": name},
        )

    answer = client.post(f"trace-steps/{session['correlation_id']}/complete/")

    assert answer.status == 409
    assert "name one by its id" in answer.body["detail"]


def test_a_workflow_of_thousands_of_steps_is_read_in_pages(site: Site) -> None:
    key = f"nested-{uuid.uuid4().hex}"
    values = ",".join(
        f"('{key}', '{'c' * 32}', '{number:016x}', 'api', 'V', 'o{number}', '2026-11-25 10:00:00.{number:06}', "
        f"'2026-11-25 10:00:01.000000', 1, 'completed', '{{}}')"
        for number in range(2000)
    )
    site.execute(
        "INSERT INTO debugging_trace_step (correlation_id, trace_id, span_id, layer, component, operation, start_time, "
        f"end_time, duration_ms, status, metadata) VALUES {values}",
        "INSERT INTO debugging_workflow_session (correlation_id, start_time, status) "
        f"VALUES ('{key}', '2026-11-25 10:00:00.000000', 'completed')",
    )

    session = site.client.get(f"workflow-sessions/{key}/").body
    names = [step["operation"] for step in session["trace_steps"]]
    link = session["trace_steps_next"]
    while link:
        page = site.client.get(link).body
        names += [step["operation"] for step in page["results"]]
        link = page["next"]

    assert names == [f"o{number}" for number in range(2000)]


REFUSED_QUERIES = [
    ("workflow-sessions/?ordering=user__password", "ordering"),
    ("workflow-sessions/?ordering=-session_key", "ordering"),
    ("workflow-sessions/?user__password__startswith=p", "user__password__startswith"),
    ("workflow-sessions/?stauts=failed", "stauts"),
    ("workflow-sessions/?status=broken", "status"),
    (f"workflow-sessions/?service={'x' * 256}", "service"),
    (f"trace-steps/?trace_id={'0' * 65}", "trace_id"),
    ("workflow-sessions/?status=", "status"),
    ("workflow-sessions/?status=failed&status=completed", "status"),
    ("workflow-sessions/?page_size=0", "page_size"),
    ("workflow-sessions/?page_size=501", "page_size"),
    ("workflow-sessions/?cursor=a+b", "cursor"),
    ("workflow-sessions/?since=yesterday", "since"),
    ("workflow-sessions/?min_duration_ms=nan", "min_duration_ms"),
    ("workflow-sessions/stats/?status=failed", "status"),
    ("error-logs/?resolved=maybe", "resolved"),
    ("error-logs/1/?fields=id", "fields"),
    ("performance-snapshots/series/?layer=api", "metric_name"),
    ("performance-snapshots/series/?layer=api&metric_name=a&period_s=0", "period_s"),
]


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(("path", "parameter"), REFUSED_QUERIES)
def test_a_query_that_is_not_understood_is_refused(client: Client, path: str, parameter: str) -> None:
    answer = client.get(path)

    assert (answer.status, list(answer.body)) == (400, [parameter])


def test_a_cursor_from_elsewhere_is_no_page(client: Client) -> None:
    assert client.get("workflow-sessions/?cursor=abcdefgh").status == 404


def test_an_unknown_parameter_is_answered_with_those_that_there_are(client: Client) -> None:
    answer = client.get("debug-configurations/?nmae=a")

    assert answer.body == {
        "nmae": ["Unknown; accepted here: config_type, cursor, enabled, ordering, page_size."],
    }


def test_filters_and_search_keep_what_fits(client: Client) -> None:
    mark = uuid.uuid4().hex[:10]
    for number, (kind, message) in enumerate(
        [("ValueError", "no funds"), ("KeyError", "no Stock"), ("ValueError", "late")]
    ):
        client.post(
            "error-logs/",
            {"layer": "api", "component": mark, "error_type": kind, "error_message": message,
             "severity": "critical" if number == 1 else "error"},
        )  # fmt: skip

    def found(query: str) -> list[str]:
        rows = client.get(f"error-logs/?component={mark}&{query}").body["results"]
        return [row["error_message"] for row in rows]

    assert found("error_type=ValueError") == ["late", "no funds"]
    assert found("severity=critical") == ["no Stock"]
    assert found("search=no+s") == ["no Stock"]
    assert found("search=%25") == []
    assert found("resolved=true") == []
    assert found("user_id=%C3%A9%00") == []
    assert found("correlation_id=%C3%A9") == []
    assert found("until=0001-01-01T00:00:00Z") == []
    assert found("since=9999-12-31T23:59:59-14:00") == []


def test_answers_are_compressed_and_known_ones_are_not_sent_again(client: Client) -> None:
    for _ in range(5):
        client.post("workflow-sessions/", {"workflow_type": "compressed"})
    path = "workflow-sessions/?workflow_type=compressed&since=2026-11-01T00:00:00Z"

    plain = client.get(path)
    packed = client.get(path, Accept_Encoding="gzip")
    again = client.get(path, If_None_Match=plain.headers["ETag"])

    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.body if isinstance(packed.body, bytes) else b"") < len(str(plain.body))
    assert (again.status, again.body) == (304, b"")
    assert gzip.decompress(packed.body)[:9] == b'{"next":n'


def test_every_answer_is_inert_in_a_browser(client: Client) -> None:
    headers = client.get("workflow-sessions/").headers

    assert headers["Content-Security-Policy"].startswith("default-src 'none'; frame-ancestors 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "private, no-cache"


def test_a_path_that_does_not_exist_is_404_in_json(client: Client) -> None:
    for path in ("nothing/", "workflow-sessions", "workflow-sessions/1/nothing/"):
        answer = client.get(path)
        assert (answer.status, set(answer.body)) == (404, {"detail"}), path
    assert urlsplit(client.base).path == "/api/v1/debugging/"
