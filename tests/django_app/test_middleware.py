"""The two middleware, with the automatic instrumentation of requests and without it, under WSGI and ASGI."""

from collections.abc import Callable
from typing import Any

import pytest
from django_app.project import MIDDLEWARE, Project

OURS = ("e2edebug.django.middleware.CorrelationIdMiddleware", "e2edebug.django.middleware.DebuggingMiddleware")

URLS = """
    import asyncio
    import logging
    import e2edebug
    from django.http import HttpResponse, StreamingHttpResponse
    from django.template.response import TemplateResponse
    from django.urls import path
    from people.models import Person

    def people(request):
        Person.objects.create(name="Ada")
        return HttpResponse(f"{Person.objects.count()} {request.correlation_id == e2edebug.current_correlation_id()}")

    async def people_async(request):
        await Person.objects.acreate(name="Ada")
        count = await Person.objects.acount()
        return HttpResponse(f"{count} {request.correlation_id == e2edebug.current_correlation_id()}")

    def slow(request):
        import time
        time.sleep(0.02)
        return HttpResponse("late")

    def crash(request):
        raise ValueError("refused")

    def page(request):
        return TemplateResponse(request, request.GET.get("name", "page.html"), {"person": "Ada"})

    def stream(request):
        def parts():
            yield str(e2edebug.current_correlation_id() == request.correlation_id)
            yield ""
        return StreamingHttpResponse(parts())

    async def hang(request):
        await asyncio.sleep(60)

    def session(request):
        return HttpResponse(str(request.session.get("nothing")))

    urlpatterns = [
        path("people/", people), path("async/", people_async), path("slow/", slow), path("crash/", crash),
        path("page/", page), path("stream/", stream), path("hang/", hang), path("session/", session),
    ]
"""

FILES = {
    "stranger/urls.py": URLS,
    "people/templates/page.html": "Hello {{ person }}",
    "people/templates/broken.html": "Hello\n{% if person == %}{% endif %}",
    "people/middleware.py": """
        def breaking(get_response):
            def middleware(request):
                if "HTTP_X_BREAK" in request.META:
                    raise KeyError("middleware")
                return get_response(request)
            return middleware
    """,
}

HELPERS = """
    import asyncio
    import time
    import e2edebug
    from django.contrib.auth.models import User
    from django.core.handlers.asgi import ASGIHandler
    from django.test import AsyncClient, Client
    from e2edebug.runtime import lifecycle

    def get(path, **headers):
        return Client(raise_request_exception=False).get(path, headers=headers)

    def get_async(path, **headers):
        return asyncio.run(AsyncClient(raise_request_exception=False).get(path, headers=headers))

    async def ask_and_leave():
        from opentelemetry import context
        sent = []
        async def receive():
            if not sent:
                sent.append(1)
                return {"type": "http.request", "body": b"", "more_body": False}
            await asyncio.sleep(0.2)
            return {"type": "http.disconnect"}
        async def send(message):
            pass
        scope = {
            "type": "http", "http_version": "1.1", "method": "GET", "path": "/hang/", "raw_path": b"/hang/",
            "query_string": b"", "headers": [(b"host", b"testserver")], "scheme": "http", "server": ("testserver", 80),
            "client": ("127.0.0.1", 1), "root_path": "",
        }
        await ASGIHandler()(scope, receive, send)
        return len(context.get_current())
"""

SCENARIOS = """
    found = {}

    def scenario(name, *results):
        from e2edebug.django.models import ErrorLog, TraceStep, WorkflowSession
        assert e2edebug.flush(30)
        found[name] = {
            "results": list(results),
            "steps": [
                {"is": f"{step.operation} {step.status}", "correlation_id": step.correlation_id} | step.metadata
                for step in TraceStep.objects.filter(kind="server").order_by("start_time")
            ],
            "errors": sorted(error.error_type for error in ErrorLog.objects.all()),
            "users": [[session.user_id, session.session_key] for session in WorkflowSession.objects.exclude(user_id=None)],
        }
        for model in (TraceStep, ErrorLog, WorkflowSession):
            model.objects.all().delete()

    one, two = get("/people/", x_correlation_id="abc-1"), get_async("/async/")
    scenario("requests", one.content.decode(), one["X-Correlation-ID"], two.content.decode(), two["X-Correlation-ID"])

    answers = [
        get("/crash/"), get_async("/crash/"), get("/page/"), get("/page/?name=broken.html"), get("/people/", x_break="1")
    ]
    scenario("errors", *(answer.status_code for answer in answers))

    scenario("stream", get("/stream/").getvalue().decode())
    scenario("disconnect", asyncio.run(ask_and_leave()))

    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_user("ada", password="secret-1"))
    client.get("/session/")
    scenario("session", str(User.objects.get().pk), client.session.session_key)
    client.get("/crash/")
    scenario("failed session", str(User.objects.get().pk))

    from e2edebug.django.models import DebugConfiguration
    DebugConfiguration.objects.create(
        name="slow", config_type="performance_monitoring", config_data={"slow_request_ms": 5}
    )
    deadline = time.monotonic() + 60
    while lifecycle.current().pipeline.configuration.slow_request_ms is None and time.monotonic() < deadline:
        time.sleep(0.05)
    get("/slow/")
    scenario("slow")
    print(json.dumps(found))
"""


@pytest.fixture(scope="module", params=["on", "off"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What each scenario left, with the automatic instrumentation of requests on, or off; one process runs them all."""
    project = Project(
        tmp_path_factory.mktemp("middleware") / "project",
        middleware=(*OURS, *MIDDLEWARE, "people.middleware.breaking"),
        settings='TEMPLATES[0]["OPTIONS"] = {"debug": True}\nLOGGING_CONFIG = None\n',
        files=FILES,
    )
    environ = {"E2EDEBUG_SLOW_REQUEST_MS": "10000"}
    if request.param == "off":
        environ["E2EDEBUG_DISABLED_INSTRUMENTATIONS"] = "django"
    project.make_tables()
    return project.python(HELPERS + SCENARIOS, environ=environ)


def test_each_request_is_one_step_with_its_queries_size_and_correlation_id(found: dict[str, Any]) -> None:
    results, steps = found["requests"]["results"], found["requests"]["steps"]

    assert results[:3] == ["1 True", "abc-1", "2 True"]
    assert [step["is"] for step in steps] == ["get completed", "get completed"]
    assert [step["correlation_id"] for step in steps] == ["abc-1", results[3]]
    for step in steps:
        assert step["http.response.body.size"] == 6
        assert step["db.query_count"] == 2
        assert step["db.query_ms"] > 0
        assert "request.is_slow" not in step
    assert found["requests"]["errors"] == []


def test_errors_of_views_templates_and_middleware_are_stored_once(found: dict[str, Any]) -> None:
    errors = found["errors"]

    assert errors["results"] == [500, 500, 200, 500, 500]
    assert [step["is"].split()[-1] for step in errors["steps"]] == [
        "failed", "failed", "completed", "failed", "failed"
    ]  # fmt: skip
    assert errors["errors"] == sorted(
        ["ValueError", "ValueError", "django.template.exceptions.TemplateSyntaxError", "KeyError"]
    )
    assert errors["steps"][2]["template.name"] == "page.html"
    assert errors["steps"][3]["template.name"].endswith("broken.html")
    assert errors["steps"][3]["template.line"] == 2


def test_a_slow_request_is_marked_by_the_limit_of_the_operator(found: dict[str, Any]) -> None:
    [step] = found["slow"]["steps"]

    assert step["request.is_slow"] is True
    assert step["request.slow_limit_ms"] == 5


def test_streamed_bodies_know_their_workflow(found: dict[str, Any]) -> None:
    [step] = found["stream"]["steps"]

    assert found["stream"]["results"] == ["True"]
    assert step["db.query_count"] == 0
    assert "http.response.body.size" not in step


def test_a_client_that_goes_away_leaves_a_finished_step_and_no_context(found: dict[str, Any]) -> None:
    assert found["disconnect"]["results"] == [0]
    assert [step["is"].split()[0] for step in found["disconnect"]["steps"]] == ["get"]
    assert found["disconnect"]["errors"] == []


def test_the_session_tells_who_it_was_without_a_query_more(found: dict[str, Any]) -> None:
    user_id, session_key = found["session"]["results"]

    [[stored_user, stored_key]] = found["session"]["users"]
    assert stored_user == user_id
    assert stored_key not in ("", None, session_key)
    assert found["session"]["steps"][0]["db.query_count"] == 1


def test_for_a_request_that_failed_the_session_is_asked_who_it_was(found: dict[str, Any]) -> None:
    [user_id] = found["failed session"]["results"]

    assert [user for user, _ in found["failed session"]["users"]] == [user_id]
    assert found["failed session"]["steps"][0]["db.query_count"] == 0


def test_without_recording_requests_still_have_their_id(make_project: Callable[..., Project]) -> None:
    project = make_project(middleware=(*OURS, *MIDDLEWARE), files=FILES)
    project.make_tables()

    told = project.python(
        HELPERS
        + """
    one, two = get("/people/", x_correlation_id="abc-1"), get_async("/async/", x_correlation_id="not good")
    print(json.dumps([one.content.decode(), one["X-Correlation-ID"], two.content.decode(), two["X-Correlation-ID"]]))
    """,
        environ={"E2EDEBUG_ENABLED": "0"},
    )

    assert told[:3] == ["1 True", "abc-1", "2 True"]
    assert len(told[3]) == 36
