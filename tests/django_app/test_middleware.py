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

RUN = """
    import asyncio
    import e2edebug
    from django.test import AsyncClient, Client
    from django.test.utils import override_settings

    def get(path, **headers):
        return Client(raise_request_exception=False).get(path, headers=headers)

    def get_async(path, **headers):
        return asyncio.run(AsyncClient(raise_request_exception=False).get(path, headers=headers))

    def show(*results):
        assert e2edebug.flush(30)
        from e2edebug.django.models import ErrorLog, TraceStep
        steps = [
            [step.operation, step.status, step.correlation_id, step.metadata]
            for step in TraceStep.objects.filter(kind="server").order_by("start_time")
        ]
        errors = [error.error_type for error in ErrorLog.objects.order_by("id")]
        print(json.dumps([list(results), steps, errors]))
"""


@pytest.fixture(params=["on", "off"])
def run(request: pytest.FixtureRequest, make_project: Callable[..., Project]) -> Callable[[str], Any]:
    """Return what a program prints, with the automatic instrumentation of requests on, or off."""
    project = make_project(
        middleware=(*OURS, *MIDDLEWARE, "people.middleware.breaking"),
        settings="""
            TEMPLATES[0]["OPTIONS"] = {"debug": True}
            LOGGING_CONFIG = None
        """,
        files=FILES,
    )
    environ = {"E2EDEBUG_SLOW_REQUEST_MS": "10000"}
    if request.param == "off":
        environ["E2EDEBUG_DISABLED_INSTRUMENTATIONS"] = "django"
    project.make_tables()
    return lambda source: project.python(RUN + source, environ=environ)


def test_each_request_is_one_step_with_its_queries_size_and_correlation_id(run: Callable[[str], Any]) -> None:
    results, steps, errors = run("""
    one, two = get("/people/", x_correlation_id="abc-1"), get_async("/async/")
    show(one.content.decode(), one["X-Correlation-ID"], two.content.decode(), two["X-Correlation-ID"])
    """)

    assert results[:3] == ["1 True", "abc-1", "2 True"]
    assert [(operation, status) for operation, status, _, _ in steps] == [("get", "completed"), ("get", "completed")]
    assert [correlation_id for _, _, correlation_id, _ in steps] == ["abc-1", results[3]]
    for _, _, _, metadata in steps:
        assert metadata["http.response.body.size"] == 6
        assert metadata["db.query_count"] == 2
        assert metadata["db.query_ms"] > 0
        assert "request.is_slow" not in metadata
    assert errors == []


def test_errors_of_views_templates_and_middleware_are_stored_once(run: Callable[[str], Any]) -> None:
    results, steps, errors = run("""
    answers = [
        get("/crash/"), get_async("/crash/"), get("/page/"), get("/page/?name=broken.html"), get("/people/", x_break="1")
    ]
    show(*(answer.status_code for answer in answers))
    """)

    assert results == [500, 500, 200, 500, 500]
    assert [status for _, status, _, _ in steps] == ["failed", "failed", "completed", "failed", "failed"]
    assert sorted(errors) == sorted(
        ["ValueError", "ValueError", "django.template.exceptions.TemplateSyntaxError", "KeyError"]
    )
    assert steps[2][3]["template.name"] == "page.html"
    assert steps[3][3]["template.name"].endswith("broken.html")
    assert steps[3][3]["template.line"] == 2


def test_a_slow_request_is_marked_by_the_limit_of_the_operator(run: Callable[[str], Any]) -> None:
    _, steps, _ = run("""
    from e2edebug.django.models import DebugConfiguration
    from e2edebug.runtime import lifecycle
    import time
    get("/people/")
    e2edebug.flush(30)  # the first rows make the tables
    DebugConfiguration.objects.create(
        name="slow", config_type="performance_monitoring", config_data={"slow_request_ms": 5}
    )
    deadline = time.monotonic() + 60
    while lifecycle.current().pipeline.configuration.slow_request_ms is None and time.monotonic() < deadline:
        time.sleep(0.05)
    get("/slow/")
    show()
    """)

    assert "request.is_slow" not in steps[0][3]
    assert steps[-1][3]["request.is_slow"] is True
    assert steps[-1][3]["request.slow_limit_ms"] == 5


def test_streamed_bodies_know_their_workflow(run: Callable[[str], Any]) -> None:
    results, steps, _ = run("""
    answer = get("/stream/")
    show(answer.getvalue().decode())
    """)

    assert results == ["True"]
    assert steps[0][3]["db.query_count"] == 0
    assert "http.response.body.size" not in steps[0][3]


def test_a_client_that_goes_away_leaves_a_finished_step_and_no_context(run: Callable[[str], Any]) -> None:
    results, steps, errors = run("""
    from opentelemetry import context
    from django.core.handlers.asgi import ASGIHandler

    async def ask_and_leave():
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

    show(asyncio.run(ask_and_leave()))
    """)

    assert results == [0]
    assert [operation for operation, _, _, _ in steps] == ["get"]
    assert errors == []


def test_the_session_tells_who_it_was_without_a_query_more(run: Callable[[str], Any]) -> None:
    results, steps, _ = run("""
    from django.contrib.auth.models import User
    from e2edebug.django.models import WorkflowSession
    user = User.objects.create_user("ada", password="secret-1")
    client = Client()
    client.force_login(user)
    client.get("/session/")
    e2edebug.flush(30)
    session = WorkflowSession.objects.exclude(user_id=None).get()
    show(session.user_id == str(user.pk), session.session_key not in ("", None, client.session.session_key))
    """)

    assert results == [True, True]
    assert steps[0][3]["db.query_count"] == 1


def test_without_recording_requests_still_have_their_id(make_project: Callable[..., Project]) -> None:
    project = make_project(middleware=(*OURS, *MIDDLEWARE), files=FILES)
    project.make_tables()

    found = project.python(
        RUN
        + """
    one, two = get("/people/", x_correlation_id="abc-1"), get_async("/async/", x_correlation_id="not good")
    print(json.dumps([one.content.decode(), one["X-Correlation-ID"], two.content.decode(), two["X-Correlation-ID"]]))
    """,
        environ={"E2EDEBUG_ENABLED": "0"},
    )

    assert found[:3] == ["1 True", "abc-1", "2 True"]
    assert len(found[3]) == 36
