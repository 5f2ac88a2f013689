"""Each instrumentation can be left out by its name, and all of them are undone."""

import importlib.util
import subprocess
import sys
from typing import Any

import celery.app.base
import pytest

from e2edebug.policy.config import SETTINGS
from e2edebug_instrumentation.outgoing_http.clients import RequestsInstrumentor
from e2edebug_instrumentation.registry import INSTRUMENTORS
from e2edebug_instrumentation.tasks.celery_tasks import CeleryInstrumentor

PROGRAM = """
import concurrent.futures, threading, urllib.request
import aiohttp, celery, celery.app.base, celery.signals, httpx, pymemcache.client.base, redis, requests, rq, urllib3
import django.core.cache
from opentelemetry import propagate
from opentelemetry.sdk.trace import TracerProvider
from e2edebug_instrumentation import registry

def wrapped():
    return {
        "requests": [requests.Session.send, requests.sessions.SessionRedirectMixin.rebuild_auth],
        "httpx": [httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request],
        "urllib": [urllib.request.OpenerDirector.open, urllib.request.HTTPRedirectHandler.redirect_request],
        "urllib3": [urllib3.HTTPConnectionPool.urlopen],
        "aiohttp-client": [aiohttp.ClientSession.__init__],
        "redis": [redis.Redis.execute_command],
        "pymemcache": [pymemcache.client.base.Client.get],
        "django_cache": [django.core.cache.CacheHandler.create_connection],
        "celery": [celery.app.base.Celery.send_task],
        "rq": [rq.Queue.enqueue_job, rq.job.Job.perform, rq.Worker.perform_job],
        "threading": [threading.Thread.start, concurrent.futures.ThreadPoolExecutor.submit],
    }

def differing(one, other):
    return sorted(name for name in one if any(a is not b for a, b in zip(one[name], other[name])))

before, textmap = wrapped(), propagate.get_global_textmap()
receivers = len(celery.signals.task_prerun.receivers)
registry.instrument_all(None)
print(differing(before, wrapped()) == sorted(before))
registry.uninstrument_all()
print(differing(before, wrapped()), propagate.get_global_textmap() is textmap)
print(len(celery.signals.task_prerun.receivers) - receivers)
for name in before:
    registry.instrument_all(None, disabled=(name,))
    now = wrapped()
    if name in differing(before, now):
        print(name, "cannot be left out")
    registry.uninstrument_all()
registry.instrument_all(None, disabled=("*",))
print(differing(before, wrapped()))
"""


def test_each_name_that_can_be_left_out_is_in_the_settings_table() -> None:
    (setting,) = [setting for setting in SETTINGS if setting.field == "disabled_instrumentations"]

    assert [name for name in INSTRUMENTORS if f"`{name}`" not in setting.meaning] == []


def test_each_is_active_with_its_library_left_out_by_its_name_and_undone() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=120)

    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["True", "[] True", "0", "[]"]


def test_celery_that_somebody_else_traces_is_left_to_them() -> None:
    from opentelemetry.instrumentation.celery import CeleryInstrumentor as Stock

    before = celery.app.base.Celery.send_task
    Stock().instrument()
    CeleryInstrumentor().instrument()
    during = celery.app.base.Celery.send_task
    CeleryInstrumentor().uninstrument()
    Stock().uninstrument()

    assert during is before


def test_without_its_instrumentor_a_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    def find_spec(name: str, *arguments: Any) -> Any:
        return None if name.startswith("opentelemetry.instrumentation.") else found(name, *arguments)

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    before = requests.Session.send

    RequestsInstrumentor().instrument()
    during = requests.Session.send
    RequestsInstrumentor().uninstrument()

    assert during is before
