"""How the demo words what it found."""

import pytest
from end_to_end.shop_run import findings


@pytest.mark.parametrize(
    ("statement", "brief"),
    [
        ('SELECT "shop"."id", "shop"."name" FROM "shop" WHERE "shop"."id" = ?', "SELECT … FROM shop WHERE shop.id = ?"),
        ("SELECT DISTINCT `a`.`id` FROM `a`", "SELECT DISTINCT … FROM a"),
        ("SELECT a.id, (SELECT MAX(b.n) FROM b WHERE b.a = a.id) AS n FROM a", "SELECT … FROM a"),
        ("SELECT GET_LOCK(?, ?)", "SELECT GET_LOCK(?, ?)"),
        ("INSERT INTO a (n) SELECT n FROM b", "INSERT INTO a (n) SELECT n FROM b"),
    ],
)
def test_a_statement_is_shown_without_the_columns_that_it_selects(statement: str, brief: str) -> None:
    assert findings.without_columns(statement) == brief
