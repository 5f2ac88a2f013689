"""The store for readers: the same database that this process writes to, through a connection of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from e2edebug.policy.config import load_config
from e2edebug.runtime import django_project
from e2edebug.runtime.store_choice import choose_store_url
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.store_errors import StoreUnavailable


@contextmanager
def open_for_reading() -> Iterator[Engine]:
    """Yield an engine that is closed afterwards: the writer's only connection is never borrowed.

    Raises StoreUrlError when the URL cannot be used, and StoreUnavailable when a query in the block fails.
    """
    config = load_config(django_settings=django_project.e2edebug_settings())
    choice = choose_store_url(config)
    engine = create_store_engine(
        choice.url,
        connect_timeout_s=config.connect_timeout_s,
        read_timeout_s=config.read_timeout_s,
        write_timeout_s=config.write_timeout_s,
    )
    try:
        yield engine
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or error
        raise StoreUnavailable(f"{choice.described_as} gives no answer: {reason}") from error
    finally:
        engine.dispose()
