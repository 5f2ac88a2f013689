"""A Django project under e2edebug that counts what one request takes: `python counting_program.py DATABASE QUERIES`.

Prints, as JSON, which functions of e2edebug's and OpenTelemetry's were called on the thread of the request, and how often.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import django
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

_COUNTED = ("e2edebug", "opentelemetry")


def view(request: HttpRequest, queries: int) -> HttpResponse:
    with connection.cursor() as cursor:
        for number in range(queries):
            cursor.execute("SELECT %s", [number])
            cursor.fetchall()
    return HttpResponse("done")


urlpatterns = [path("<int:queries>/", view)]


def calls_of(work: Callable[[], object]) -> Counter[str]:
    found: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        # The collector of garbage comes when it wants, and not because of the request.
        if event == "call" and "gc_pauses" not in frame.f_code.co_filename:
            module = str(frame.f_globals.get("__name__"))
            if module.startswith(_COUNTED):
                found[f"{module}.{frame.f_code.co_qualname}"] += 1

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


def main(database: str, queries: int) -> None:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database, "CONN_MAX_AGE": None}},
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="for a test",
        LOGGING_CONFIG=None,
    )
    import e2edebug
    import e2edebug.auto

    django.setup()
    client = Client()

    def work() -> Any:
        # As gunicorn says it; Django's client leaves it out.
        return client.get(f"/{queries}/", RAW_URI=f"/{queries}/")

    for _ in range(3):
        work()
    assert e2edebug.flush(30)
    print(json.dumps(calls_of(work)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
