"""Statements lose their values and keep their shape."""

import random
import string
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from e2edebug.policy import sql_text
from e2edebug.policy.sql_text import describe_statement, mask_literals

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT * FROM t WHERE name = 'it''s' AND age > 42", "SELECT * FROM t WHERE name = ? AND age > ?"),
        (r"SELECT * FROM t WHERE name = 'it\'s' AND b = 'x'", "SELECT * FROM t WHERE name = ? AND b = ?"),
        (r"SELECT * FROM t WHERE path = 'C:\' AND b = 'x'", "SELECT * FROM t WHERE path = ? AND b = ?"),
        ('SELECT `a` FROM `t` WHERE `b` = "x"', "SELECT `a` FROM `t` WHERE `b` = ?"),
        ('SELECT "t"."a" FROM "t" WHERE "t"."b" = %s', 'SELECT "t"."a" FROM "t" WHERE "t"."b" = ?'),
        ('SELECT COUNT(*) AS "__count" FROM "t"', 'SELECT COUNT(*) AS "__count" FROM "t"'),
        ('SELECT TRIM(BOTH "x" FROM "y") FROM t', "SELECT TRIM(BOTH ? FROM ?) FROM t"),
        (
            'SELECT "t"."a" FROM (SELECT * FROM "u") AS "s" JOIN "v" ON TRUE',
            'SELECT "t"."a" FROM (SELECT * FROM "u") AS "s" JOIN "v" ON TRUE',
        ),
        ('UPDATE "t" SET "a" = %s, "b" = "x"', 'UPDATE "t" SET "a" = ?, "b" = ?'),
        ('INSERT INTO "t" ("a", "b") VALUES ("x", 1)', 'INSERT INTO "t" ("a", "b") VALUES (?+)'),
        ("SELECT 1.5, .5, 1e-5, 0xFF, 0b01, -3, a-1", "SELECT ?, ?, ?, ?, ?, ?, a-?"),
        ("SELECT X'4142', b'01', N'x', _latin1'x', E'x\\'y'", "SELECT ?, ?, ?, ?, ?"),
        ("SELECT $1::int, $$a'b$$, $t$a$t$", "SELECT ?::int, ?, ?"),
        (
            "SELECT * FROM t2 WHERE a1 = :name AND b = %(b)s AND c = ?1",
            "SELECT * FROM t2 WHERE a1 = ? AND b = ? AND c = ?",
        ),
        ("SELECT a /* it's */ FROM t -- it's\nWHERE b = 1 # it is\n", "SELECT a FROM t WHERE b = ?"),
        ("SELECT /*!40001 SQL_NO_CACHE */ a FROM t", "SELECT SQL_NO_CACHE a FROM t"),
        ("SELECT a FROM t /*traceparent='00-1-2-01',app='x'*/", "SELECT a FROM t"),
        ("SELECT * FROM t WHERE a IN (1, 2, 3) AND b IN ('x')", "SELECT * FROM t WHERE a IN (?+) AND b IN (?+)"),
        ("SELECT * FROM t WHERE (a, b) IN ((1, 2), (3, 4))", "SELECT * FROM t WHERE (a, b) IN ((?+))"),
        ("INSERT INTO t VALUES (%s, %s), (%s, %s)", "INSERT INTO t VALUES (?+)"),
        ("INSERT INTO t VALUES (1, NOW()), (2, NOW())", "INSERT INTO t VALUES (?, NOW())"),
        ("SELECT COALESCE(a, 1, 2) FROM t", "SELECT COALESCE(a, ?, ?) FROM t"),
        ("  SELECT\n\t 1 ; ", "SELECT ?"),
        ('SAVEPOINT "s139_x1"', "SAVEPOINT ?"),
        ("ROLLBACK TO SAVEPOINT sa_savepoint_7", "ROLLBACK TO SAVEPOINT ?"),
        ("SELECT 'never closed", "SELECT ?"),
        ("SELECT 1 /* never closed", "SELECT ? ?"),
        ("", ""),
        (" \n ", ""),
        ("/* nothing else */", ""),
    ],
)
def test_values_become_question_marks_and_the_rest_stays(sql: str, text: str):
    assert mask_literals(sql) == text


@pytest.mark.parametrize(
    ("sql", "operation", "table"),
    [
        ("select a from shop.product p", "SELECT", "shop.product"),
        ("SELECT (SELECT COUNT(*) FROM review) FROM `shop`.`product`", "SELECT", "shop.product"),
        ("(SELECT 1 FROM a) UNION (SELECT 2 FROM b)", "SELECT", "a"),
        ("SELECT * FROM (SELECT * FROM a) AS x", "SELECT", "a"),
        ("SELECT 1 FOR UPDATE", "SELECT", ""),
        ("SELECT EXTRACT(DAY FROM created) FROM orders", "SELECT", "orders"),
        ('INSERT INTO "public"."t" ("a") VALUES (1)', "INSERT", "public.t"),
        ("INSERT IGNORE INTO t SELECT * FROM u", "INSERT", "t"),
        ("INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = 1", "INSERT", "t"),
        ("REPLACE INTO t VALUES (1)", "REPLACE", "t"),
        ("UPDATE LOW_PRIORITY t SET a = (SELECT MAX(a) FROM u)", "UPDATE", "t"),
        ("DELETE FROM t WHERE a IN (SELECT a FROM u)", "DELETE", "t"),
        ("WITH x AS (SELECT * FROM base) SELECT * FROM x", "SELECT", "base"),
        ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", "INSERT", "t"),
        ("CALL pay(1, 'x')", "CALL", "pay"),
        ("CREATE TABLE IF NOT EXISTS t (a int)", "CREATE", "t"),
        ("TRUNCATE TABLE t", "TRUNCATE", "t"),
        ("SAVEPOINT a", "SAVEPOINT", ""),
        ("ROLLBACK TO SAVEPOINT a", "ROLLBACK TO", ""),
        ("START TRANSACTION", "START TRANSACTION", ""),
        ("SET autocommit = 0", "SET", ""),
        ("/* only a comment */", "", ""),
        ("", "", ""),
        ("42", "", ""),
    ],
)
def test_a_statement_tells_its_verb_and_its_main_table(sql: str, operation: str, table: str):
    statement = describe_statement(sql)

    assert (statement.operation, statement.table) == (operation, table)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT * FROM t WHERE a = 1", "SELECT * FROM  t\n WHERE a = 'x' -- why"),
        ("SELECT * FROM t WHERE a IN (1)", "SELECT * FROM t WHERE a IN (1, 2, 3, 4)"),
        ("INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL)"),
        ("SAVEPOINT s1_x1", 'SAVEPOINT "s2_x9"'),
    ],
)
def test_statements_that_differ_only_in_values_share_a_digest(one: str, other: str):
    assert describe_statement(one).digest == describe_statement(other).digest
    assert len(describe_statement(one).digest) == 32


def test_statements_of_different_shape_have_different_digests():
    texts = ["SELECT a FROM t", "SELECT b FROM t", "SELECT a FROM u", "SELECT a FROM t WHERE a = 1"]

    assert len({describe_statement(text).digest for text in texts}) == len(texts)


@given(st.text())
@example("\\'")
@example("'\\")
@example("$a$")
@example("\ud800'")
@example("/*!'*/")
@settings(deadline=None)
def test_any_text_is_described(sql: str):
    statement = describe_statement(sql)

    assert len(statement.digest) == 32
    assert describe_statement(sql[:3], is_cut=True).digest


@given(st.text(alphabet="'\"`\\-/*#$?%(),.;: \naxX01", max_size=60))
@settings(deadline=None, max_examples=500)
def test_the_cut_beginning_of_a_statement_shows_no_more_than_letters_that_are_outside_of_quotes(sql: str):
    """Nothing may raise however the quotes, comments and escapes are nested."""
    describe_statement(sql)
    describe_statement(sql, is_cut=True)


_inner = st.text(alphabet=string.ascii_letters + " '\"`\\-/*#$%?:;,()\n\u00e9\U0001f600", max_size=12)


def _mysql(value: str, quote: str = "'") -> str:
    return quote + value.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote


def _doubled(value: str, quote: str = "'") -> str:
    return quote + value.replace(quote, quote * 2) + quote


_MYSQL_LITERALS = (
    _mysql,
    lambda value: _mysql(value, '"'),
    lambda value: _doubled(value.replace("\\", "\\\\")),
    lambda value: _doubled(value.replace("\\", "\\\\"), '"'),
    lambda value: "N" + _mysql(value),
    lambda value: "_utf8mb4" + _mysql(value),
    lambda value: "/* " + value.replace("*/", "").replace("/*", "") + " */ 1",
    lambda value: "1 -- " + value.replace("\n", " ") + "\n",
    lambda value: "1 # " + value.replace("\n", " ") + "\n",
)
_STANDARD_LITERALS = (
    _doubled,
    lambda value: "/* " + value.replace("*/", "").replace("/*", "") + " */ 1",
    lambda value: "1 -- " + value.replace("\n", " ") + "\n",
    lambda value: "1 --" + value.replace("\n", " ") + "\n",
)
_POSTGRESQL_LITERALS = (
    *_STANDARD_LITERALS,
    lambda value: "E" + _mysql(value),
    lambda value: f"$q${value.replace('$', '')}$q$",
)
_TEMPLATES = (
    "SELECT * FROM t WHERE a = {} AND b = {}",
    "INSERT INTO t (a, b) VALUES ({}, {}), ({}, {}) ON DUPLICATE KEY UPDATE a = {}",
    "UPDATE t SET a = {}, b = CONCAT({}, a) WHERE c IN ({}, {}) ORDER BY d",
    "CALL login({}, {})",
    "SELECT TRIM(LEADING {} FROM {}), IF(a = {}, {}, 0) FROM t",
    "WITH x AS (SELECT {}) DELETE FROM t WHERE a LIKE {}",
)


@given(st.data())
@settings(deadline=None, max_examples=800)
def test_a_secret_in_a_literal_or_a_comment_never_survives(data: st.DataObject):
    """Whichever dialect the statement is in, and whatever stands around the secret within its literal."""
    literals = data.draw(st.sampled_from((_MYSQL_LITERALS, _STANDARD_LITERALS, _POSTGRESQL_LITERALS)))
    template = data.draw(st.sampled_from(_TEMPLATES))
    values = [
        data.draw(st.sampled_from(literals))(data.draw(_inner) + SECRET + data.draw(_inner))
        for _ in range(template.count("{}"))
    ]
    sql = template.format(*values)

    statement = describe_statement(sql)

    assert SECRET not in " ".join(statement), sql


def test_a_comment_that_dialects_disagree_on_does_not_decide_what_a_backslash_means():
    """Reading the backslash as a mere character closes every quote here, and is wrong: MySQL's `#` hides the last one."""
    sql = 'UPDATE t SET b = CONCAT("hunter2\\"", a) WHERE c IN (\'hunter2\', 1 # "hunter2\n)'

    assert mask_literals(sql) == "UPDATE t SET b = CONCAT(?"


@given(st.data())
@settings(deadline=None, max_examples=400)
def test_a_secret_does_not_survive_where_the_statement_was_cut_either(data: st.DataObject):
    literals = data.draw(st.sampled_from((_MYSQL_LITERALS, _STANDARD_LITERALS, _POSTGRESQL_LITERALS)))
    values = [data.draw(st.sampled_from(literals))(data.draw(_inner) + SECRET + data.draw(_inner)) for _ in range(5)]
    sql = _TEMPLATES[1].format(*values)
    cut = sql[: data.draw(st.integers(0, len(sql)))]

    assert SECRET not in " ".join(describe_statement(cut, is_cut=True)), cut


@pytest.mark.parametrize(
    "unit",
    ["'", "('a',", "1,", "(%s,%s),", "VALUES (", "VALUES (a),(", "\\'", '"a",', '(FROM "a" ', "/*", "/* */", "/*!1",
     "$a$", "$a", "--a\n", "FROM a ", "WHEN a ? THEN ? ", 'INTO "a" ("b",', "a ", " ", "-1", "a.", "IN (?,", "[?,",
     'SET "a"=1,', "WITH a AS (", "(", ")", "%(", ":", '"a" . ', "`", "``", "E'", "x'", "# '", "_a'"],
)  # fmt: skip
def test_the_time_grows_with_the_length_and_not_its_square(unit: str):
    """Eight times the length may take twenty times as long (noise); a quadratic reading takes sixty-four times."""

    def best_of_three(length: int) -> float:
        sql = (unit * (length // len(unit) + 1))[:length]
        times = []
        for _ in range(3):
            begin = time.process_time()
            describe_statement(sql, is_cut=True)
            times.append(time.process_time() - begin)
        return min(times)

    assert best_of_three(32_000) < 20 * best_of_three(4_000) + 0.01


def test_the_cache_stays_bounded_in_entries_and_in_text():
    names = random.Random(7).sample(range(10**9), 3_000)

    for name in names:
        describe_statement(f"SELECT a{name} FROM t{name} -- {'x' * 2_000}")

    cached = [*sql_text._recent, *sql_text._earlier]
    assert len(cached) <= 1_000
    assert sum(map(len, cached)) <= 2_500_000


def test_a_statement_seen_before_is_not_read_again():
    sql = "SELECT a FROM seen_before WHERE b = 1"

    assert describe_statement(sql) is describe_statement("".join(list(sql)))


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT q'[it's hunter2]' FROM dual", "SELECT ? FROM dual"),
        ("SELECT nq'{it's hunter2}', Q'!a'b!' FROM dual", "SELECT ?, ? FROM dual"),
        ("SELECT * FROM t WHERE q = 'hunter2' AND a = 'b'", "SELECT * FROM t WHERE q = ? AND a = ?"),
        ("SELECT q'x hunter2", "SELECT ?"),
        ("PRAGMA key = hunter2", "PRAGMA key = ?"),
        ('PRAGMA main.rekey="hunter2"', "PRAGMA main.rekey= ?"),
        ("PRAGMA hexkey(hunter2)", "PRAGMA hexkey( ?"),
        ("PRAGMA journal_mode = WAL", "PRAGMA journal_mode = WAL"),
        ("EXEC login @p=hunter2, @q=1", "EXEC login @p= ?"),
        ("SELECT * FROM t WHERE a = `hunter2`", "SELECT * FROM t WHERE a = `hunter2`"),  # a name to MySQL and SQLite
    ],
)
def test_values_that_only_one_dialect_writes_so_are_masked(sql: str, text: str) -> None:
    assert describe_statement(sql).text == text
