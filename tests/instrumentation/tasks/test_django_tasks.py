"""Django's own tasks, which Django has from 6.0 on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import django
import pytest

pytestmark = pytest.mark.skipif(
    django.VERSION < (6,), reason=f"django.tasks came with Django 6; this is {django.__version__}"
)

HERE = Path(__file__).parent

PROGRAM = """
import asyncio, json, sys
from contextlib import suppress
import django
from django.conf import settings
settings.configure(TASKS={"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}, USE_TZ=True)
django.setup()
from instrumentation.database.recorded_spans import Recording
from e2edebug_instrumentation.tasks.django_tasks import DjangoTasksInstrumentor
recording = Recording(is_global=True)
DjangoTasksInstrumentor().instrument()
import shop_tasks
tracer = recording.provider.get_tracer("test")
told = {}
def do(name, action):
    with tracer.start_as_current_span("request"):
        action()
    told[name] = [span for span in recording.take() if span["name"] != "request"]
do("plain", lambda: shop_tasks.add.enqueue(1, 2))
do("failing", lambda: shop_tasks.fail.enqueue())
do("asynchronous", lambda: asyncio.run(shop_tasks.add.aenqueue(1, 2)))
DjangoTasksInstrumentor().uninstrument()
do("undone", lambda: shop_tasks.add.enqueue(1, 2))
print(json.dumps(told))
"""

TASKS = """
from django.tasks import task

@task()
def add(one, other):
    return one + other

@task()
def fail():
    raise ValueError("the mail server is away")
"""


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("django_tasks")
    (folder / "shop_tasks.py").write_text(TASKS)
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": f"{HERE.parents[1]}{os.pathsep}{folder}", "E2EDEBUG_RAISE_ERRORS": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout))


@pytest.mark.parametrize("how", ["plain", "asynchronous"])
def test_a_task_runs_below_the_step_that_queued_it(spans: dict[str, Any], how: str) -> None:
    run, ordered = spans[how]

    assert (ordered["name"], ordered["kind"], ordered["parent"]) == ("publish shop_tasks.add", "PRODUCER", "request")
    assert (run["name"], run["kind"], run["parent"]) == ("run shop_tasks.add", "CONSUMER", "publish shop_tasks.add")


def test_a_failing_task_has_its_exception(spans: dict[str, Any]) -> None:
    run, ordered = spans["failing"]

    assert run["status_message"] == "ValueError: the mail server is away"
    assert ordered["status"] == "UNSET"


def test_undone_nothing_is_traced(spans: dict[str, Any]) -> None:
    assert spans["undone"] == []
