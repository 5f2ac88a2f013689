"""Every instrumentor there is, by the name that switches it off. A new layer is one line here."""

import logging
from importlib import import_module
from typing import Any, Final

from e2edebug.policy.self_report import internal_error

INSTRUMENTORS: Final = {
    "django": "e2edebug_instrumentation.django_requests.instrumentor:DjangoRequestInstrumentor",
    "django_commands": "e2edebug_instrumentation.django_commands:DjangoCommandInstrumentor",
    "django_database": "e2edebug_instrumentation.database.django_database:DjangoDatabaseInstrumentor",
    "dbapi": "e2edebug_instrumentation.database.dbapi_drivers:DbApiInstrumentor",
    "sqlalchemy": "e2edebug_instrumentation.database.sqlalchemy_engine:SQLAlchemyEngineInstrumentor",
    "django_cache": "e2edebug_instrumentation.cache.django_cache:DjangoCacheInstrumentor",
    "redis": "e2edebug_instrumentation.cache.direct_commands:RedisInstrumentor",
    "pymemcache": "e2edebug_instrumentation.cache.direct_commands:MemcachedInstrumentor",
    "requests": "e2edebug_instrumentation.outgoing_http.clients:RequestsInstrumentor",
    "httpx": "e2edebug_instrumentation.outgoing_http.clients:HttpxInstrumentor",
    "urllib": "e2edebug_instrumentation.outgoing_http.clients:UrllibInstrumentor",
    "urllib3": "e2edebug_instrumentation.outgoing_http.clients:Urllib3Instrumentor",
    "aiohttp-client": "e2edebug_instrumentation.outgoing_http.clients:AiohttpClientInstrumentor",
    "logging": "e2edebug_instrumentation.logs.instrumentor:LoggingInstrumentor",
    "unhandled_exceptions": "e2edebug_instrumentation.logs.unhandled_exceptions:UnhandledExceptionInstrumentor",
    "connection_pool": "e2edebug_instrumentation.database.connection_pool:ConnectionPoolInstrumentor",
    "system": "e2edebug_instrumentation.system.instrumentor:SystemInstrumentor",
    "celery": "e2edebug_instrumentation.tasks.celery_tasks:CeleryInstrumentor",
    "django_tasks": "e2edebug_instrumentation.tasks.django_tasks:DjangoTasksInstrumentor",
    "rq": "e2edebug_instrumentation.tasks.rq_jobs:RQInstrumentor",
    "threading": "e2edebug_instrumentation.tasks.threads:ThreadingInstrumentor",
}
"""Name -> module:class. Each waits for its library to be imported, and costs nothing where it never is."""

_log = logging.getLogger("e2edebug")


def instrument_all(config: Any, *, disabled: tuple[str, ...] = ()) -> list[str]:
    """Switch on every instrumentor that *disabled* does not name (`*` names all). Returns the names, in order.

    Idempotent. One that fails is reported and left out; the others go on.
    """
    for name in disabled:
        if name not in INSTRUMENTORS and name != "*":
            _log.debug("%s is not one of %s, and may be another library's", name, ", ".join(INSTRUMENTORS))
    active = []
    for name in INSTRUMENTORS:
        if name in disabled or "*" in disabled:
            continue
        try:
            instrumentor = _load(name)
            if not instrumentor.is_instrumented_by_opentelemetry:
                instrumentor.instrument(config=config)
            active.append(name)
        except Exception as error:  # noqa: BLE001 - a library we do not know well enough must not stop its host
            internal_error(f"instrument {name}", error)
    return active


def uninstrument_all() -> None:
    """Undo instrument_all(): every wrapped function is the library's own again."""
    for name in INSTRUMENTORS:
        try:
            instrumentor = _load(name)
            if instrumentor.is_instrumented_by_opentelemetry:
                instrumentor.uninstrument()
        except Exception as error:  # noqa: BLE001 - as above
            internal_error(f"undo the instrumentation of {name}", error)


def _load(name: str) -> Any:
    module, _, attribute = INSTRUMENTORS[name].partition(":")
    return getattr(import_module(module), attribute)()
