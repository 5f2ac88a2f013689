"""What one step is called on one line."""

import pytest
from cli.made_steps import MadeStep, query, request, step

from e2edebug.cli.step_labels import label, location


def named(one: MadeStep, *, whole_statement: bool = False) -> str:
    return "".join(piece.text for piece in label(one, ellipsis="…", whole_statement=whole_statement))


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT `t`.`id`, `t`.`a_rather_long_name`, `t`.`b` FROM `t` WHERE `t`.`id` = ?", "SELECT … FROM t WHERE id = ?"),
        ('SELECT DISTINCT "t"."id", "t"."a_rather_long_name" FROM "t"', "SELECT DISTINCT … FROM t"),
        ("SELECT COUNT(*) AS n FROM t", "SELECT COUNT(*) AS n FROM t"),
        ("SELECT COUNT(a), MAX(b), MIN(c), d FROM t", "SELECT … FROM t"),
        ("SELECT a.x, b.y, a.long_column FROM a INNER JOIN b ON a.id = b.id", "SELECT … FROM a INNER JOIN b ON a.id = b.id"),
        ("SELECT (SELECT x FROM y) FROM z", "SELECT (SELECT x FROM y) FROM z"),
        ("INSERT INTO `t` (`a`)\n VALUES (?)", "INSERT INTO t (a) VALUES (?)"),
        ("SET NAMES ?", "SET NAMES ?"),
    ],
)  # fmt: skip
def test_a_statement_is_shortened_to_what_tells_it_apart(statement: str, shown: str) -> None:
    assert named(query("q", None, statement)) == shown


def test_a_whole_statement_is_left_as_it_is() -> None:
    statement = "SELECT `t`.`id`, `t`.`a_rather_long_name`, `t`.`b` FROM `t`"

    assert named(query("q", None, statement), whole_statement=True) == statement


@pytest.mark.parametrize(
    ("one", "shown"),
    [
        (request("r", method="POST", path="/pay/", code=201, component="PayView", operation="post"), "POST /pay/ 201  PayView.post"),
        (request("r", method="GET", path="/x/", component="", operation="GET /x/"), "GET /x/ 200"),
        (step("r", kind="server", operation="GET /old", component="old", metadata={"attributes": {"http.method": "GET", "http.target": "/old?x=1", "http.status_code": 404}}), "GET /old?x=1 404  old"),
        (step("r", kind="server", component="grpc", operation="Call", metadata={"attributes": "of no use"}), "grpc.Call"),
        (step("s", component="CartService", operation="price"), "CartService.price"),
        (step("s", component="CartService", operation="CartService.price"), "CartService.price"),
        (step("s", component="payments.local", operation="POST /charge"), "payments.local POST /charge"),
        (step("s", component="default", operation="BEGIN"), "default BEGIN"),
        (step("s", component="", operation=""), ""),
    ],
)  # fmt: skip
def test_any_other_step_is_named_by_request_or_by_component_and_operation(one: MadeStep, shown: str) -> None:
    assert named(one) == shown


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("cart/current.py:11 in cart.current.cart_of", "cart/current.py:11 in cart_of"),
        ("shop/views.py:7 in shop.views.View.get", "shop/views.py:7 in View.get"),
        ("shop/views.py:7 in other.get", "shop/views.py:7 in other.get"),
        ("anything else", "anything else"),
        (None, ""),
    ],
)
def test_the_module_of_a_code_location_is_not_said_twice(stored: str | None, shown: str) -> None:
    assert location(step("s", code_location=stored)) == shown


def test_a_statement_of_a_megabyte_costs_no_time() -> None:
    assert len(named(query("q", None, "SELECT " + "a, (b), " * 130_000 + " FROM t"))) < 5_000


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"cache.key": "user:*:cart", "cache.hits": 1, "cache.misses": 0}, "default.get  user:*:cart hit"),
        ({"cache.key": "user:*:cart", "cache.hits": 0, "cache.misses": 1}, "default.get  user:*:cart miss"),
        ({"cache.key": ["a:*", "b"], "cache.hits": 2, "cache.misses": 1}, "default.get  a:*, b 2 of 3 hit"),
        ({"cache.key": "front"}, "default.get  front"),
    ],
)
def test_a_look_up_shows_the_shape_of_its_key_and_what_it_found(metadata: dict[str, object], told: str) -> None:
    assert named(step("s", layer="cache", component="default", operation="get", metadata=metadata)) == told


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"http.request.resend_count": 2}, "bank.example GET /rates  retry 2"),
        ({"messaging.retry_count": 1}, "bank.example GET /rates  retry 1"),
        ({"e2edebug.retry.reason": "Retry in 1s"}, "bank.example GET /rates  tried again: Retry in 1s"),
    ],
)
def test_a_retry_is_told_as_one(metadata: dict[str, object], told: str) -> None:
    one = step("s", layer="external", component="bank.example", operation="GET /rates", metadata=metadata)

    assert named(one) == told
