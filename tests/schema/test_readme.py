"""schema/README.md: every column is explained, every recipe runs as it stands there and answers its question."""

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.histogram import Histogram
from e2edebug_schema.tables import (
    error_group,
    error_log,
    metadata,
    performance_snapshot,
    trace_step,
    workflow_session,
)

README = (Path(__file__).parents[2] / "schema" / "README.md").read_text()
ONE = "0af76519-16cd-43dd-8448-eb211c80319c"
TRACE = ONE.replace("-", "")
YESTERDAY = "UTC_TIMESTAMP() - INTERVAL 1 DAY"
SQLITE_YESTERDAY = "datetime('now', '-1 day')"

# On the hour, so that the hours of the stored windows do not depend on when the test runs.
HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)


class Recipe(NamedTuple):
    number: int
    title: str
    runs_on_sqlite: bool
    sql: str


RECIPES = [
    Recipe(int(number), title, "*Also SQLite.*" in before, sql)
    for number, title, before, sql in re.findall(
        r"^### (\d+)\. (.+?)\n(.*?)^```sql\n(.*?)^```$", README, re.MULTILINE | re.DOTALL
    )
]

SQLITE_RECIPES = {
    int(number): sql.strip().removesuffix(";")
    for number, sql in re.findall(
        r"^### (\d+)\. (?:(?!^### ).)*?^The same for `sqlite3`:\n\n```sql\n(.*?)^```$", README, re.MULTILINE | re.DOTALL
    )
}
"""Recipes that SQLite needs in words of its own, by number."""

servers_only = pytest.mark.parametrize("dialect", ["mariadb"], indirect=True)
"""For the recipes that the README does not mark as running on SQLite."""


def step(
    milliseconds: float, duration_ms: float, span_id: int, parent: int | None = None, **values: Any
) -> dict[str, Any]:
    start = HOUR + timedelta(milliseconds=milliseconds)
    return {
        "correlation_id": ONE, "trace_id": TRACE, "span_id": f"{span_id:016x}",
        "parent_span_id": None if parent is None else f"{parent:016x}", "layer": "database", "component": "cart_line",
        "operation": "SELECT", "kind": "client", "service": "shop", "start_time": start,
        "end_time": start + timedelta(milliseconds=duration_ms), "duration_ms": duration_ms, "status": "completed",
        "status_message": "", "statement": None, "statement_digest": None, "code_location": None, "metadata": "{}",
    } | values  # fmt: skip


def session(correlation_id: str, **values: Any) -> dict[str, Any]:
    return {
        "correlation_id": correlation_id, "workflow_type": "checkout", "user_id": "7", "user_label": "ann",
        "root_operation": "POST /api/checkout/", "start_time": HOUR, "end_time": HOUR + timedelta(milliseconds=500),
        "duration_ms": 500.0, "status": "completed", "repeat_count": 0, "repeat_digest": None, "repeat_statement": None,
        "error_count": 0, "slowest_step": "payments.example POST /pay",
    } | values  # fmt: skip


def error(number: int, **values: Any) -> dict[str, Any]:
    return {
        "event_key": f"{number:032x}", "correlation_id": ONE, "timestamp": HOUR, "layer": "external",
        "component": "payments.example", "error_type": "PaymentTimeout", "error_message": "no answer",
        "stack_trace": "", "fingerprint": "a" * 32, "service_release": "1.5.0", "metadata": "{}",
    } | values  # fmt: skip


def window(hour: int, instance: str, values: list[float]) -> dict[str, Any]:
    histogram = Histogram.of(values)
    return {
        "event_key": f"{hour}{instance}".ljust(32, "0"), "timestamp": HOUR + timedelta(hours=hour), "interval_s": 60,
        "service": "shop", "service_instance": instance, "layer": "api", "component": "CheckoutView",
        "metric_name": "response_time", "metric_kind": "histogram", "unit": "ms", "count": len(values),
        "buckets": histogram.encode(), "metadata": "{}",
    }  # fmt: skip


REVIEW = {"component": "review", "statement": "SELECT ? FROM review", "statement_digest": "1" * 32,
          "code_location": "shop/serializers.py:18"}  # fmt: skip


@pytest.fixture
def shop(engine: sa.Engine) -> sa.Engine:
    """One failed checkout in full, and just enough around it for each question to have more than one answer."""
    rows: dict[sa.Table, list[dict[str, Any]]] = {
        workflow_session: [
            session(ONE, status="failed", error_count=1, repeat_count=12, repeat_digest="1" * 32,
                    repeat_statement="SELECT ? FROM review"),
            session("other", workflow_type="login", start_time=HOUR + timedelta(minutes=1), user_id="8"),
            session("of-last-week", status="failed", start_time=HOUR - timedelta(days=7), repeat_count=99,
                    repeat_digest="2" * 32, repeat_statement="SELECT old"),
        ],
        trace_step: [
            step(0, 500, 1, layer="api", component="CheckoutView", operation="create", kind="server", status="failed"),
            step(10, 2, 2, 1, **REVIEW),
            step(20, 4, 3, 1, **REVIEW),
            step(30, 450, 4, 1, layer="external", component="payments.example", operation="POST /pay", status="failed"),
            step(35, 1, 5, 4, layer="cache", component="default", operation="get"),
            step(5, 3, 6, 99, operation="BEGIN"),
            step(0, 40, 7, correlation_id="other", trace_id="f" * 32, layer="api", component="LoginView",
                 operation="create", kind="server"),
            step(-7 * 86_400_000, 9000, 8, correlation_id="of-last-week", trace_id="e" * 32, layer="api",
                 component="OldView", kind="server"),
        ],
        error_log: [error(1), error(2), error(3, service_release="1.4.0"), error(4, fingerprint="b" * 32)],
        error_group: [
            {"fingerprint": "a" * 32, "title": "PaymentTimeout: no answer", "layer": "external", "first_seen": HOUR,
             "last_seen": HOUR, "first_release": "1.4.0", "status": "unresolved"},
        ],
        performance_snapshot: [
            window(0, "one", [10.0] * 95), window(0, "two", [300.0] * 5), window(1, "one", [50.0] * 10),
        ],
    }  # fmt: skip
    with engine.begin() as connection:
        for table, values in rows.items():
            for value in values:
                connection.execute(table.insert(), value)
    return engine


def answer(engine: sa.Engine, number: int) -> list[dict[str, Any]]:
    """Run the recipe as it stands in the README, with the one substitution for SQLite that it names."""
    recipe = RECIPES[number - 1]
    sql = recipe.sql.strip().removesuffix(";")
    if engine.dialect.name == "sqlite":
        assert recipe.runs_on_sqlite or number in SQLITE_RECIPES
        sql = SQLITE_RECIPES.get(number, sql).replace(YESTERDAY, SQLITE_YESTERDAY)
    with engine.connect() as connection:
        # Raw, because a driver that formats parameters would read the percent signs of DATE_FORMAT.
        result = connection.execution_options(no_parameters=True).exec_driver_sql(sql)
        return [dict(row) for row in result.mappings()]


def test_there_are_twelve_recipes_numbered_in_order() -> None:
    assert [recipe.number for recipe in RECIPES] == list(range(1, 13))
    assert sum(recipe.runs_on_sqlite for recipe in RECIPES) == 9


@servers_only
def test_1_the_steps_of_a_request_are_an_indented_tree(shop: sa.Engine) -> None:
    rows = answer(shop, 1)

    assert [(row["step"], row["layer"], row["ms"], row["status"]) for row in rows] == [
        ("CheckoutView create", "api", 500.0, "failed"),
        ("  review SELECT", "database", 2.0, "completed"),
        ("  review SELECT", "database", 4.0, "completed"),
        ("  payments.example POST /pay", "external", 450.0, "failed"),
        ("    default get", "cache", 1.0, "completed"),
        ("cart_line BEGIN", "database", 3.0, "completed"),
    ]
    assert rows[1]["statement"] == "SELECT ? FROM review"


def test_1_the_errors_of_a_request_are_there_with_their_stacks(shop: sa.Engine) -> None:
    [sql] = re.findall(r"^And what broke in it.*?^```sql\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    stack = 'Traceback (most recent call last):\n  File "shop/pay.py", line 7, in pay\n'
    with shop.begin() as connection:
        connection.execute(
            error_log.insert(),
            error(9, trace_id=TRACE, span_id=f"{4:016x}", timestamp=HOUR + timedelta(seconds=1), stack_trace=stack),
        )

    with shop.connect() as connection:
        rows = connection.exec_driver_sql(sql.strip().removesuffix(";")).mappings().all()

    assert [row["operation"] for row in rows] == [None] * 4 + ["POST /pay"]
    assert rows[-1]["stack_trace"] == stack


def test_2_failed_workflows_of_the_last_day(shop: sa.Engine) -> None:
    [row] = answer(shop, 2)

    assert (row["correlation_id"], row["user_label"], row["ms"], row["error_count"]) == (ONE, "ann", 500, 1)


def test_3_slow_endpoints_of_the_last_day(shop: sa.Engine) -> None:
    rows = answer(shop, 3)

    assert [(row["component"], row["requests"], row["mean_ms"], row["worst_ms"], row["failed"]) for row in rows] == [
        ("CheckoutView", 1, 500.0, 500.0, 1), ("LoginView", 1, 40.0, 40.0, 0),
    ]  # fmt: skip


def test_4_statements_repeated_within_one_request(shop: sa.Engine) -> None:
    [row] = answer(shop, 4)

    assert row == {
        "most_repeats": 12, "workflows": 1, "workflow_type": "checkout", "repeat_statement": "SELECT ? FROM review",
        "for_example": ONE,
    }  # fmt: skip


def test_5_the_line_of_code_behind_a_repetition(shop: sa.Engine) -> None:
    first, second = answer(shop, 5)

    assert first == {
        "times": 2, "total_ms": 6.0, "code_location": "shop/serializers.py:18", "statement": "SELECT ? FROM review",
    }  # fmt: skip
    assert second["times"] == 1


def test_6_the_costliest_statements(shop: sa.Engine) -> None:
    [row] = answer(shop, 6)

    assert row == {
        "total_ms": 6, "times": 2, "mean_ms": 3.0, "worst_ms": 4.0, "main_table": "review",
        "statement": "SELECT ? FROM review",
    }  # fmt: skip


def test_7_the_errors_of_a_release(shop: sa.Engine) -> None:
    rows = answer(shop, 7)

    assert [(row["times"], row["title"], row["status"], row["is_new"], row["for_example"]) for row in rows] == [
        (2, "PaymentTimeout: no answer", "unresolved", 0, ONE), (1, None, None, None, ONE),
    ]  # fmt: skip


def test_8_the_p95_by_hour_is_of_all_processes_together(shop: sa.Engine) -> None:
    """95 fast requests and 5 slow ones: the p95 is the fast one, whatever process had which."""
    rows = answer(shop, 8)

    hours = [f"{HOUR + timedelta(hours=hour):%Y-%m-%d %H:00}" for hour in (0, 1)]
    assert [(row["hour_utc"], row["component"], int(row["requests"])) for row in rows] == [
        (hours[0], "CheckoutView", 100), (hours[1], "CheckoutView", 10),
    ]  # fmt: skip
    assert [row["p95_ms"] for row in rows] == [pytest.approx(10.0, rel=0.095), pytest.approx(50.0, rel=0.095)]
    assert [row["p95_ms"] >= value for row, value in zip(rows, (10.0, 50.0), strict=True)] == [True, True]


@pytest.mark.parametrize(
    "values",
    [
        [0.5] * 19 + [0.61], [0.04] * 18 + [0.9, 700.0], [0.0] * 97 + [3.0] * 3, [0.0] * 5 + [0.003] * 95,
        [n / 10 for n in range(200)],
    ],
    ids=["below 1 ms", "mostly below 1 ms", "mostly zero", "microseconds", "from zero to 20 ms"],
)  # fmt: skip
def test_8_counts_every_value_however_short(engine: sa.Engine, values: list[float]) -> None:
    with engine.begin() as connection:
        connection.execute(performance_snapshot.insert(), window(0, "one", values))

    [row] = answer(engine, 8)

    expected = Histogram(counts=Histogram.of(values).counts, zero_count=values.count(0.0)).percentile(95)
    assert expected is not None
    assert int(row["requests"]) == len(values)
    assert expected - 0.0005 <= row["p95_ms"] <= expected * 2 ** (1 / 8) + 0.0005


def test_9_the_last_workflows_of_a_user(shop: sa.Engine) -> None:
    rows = answer(shop, 9)

    assert [(row["correlation_id"], row["status"]) for row in rows] == [(ONE, "failed"), ("of-last-week", "failed")]


def test_10_the_layer_where_the_time_goes(shop: sa.Engine) -> None:
    rows = answer(shop, 10)

    assert [(row["workflow_type"], row["layer"], row["workflows"], row["ms_per_workflow"]) for row in rows] == [
        ("checkout", "external", 1, 450.0), ("checkout", "database", 1, 9.0), ("checkout", "cache", 1, 1.0),
    ]  # fmt: skip


def test_11_other_services_that_keep_us_waiting(shop: sa.Engine) -> None:
    [row] = answer(shop, 11)

    assert row == {
        "host": "payments.example", "operation": "POST /pay", "calls": 1, "failed": 1, "mean_ms": 450, "worst_ms": 450,
    }  # fmt: skip


@servers_only
def test_12_the_size_of_the_store_by_day(shop: sa.Engine) -> None:
    rows = answer(shop, 12)

    assert {row["table"] for row in rows} == {*metadata.tables, "debugging_schema_version"}
    days = [row["day"] for row in rows if row["table"] == trace_step.name]
    # A fortnight ahead, today, and what comes after; a test before may have left this database days further back.
    assert len(days) >= 16
    assert {"pmax", f"p{datetime.now(UTC):%Y%m%d}"} <= set(days)


def test_every_recipe_can_be_pasted_into_the_servers_own_client(mariadb_server: Any) -> None:
    from e2edebug_schema.migrate import migrate

    url = mariadb_server.create_database()
    engine = create_store_engine(url)
    migrate(engine)
    engine.dispose()
    client = shutil.which("mariadb") or shutil.which("mysql")
    assert client is not None, "neither `mariadb` nor `mysql` is on the PATH; Debian: apt install mariadb-client"
    parsed = sa.make_url(url)

    done = subprocess.run(
        [client, "--no-defaults", "--table", f"-h{parsed.host}", f"-P{parsed.port}", f"-u{parsed.username}",
         f"-p{parsed.password}", str(parsed.database)],
        input="".join(recipe.sql for recipe in RECIPES), text=True, capture_output=True,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert "debugging_workflow_session" in done.stdout
    mariadb_server.drop_database(url)


def test_every_column_of_every_table_is_explained_in_order() -> None:
    explained = {
        table: re.findall(r"^\| `(\w+)` \| (?=\S)", section, re.MULTILINE)
        for table, section in re.findall(r"^### (debugging_\w+)\n(.*?)(?=^##|\Z)", README, re.MULTILINE | re.DOTALL)
    }

    assert explained == {name: [column.name for column in table.columns] for name, table in metadata.tables.items()}


def test_the_diagram_shows_tables_and_columns_that_exist() -> None:
    diagram = README.split("```mermaid\n")[1].split("```")[0]
    shown = dict(re.findall(r"^    (debugging_\w+) \{\n(.*?)^    \}", diagram, re.MULTILINE | re.DOTALL))

    assert set(shown) == set(metadata.tables)
    for table, body in shown.items():
        for kind, column in re.findall(r"^ +(\w+) (\w+)", body, re.MULTILINE):
            found = metadata.tables[table].columns[column].type.compile(sa.dialects.mysql.dialect()).lower()
            assert found.replace("integer", "int").startswith(kind), f"{table}.{column}"
