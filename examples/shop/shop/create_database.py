"""The shop's MySQL database, made if it is not there and if that is allowed."""

from collections.abc import Mapping
from typing import Any

_UNKNOWN_DATABASE = 1049
_NO_RIGHTS_ON_DATABASE = 1044  # what somebody without rights is told about a missing database, too


class DatabaseUnusableError(Exception):
    """The database cannot be used: it is not there and could not be made, or keeps text in a small character set."""


def create_database_if_missing(settings: Mapping[str, Any]) -> None:
    """Make the database of the Django *settings* (one entry of DATABASES); nothing to do on SQLite.

    Raises DatabaseUnusableError with the statement that somebody with more rights has to run.
    """
    if not settings["ENGINE"].endswith("mysql"):
        return
    # From the package itself: Django imports MySQLdb.converters, which loads PyMySQL's modules a second time under
    # their other name, and `pymysql.err` is then the second copy, whose classes nobody raises.
    from pymysql import OperationalError, connect

    name = settings["NAME"]
    where = {key.lower(): settings[key] for key in ("HOST", "PORT", "USER", "PASSWORD")}
    try:
        with connect(**where, database=name, connect_timeout=5, read_timeout=10) as server, server.cursor() as cursor:
            cursor.execute("SELECT @@character_set_database")
            ((character_set,),) = cursor.fetchall()
    except OperationalError as failure:
        if failure.args[0] not in (_UNKNOWN_DATABASE, _NO_RIGHTS_ON_DATABASE):
            raise DatabaseUnusableError(
                f"cannot use {name!r} on {where['host']}:{where['port']} as {where['user']!r}: {failure.args[-1]}"
            ) from failure
    except RuntimeError as lacking:  # PyMySQL without what MySQL 8's way to log in needs
        raise DatabaseUnusableError(f"{lacking}: pip install cryptography") from lacking
    else:
        if not character_set.startswith("utf8"):
            raise DatabaseUnusableError(
                f"{name!r} keeps text in {character_set}, which has no place for the shop's names. Take a database "
                f"that does not exist yet, or run:  ALTER DATABASE `{name}` CHARACTER SET utf8mb4;"
            )
        return
    # Without a character set of its own a database takes the server's, which may be latin1.
    statement = f"CREATE DATABASE IF NOT EXISTS `{name.replace('`', '``')}` CHARACTER SET utf8mb4"
    try:
        with connect(**where, connect_timeout=5, read_timeout=10) as server, server.cursor() as cursor:
            cursor.execute(statement)
    except OperationalError as refused:
        raise DatabaseUnusableError(
            f"there is no database {name!r} that {where['user']!r} can use, and it may not make one: {refused.args[-1]}\n"
            f"Somebody who may has to run:  {statement};\n"
            f"and to give {where['user']!r} the rights on it."
        ) from refused
