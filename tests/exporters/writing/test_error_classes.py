"""Which error asks for what: a wrong class loses rows or blocks all that follow."""

import sqlite3

import pymysql
import pytest
from sqlalchemy import exc

from e2edebug_exporters.error_classes import ErrorClass, classify, drop_reason, must_invalidate, short_text
from e2edebug_schema.store_errors import UnsupportedServer

CLASSES = {
    ErrorClass.RECONNECT: (2002, 2003, 2006, 2013, 1927, 1053, 1047, 1290, 1792, 1836, 4031),
    ErrorClass.RETRY: (1205, 1213, 1317, 1020),
    ErrorClass.BACK_OFF: (1040, 1044, 1045, 1049, 1142, 1203, 1226, 1021, 1114),
    ErrorClass.BAD_DATA: (1366, 1406, 1264, 1292, 4025, 1153, 1048, 9999),
    ErrorClass.SCHEMA: (1146, 1054, 1136, 1364),
}


def wrapped(original: Exception, kind: type[exc.DBAPIError] = exc.OperationalError) -> exc.DBAPIError:
    return kind("INSERT INTO t VALUES ('secret')", None, original)


@pytest.mark.parametrize(("error_class", "number"), [(each, number) for each, of in CLASSES.items() for number in of])
def test_a_server_error_has_its_class_by_number(error_class: ErrorClass, number: int) -> None:
    assert classify(wrapped(pymysql.err.OperationalError(number, "text"))) is error_class


@pytest.mark.parametrize(
    ("text", "error_class"),
    [
        ("database is locked", ErrorClass.RETRY),
        ("no such table: debugging_trace_step", ErrorClass.SCHEMA),
        ("table debugging_trace_step has no column named kind", ErrorClass.SCHEMA),
        ("database or disk is full", ErrorClass.BACK_OFF),
        ("attempt to write a readonly database", ErrorClass.BACK_OFF),
        ("unable to open database file", ErrorClass.BACK_OFF),
        ("NOT NULL constraint failed: debugging_trace_step.layer", ErrorClass.BAD_DATA),
    ],
)
def test_an_error_of_sqlite_has_its_class_by_text(text: str, error_class: ErrorClass) -> None:
    assert classify(wrapped(sqlite3.OperationalError(text))) is error_class


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), ErrorClass.BAD_DATA),
        (OverflowError("int too large"), ErrorClass.BAD_DATA),
        (TypeError("a bug of ours"), ErrorClass.BAD_DATA),
        (exc.TimeoutError("QueuePool limit reached"), ErrorClass.BACK_OFF),
        (UnsupportedServer("the server is 5.7"), ErrorClass.BACK_OFF),
        (ConnectionResetError(104, "reset"), ErrorClass.RECONNECT),
        (wrapped(pymysql.err.InterfaceError(0, ""), exc.InterfaceError), ErrorClass.RECONNECT),
    ],
)
def test_an_error_of_the_driver_or_the_pool_has_its_class_by_kind(error: Exception, error_class: ErrorClass) -> None:
    assert classify(error) is error_class


def test_connections_to_a_read_only_or_leaving_server_are_given_up_by_hand() -> None:
    """SQLAlchemy takes none of these for a disconnect, and would pool the connection again."""
    for number in (1290, 1047, 1053):
        assert must_invalidate(wrapped(pymysql.err.OperationalError(number, "")))
    assert not must_invalidate(wrapped(pymysql.err.OperationalError(1213, "")))


def test_a_drop_is_counted_under_the_number_or_the_kind_of_its_error() -> None:
    assert drop_reason(wrapped(pymysql.err.DataError(1406, "too long"))) == "errno_1406"
    assert drop_reason(wrapped(sqlite3.IntegrityError("NOT NULL"))) == "IntegrityError"
    assert drop_reason(OverflowError("int too large")) == "OverflowError"


def test_the_text_of_an_error_never_shows_a_statement() -> None:
    error = wrapped(pymysql.err.DataError(1406, "Data too long for column 'component'\n" + "x" * 1000))

    assert "secret" not in short_text(error)
    assert "\n" not in short_text(error)
    assert len(short_text(error)) == 300


def test_the_short_text_of_an_error_that_quotes_a_url_has_no_password() -> None:
    error = RuntimeError("cannot use mysql+pymysql://shop:hun#ter2@db/shop?password=hunter2")

    assert short_text(error) == "RuntimeError: cannot use mysql+pymysql://[redacted]@db/shop?password=[redacted]"
