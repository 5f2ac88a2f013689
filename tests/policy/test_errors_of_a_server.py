"""The wording that a real server gives its errors: the same rules, held to what is sent."""

import pymysql
import pytest
import sqlalchemy as sa
from support.mariadb import MariaDBServer

from e2edebug.policy.redaction import Redactor

TABLES = (
    "CREATE TABLE product (id INT PRIMARY KEY, title VARCHAR(10) NOT NULL, stock INT UNSIGNED CHECK (stock < 1000),"
    " made DATETIME NULL, kind ENUM('a', 'b') NULL, UNIQUE KEY by_title (title))",
    "CREATE TABLE line (id INT PRIMARY KEY, product_id INT, CONSTRAINT line_product FOREIGN KEY (product_id)"
    " REFERENCES product (id))",
    "INSERT INTO product (id, title, stock) VALUES (1, 'hunter2', 3)",
    "INSERT INTO line VALUES (1, 1)",
)
WITHOUT_VALUES = {
    1048: "INSERT INTO product (id, title) VALUES (2, NULL)",
    1050: "CREATE TABLE product (id INT)",
    1051: "DROP TABLE no_such",
    1052: "SELECT id FROM product JOIN line",
    1054: "SELECT pice FROM product",
    1060: "CREATE TABLE t (a INT, a INT)",
    1061: "ALTER TABLE product ADD KEY by_title (stock)",
    1091: "ALTER TABLE product DROP COLUMN pice",
    1136: "INSERT INTO line VALUES (1, 2, 3)",
    1146: "SELECT * FROM no_such",
    1264: "INSERT INTO product (id, title, stock) VALUES (2, 'x', -5)",
    1265: "INSERT INTO product (id, title, kind) VALUES (2, 'x', 'hunter2')",
    1305: "ROLLBACK TO SAVEPOINT no_such",
    1364: "INSERT INTO product (id) VALUES (2)",
    1406: "INSERT INTO product (id, title) VALUES (2, 'hunter2 hunter2')",
    1451: "DELETE FROM product",
    1452: "INSERT INTO line VALUES (2, 4711)",
    4025: "INSERT INTO product (id, title, stock) VALUES (2, 'x', 4711)",
}
OF_MYSQL = {4025: 3819}
WITH_VALUES = {
    1062: ("INSERT INTO product (id, title) VALUES (2, 'hunter2')", "Duplicate entry ? for key 'by_title'"),
    1064: ("SELCT 'hunter2'", "syntax to use near '?' at line 1"),
    1292: (
        "INSERT INTO product (id, title, made) VALUES (2, 'x', 'hunter2')",
        "Incorrect datetime value: '?' for column `{database}`.`product`.`made` at row 1",
    ),
    1366: (
        "INSERT INTO product (id, title, stock) VALUES (2, 'x', 'hunter2')",
        "Incorrect integer value: '?' for column `{database}`.`product`.`stock` at row 1",
    ),
    1690: (
        "SELECT stock - 4711 FROM product",
        "BIGINT UNSIGNED value is out of range in '`{database}`.`product`.`stock` - ?'",
    ),
}


@pytest.fixture(scope="module")
def database(mariadb_server: MariaDBServer):
    url = mariadb_server.create_database()
    parts = sa.make_url(url)
    connection = pymysql.connect(
        host=parts.host,
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        database=parts.database,
        autocommit=True,
    )
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
        for statement in TABLES:
            cursor.execute(statement)
    yield connection
    connection.close()
    mariadb_server.drop_database(url)


def refusal_of(connection: pymysql.Connection, statement: str) -> pymysql.MySQLError:
    with pytest.raises(pymysql.MySQLError) as caught, connection.cursor() as cursor:
        cursor.execute(statement)
    return caught.value


@pytest.mark.parametrize("number", WITHOUT_VALUES)
def test_an_error_without_values_is_shown_as_the_server_words_it(database, number):
    error = refusal_of(database, WITHOUT_VALUES[number])

    assert error.args[0] in (number, OF_MYSQL.get(number))
    assert Redactor().error_message(str(error), f"pymysql.err.{type(error).__name__}") == str(error)


@pytest.mark.parametrize("number", WITH_VALUES)
def test_an_error_with_a_value_loses_the_value_alone(database, number):
    statement, shown = WITH_VALUES[number]
    error = refusal_of(database, statement)

    message = Redactor().error_message(str(error), f"pymysql.err.{type(error).__name__}")

    assert error.args[0] == number
    assert "hunter2" not in message
    if "MariaDB" in database.get_server_info():  # MySQL names columns and keys in other ways
        assert shown.format(database=database.db.decode()) in message
