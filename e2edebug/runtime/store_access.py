"""The store for readers: the same database that this process writes to, through a connection of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from e2edebug.policy.config import load_config
from e2edebug.runtime import django_project
from e2edebug.runtime.store_choice import choose_store_url
from e2edebug_schema.engine import create_store_engine


@contextmanager
def open_for_reading() -> Iterator[Engine]:
    """Yield an engine that is closed afterwards: the writer's only connection is never borrowed.

    Raises StoreUrlError when the URL cannot be used; the first query raises what the driver raises.
    """
    config = load_config(django_settings=django_project.e2edebug_settings())
    engine = create_store_engine(
        choose_store_url(config).url,
        connect_timeout_s=config.connect_timeout_s,
        read_timeout_s=config.read_timeout_s,
        write_timeout_s=config.write_timeout_s,
    )
    try:
        yield engine
    finally:
        engine.dispose()
