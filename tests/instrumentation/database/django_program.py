"""A Django project in one file: does things to its database and prints the spans of each as JSON.

Run in a process of its own, since Django can be configured only once: `python django_program.py URL MODE`.
"""

import asyncio
import json
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import wrapt
from instrumentation.database.recorded_spans import Recording
from opentelemetry.instrumentation.utils import suppress_instrumentation
from sqlalchemy import make_url

from e2edebug_instrumentation.database.dbapi_drivers import DbApiInstrumentor
from e2edebug_instrumentation.database.django_database import DjangoDatabaseInstrumentor
from e2edebug_instrumentation.database.sqlalchemy_engine import SQLAlchemyEngineInstrumentor

TAKEN_NAME = "bob"
PASSWORD = "hunter2"
SCENARIOS: dict[str, Callable[[], Any]] = {}


def scenario(function: Callable[[], Any]) -> Callable[[], Any]:
    SCENARIOS[function.__name__] = function
    return function


def configure(url: str) -> None:
    parsed = make_url(url)
    database: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": parsed.database}
    if parsed.get_backend_name() != "sqlite":
        import pymysql

        pymysql.install_as_MySQLdb()
        database = {
            "ENGINE": "django.db.backends.mysql",
            "NAME": parsed.database,
            "HOST": parsed.host,
            "PORT": parsed.port,
            "USER": parsed.username,
            "PASSWORD": parsed.password,
        }
    import django
    from django.conf import settings

    settings.configure(
        BASE_DIR=Path(__file__).parent,
        DATABASES={"default": database},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=[f"{__name__}.passing_middleware"],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": [
            ("django.template.loaders.locmem.Loader", {"auth/user_list.html": "{% for u in object_list %}{{ u.username }}{% endfor %}"})
        ]}}],
    )  # fmt: skip
    django.setup()


def passing_middleware(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def respond(request: Any) -> Any:
        return get_response(request)

    return respond


urlpatterns: list[Any] = []


def users() -> Any:
    from django.contrib.auth.models import User

    return User.objects


@scenario
def one_query() -> None:
    list(users().filter(username="bob", id__in=[1, 2, 3]))


@scenario
def insert() -> None:
    users().create(username="bob", password="hunter2")


@scenario
def update() -> None:
    users().filter(username="bob").update(first_name="hunter2")


@scenario
def transaction_with_savepoint_and_hook() -> None:
    from django.db import transaction

    def count_users() -> None:
        users().count()

    with transaction.atomic():
        with transaction.atomic():
            users().count()
        transaction.on_commit(count_users)


@scenario
def rollback() -> None:
    from django.db import transaction

    with suppress(ZeroDivisionError), transaction.atomic():
        raise ZeroDivisionError


@scenario
def failing_hook() -> None:
    from django.db import transaction

    def fail() -> None:
        raise ValueError("the hook fails")

    with suppress(ValueError), transaction.atomic():
        transaction.on_commit(fail)


@scenario
def failing_insert() -> None:
    from django.db import IntegrityError

    with suppress(IntegrityError):
        users().create(username=TAKEN_NAME)


@scenario
def executemany() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.executemany("UPDATE auth_user SET first_name = %s WHERE username = %s", [("a", "bob"), ("b", "bob")])


@scenario
def missing_procedure() -> None:
    from django.db import connection

    with connection.cursor() as cursor, suppress(Exception):
        cursor.callproc("greet", [PASSWORD])


@scenario
def comment_only() -> None:
    from django.db import connection

    with connection.cursor() as cursor, suppress(Exception):
        cursor.execute("/* nothing else */")


@scenario
def long_statement() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 'hunter2{'x' * 200_000}hunter2'")


@scenario
def reconnecting() -> None:
    from django.db import connection

    connection.close()
    users().count()


@scenario
def failing_to_connect() -> None:
    from django.db import OperationalError, connection

    broken = connection.copy("broken")
    broken.settings_dict.update(NAME="/nowhere/at/all.sqlite3", HOST="127.0.0.1", PORT=1)
    with suppress(OperationalError):
        broken.ensure_connection()


@scenario
def wrapper_of_the_application_around_connecting() -> list[Any]:
    from django.db import connection

    seen: list[str] = []

    def watch(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    connection.close()
    del connection.execute_wrappers[:]
    with connection.execute_wrapper(watch):
        users().count()
    assert len(seen) >= 1
    seen.clear()
    users().count()
    assert seen == []
    return []


@scenario
def suppressed() -> None:
    with suppress_instrumentation():
        users().count()


@scenario
def asynchronous() -> None:
    async def view() -> None:
        await users().acount()
        async for _ in users().all():
            pass

    asyncio.run(view())


@scenario
def failing_asynchronous() -> None:
    from django.db import IntegrityError

    async def view() -> None:
        with suppress(IntegrityError):
            await users().acreate(username=TAKEN_NAME)

    asyncio.run(view())


@scenario
def in_a_template() -> None:
    from django.template import engines

    def page() -> str:
        template = engines["django"].from_string("{% for user in users %}{{ user.username }}{% endfor %}")
        return str(template.render({"users": users().all()}))

    page()


@scenario
def in_a_view_of_a_library() -> None:
    from django.test import Client

    assert Client().get("/users/").status_code == 200


@scenario
def switched_off_and_on() -> None:
    instrumentor = DjangoDatabaseInstrumentor()
    instrumentor.uninstrument()
    users().count()
    instrumentor.instrument()
    users().count()
    instrumentor.uninstrument()
    users().count()
    from django.db import connection
    from django.db.backends.base.base import BaseDatabaseWrapper

    assert connection.execute_wrappers == []
    assert not isinstance(BaseDatabaseWrapper.__dict__["connect"], wrapt.FunctionWrapper)
    instrumentor.instrument()


def run_all(recording: Recording) -> dict[str, Any]:
    results = {}
    for name, function in SCENARIOS.items():
        recording.take()
        function()
        results[name] = recording.take()
    return results


def connection_of_another_thread_made_before(recording: Recording) -> dict[str, Any]:
    is_connected, may_query = threading.Event(), threading.Event()

    def work() -> None:
        users().count()
        is_connected.set()
        may_query.wait(60)
        users().count()

    thread = threading.Thread(target=work)
    thread.start()
    is_connected.wait(60)
    users().count()
    DjangoDatabaseInstrumentor().instrument()
    recording.take()
    may_query.set()
    thread.join()
    return {"late": recording.take()}


def driver_wrapped_by_opentelemetry(recording: Recording) -> dict[str, Any]:
    import sqlite3.dbapi2

    import pymysql
    from opentelemetry.instrumentation.dbapi import wrap_connect

    wrap_connect("stock", sqlite3.dbapi2, "connect", "sqlite")
    wrap_connect("stock", pymysql, "connect", "mysql")
    configure(sys.argv[1])
    DjangoDatabaseInstrumentor().instrument()
    migrate()
    recording.take()
    users().count()
    return {"wrapped": recording.take()}


def migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    users().all().delete()  # the database may have served another mode before


def main() -> None:
    mode = sys.argv[2]
    recording = Recording(is_global=mode != "untraced")
    if mode == "wrapped":
        print(json.dumps(driver_wrapped_by_opentelemetry(recording)))
        return
    if mode == "late":
        configure(sys.argv[1])
        migrate()
        print(json.dumps(connection_of_another_thread_made_before(recording)))
        return
    DjangoDatabaseInstrumentor().instrument()
    DbApiInstrumentor().instrument()
    SQLAlchemyEngineInstrumentor().instrument()
    configure(sys.argv[1])
    migrate()
    from django.contrib.auth.models import User
    from django.urls import path
    from django.views.generic import ListView

    urlpatterns.append(path("users/", ListView.as_view(model=User)))
    print(json.dumps(run_all(recording)))


if __name__ == "__main__":
    main()
