"""A step that failed says where, also when its span names no code."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import StatusCode
from support.spans import START_UNIX_NS, exception_event, make_span

from e2edebug_exporters.rows import StepRow

StepOf = Callable[[ReadableSpan], StepRow]

HERE = f"{Path.cwd()}/shop"
PACKAGES = "/srv/venv/lib/python3.11/site-packages"


def stack_of(*frames: tuple[str, int, str]) -> str:
    lines = [f'  File "{path}", line {line}, in {function}\n    pass\n' for path, line, function in frames]
    return "Traceback (most recent call last):\n" + "".join(lines) + "ValueError: no\n"


def failed_span(*stacks: str, **attributes: object) -> ReadableSpan:
    events = [
        Event("exception", {"exception.type": "ValueError", "exception.stacktrace": stack}, START_UNIX_NS)
        for stack in stacks
    ]
    return make_span("work", events=events, status=StatusCode.ERROR, attributes=attributes)


@pytest.mark.parametrize(
    ("frames", "shown"),
    [
        ([(f"{HERE}/views.py", 12, "create"), (f"{HERE}/cart.py", 7, "price")], "shop/cart.py:7 in price"),
        (
            [(f"{HERE}/views.py", 12, "create"), (f"{PACKAGES}/django/db/models/query.py", 649, "get")],
            "shop/views.py:12 in create",
        ),
        ([(f"{HERE}/views.py", 12, "create"), ("/usr/lib/python3.11/json/decoder.py", 3, "decode")],
         "shop/views.py:12 in create"),
        ([(f"{HERE}/.venv/lib/python3.11/site-packages/django/template/loader.py", 47, "select_template")],
         "django/template/loader.py:47 in select_template"),
        ([("/srv/other/jobs.py", 3, "<lambda>")], "/srv/other/jobs.py:3 in <lambda>"),
        ([("/usr/lib/python3.11/json/decoder.py", 3, "decode")], None),
        ([], None),
    ],
)  # fmt: skip
def test_a_step_is_located_at_the_deepest_frame_of_the_application(
    step_of: StepOf, frames: list[tuple[str, int, str]], shown: str | None
) -> None:
    assert step_of(failed_span(stack_of(*frames))).code_location == shown


def test_of_a_chain_of_exceptions_the_one_that_arrived_counts(step_of: StepOf) -> None:
    cause = stack_of((f"{HERE}/cart.py", 7, "price"))
    final = stack_of((f"{HERE}/views.py", 12, "create"))

    span = failed_span(f"{cause}\nThe above exception was the direct cause of the following exception:\n\n{final}")

    assert step_of(span).code_location == "shop/views.py:12 in create"


def test_of_several_exceptions_the_last_one_counts(step_of: StepOf) -> None:
    span = failed_span(stack_of((f"{HERE}/a.py", 1, "handled")), stack_of((f"{HERE}/b.py", 2, "escaped")))

    assert step_of(span).code_location == "shop/b.py:2 in escaped"


def test_what_the_span_says_itself_counts_more(step_of: StepOf) -> None:
    attributes = {"code.file.path": "shop/jobs.py", "code.line.number": 9, "code.function.name": "run"}

    assert (
        step_of(failed_span(stack_of((f"{HERE}/b.py", 2, "f")), **attributes)).code_location == "shop/jobs.py:9 in run"
    )


def test_paths_are_relative_to_the_project_of_django(step_of: StepOf, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SimpleNamespace(configured=True, BASE_DIR=Path("/srv/shop"))
    monkeypatch.setitem(sys.modules, "django.conf", SimpleNamespace(settings=settings))

    step = step_of(failed_span(stack_of(("/srv/shop/catalogue/views.py", 12, "create"))))

    assert step.code_location == "catalogue/views.py:12 in create"


def test_a_real_exception_is_located_at_the_line_that_raised_it(step_of: StepOf) -> None:
    try:
        raise KeyError("x")  # the line
    except KeyError as error:
        event = exception_event(error)

    location = step_of(make_span(events=[event], status=StatusCode.ERROR)).code_location

    assert location is not None
    path, _, rest = location.partition(":")
    assert Path(path).name == Path(__file__).name
    assert rest.endswith("in test_a_real_exception_is_located_at_the_line_that_raised_it")


def test_events_that_are_no_exceptions_locate_nothing(step_of: StepOf) -> None:
    assert (
        step_of(make_span(events=[Event("log", {"exception.stacktrace": 3}), Event("exception", {})])).code_location
        is None
    )
