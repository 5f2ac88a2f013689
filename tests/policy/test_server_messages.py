"""What stays of the errors that MySQL, MariaDB and SQLite send: names, numbers and sense, but no value of a row."""

import time

import pytest

from e2edebug.policy.redaction import Redactor

FOREIGN_KEY = (
    "a foreign key constraint fails (`shop`.`shop_orderline`, CONSTRAINT `shop_orderline_product_id_6f2d_fk_shop_product_id`"
    " FOREIGN KEY (`product_id`) REFERENCES `shop_product` (`id`) ON DELETE CASCADE ON UPDATE NO ACTION)"
)
KEPT = [
    (1005, 'Can\'t create table `shop`.`cart` (errno: 150 "Foreign key constraint is incorrectly formed")'),
    (1022, "Can't write; duplicate key in table 'cart'"),
    (1040, "Too many connections"),
    (1044, "Access denied for user 'shop'@'%' to database 'mysql'"),
    (1045, "Access denied for user 'shop'@'172.18.0.3' (using password: YES)"),
    (1046, "No database selected"),
    (1048, "Column 'title' cannot be null"),
    (1049, "Unknown database 'no_such'"),
    (1050, "Table 'cart' already exists"),
    (1051, "Unknown table 'shop.cart'"),
    (1052, "Column 'id' in where clause is ambiguous"),
    (1054, "Unknown column 'p.pice' in 'field list'"),
    (1054, "Unknown column 'pice' in 'SELECT'"),
    (1060, "Duplicate column name 'id'"),
    (1061, "Duplicate key name 'cart_user'"),
    (1091, "Can't DROP 'cart_user'; check that column/key exists"),
    (1091, "Can't DROP INDEX `cart_user`; check that it exists"),
    (1093, "You can't specify target table 'cart' for update in FROM clause"),
    (1136, "Column count doesn't match value count at row 1"),
    (1142, "SELECT command denied to user 'shop'@'%' for table 'user'"),
    (1142, "INSERT, DELETE command denied to user 'shop'@'localhost' for table `mysql`.`user`"),
    (1146, "Table 'site.no_such_table' doesn't exist"),
    (1153, "Got a packet bigger than 'max_allowed_packet' bytes"),
    (1205, "Lock wait timeout exceeded; try restarting transaction"),
    (1213, "Deadlock found when trying to get lock; try restarting transaction"),
    (1214, "The used table type doesn't support FULLTEXT indexes"),
    (1216, "Cannot add or update a child row: a foreign key constraint fails"),
    (1217, "Cannot delete or update a parent row: a foreign key constraint fails"),
    (1264, "Out of range value for column 'stock' at row 1"),
    (1265, "Data truncated for column 'state' at row 3"),
    (1305, "FUNCTION shop.no_such does not exist"),
    (1305, "SAVEPOINT s140_x1 does not exist"),
    (1317, "Query execution was interrupted"),
    (1364, "Field 'title' doesn't have a default value"),
    (1406, "Data too long for column 'title' at row 1"),
    (1451, f"Cannot delete or update a parent row: {FOREIGN_KEY}"),
    (1452, f"Cannot add or update a child row: {FOREIGN_KEY}"),
    (2002, "Can't connect to local MySQL server through socket '/run/mysqld/mysqld.sock' (2)"),
    (2003, "Can't connect to MySQL server on 'db.internal' ([Errno 111] Connection refused)"),
    (2003, "Can't connect to MySQL server on 'db:3306' (111)"),
    (2006, "MySQL server has gone away (ConnectionResetError(104, 'Connection reset by peer'))"),
    (2006, "Server has gone away"),
    (2013, "Lost connection to MySQL server during query (timed out)"),
    (2013, "Lost connection to MySQL server at 'reading initial communication packet', system error: 104"),
    (
        3140,
        "Invalid JSON text: \"Missing a comma or '}' after an object member.\" at position 7 in value for column 't.c'.",
    ),
    (3819, "Check constraint 'stock_positive' is violated."),
    (4025, "CONSTRAINT `stock_positive` failed for `shop`.`product`"),
]
MASKED = [
    ((1062, "Duplicate entry 'O'Brien-7' for key 'users.email'"), "Duplicate entry ? for key 'users.email'"),
    (
        (1064, "You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for "
         "the right syntax to use near 'SELCT 'ann'' at line 1"),
        "You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for "
        "the right syntax to use near '?' at line 1",
    ),
    (
        (1292, "Incorrect datetime value: 'don't' for column `shop`.`cart`.`made_at` at row 1"),
        "Incorrect datetime value: '?' for column `shop`.`cart`.`made_at` at row 1",
    ),
    ((1292, "Truncated incorrect DOUBLE value: 'ann'"), "Truncated incorrect DOUBLE value: '?'"),
    (
        (1366, "Incorrect string value: '\\xF0\\x9F\\x98\\x80 \"ann\"' for column 'title' at row 1"),
        "Incorrect string value: '?' for column 'title' at row 1",
    ),
    (
        (1411, "Incorrect datetime value: 'ann' for function str_to_date"),
        "Incorrect datetime value: '?' for function str_to_date",
    ),
    (
        (1690, "BIGINT UNSIGNED value is out of range in '(`shop`.`product`.`stock` - 4711)'"),
        "BIGINT UNSIGNED value is out of range in '(`shop`.`product`.`stock` - ?)'",
    ),
]  # fmt: skip
DJANGO_TYPES = ["django.db.utils.ProgrammingError", "pymysql.err.OperationalError"]


@pytest.mark.parametrize("error", KEPT, ids=lambda error: str(error[0]))
@pytest.mark.parametrize("error_type", DJANGO_TYPES)
def test_a_server_error_that_quotes_no_value_stays_whole(error: tuple[int, str], error_type: str) -> None:
    assert Redactor().error_message(str(error), error_type) == str(error)


@pytest.mark.parametrize(("error", "shown"), MASKED, ids=lambda value: str(value[0])[:4])
def test_of_a_server_error_that_quotes_a_value_only_the_value_goes(error: tuple[int, str], shown: str) -> None:
    assert Redactor().error_message(str(error), "pymysql.err.DataError") == str((error[0], shown))


@pytest.mark.parametrize(("number", "message"), KEPT + [(error[0], shown) for error, shown in MASKED])
def test_masking_a_server_error_twice_changes_nothing_more(number: int, message: str) -> None:
    once = str((number, message))

    assert Redactor().error_message(once, "django.db.utils.DataError") == once


@pytest.mark.parametrize("error", KEPT, ids=lambda error: str(error[0]))
def test_a_server_error_stays_whole_in_every_text_that_quotes_it(error: tuple[int, str]) -> None:
    redactor = Redactor()
    wrapped = (
        f"(pymysql.err.OperationalError) {error}\n[SQL: SELECT name FROM t WHERE a = 'ann']\n(Background on this error"
    )
    stack = (
        f'Traceback\n  File "/srv/shop/views.py", line 12, in create\n    save()\ndjango.db.utils.DataError: {error}\n'
    )

    assert redactor.error_message(wrapped, "sqlalchemy.exc.OperationalError") == wrapped.replace("'ann'", "?")
    assert redactor.error_message(f"DataError: {error}", "DataError") == f"DataError: {error}"
    assert redactor.stack_trace(stack) == stack


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("1146 (42S02): Table 'shop.cart' doesn't exist", "1146 (42S02): Table 'shop.cart' doesn't exist"),
        (
            "1062 (23000): Duplicate entry 'ann@x' for key 'email'",
            "1062 (23000): Duplicate entry ? for key 'email'",
        ),
        ("UNIQUE constraint failed: shop_user.email", "UNIQUE constraint failed: shop_user.email"),
        ("NOT NULL constraint failed: shop_user.email", "NOT NULL constraint failed: shop_user.email"),
        ("FOREIGN KEY constraint failed", "FOREIGN KEY constraint failed"),
        ("no such table: shop_cart", "no such table: shop_cart"),
        ("no such column: p.pice", "no such column: p.pice"),
        ("table shop_cart has no column named pice", "table shop_cart has no column named pice"),
        ("database is locked", "database is locked"),
        ("attempt to write a readonly database", "attempt to write a readonly database"),
        ('unrecognized token: "\'ann"', "unrecognized token: [redacted]"),
    ],
)
def test_other_drivers_are_understood_as_well(message: str, shown: str) -> None:
    assert Redactor().error_message(message, "django.db.utils.OperationalError") == shown


@pytest.mark.parametrize(
    "message",
    [
        "(1146, \"Table 'shop.cart' doesn't exist, says 'hunter2'\")",
        "(1062, \"Doppelter Eintrag 'hunter2' fuer Schluessel 'email'\")",
        "(9999, \"x 'hunter2'\")",
        "failed: INSERT INTO t VALUES (1146, 'hunter2')",
        "(pymysql.err.DataError) (1265, 'x')\n[SQL: INSERT INTO log VALUES ('e: (1205, \"it''s\")', 'hunter2')]\n"
        "[parameters: {'a': 'hunter2'}]\n(Background on this error",
        "INSERT INTO log VALUES ('e: (1205, \"Lock wait timeout exceeded; try restarting transaction\")', 'hunter2')",
    ],
)
def test_what_is_worded_otherwise_loses_everything_quoted(message: str) -> None:
    assert "hunter2" not in Redactor().error_message(message, "django.db.utils.DataError")


@pytest.mark.parametrize(
    "piece",
    [': (1146, "', ": (1452, 'a", "a: (1062, 'Duplicate entry ", "b: (1305, 'a a", "1146 (42S02): ", " for key '"],
)
def test_hostile_server_messages_take_linear_time(piece: str) -> None:
    text = piece * (131_072 // len(piece))
    started = time.process_time()

    Redactor().error_message(text, "IntegrityError")
    Redactor().error_message(f'(1062, "Duplicate entry {text}")', "IntegrityError")
    Redactor().stack_trace(text)

    assert time.process_time() - started < 2.0
