"""Which databases the example shop takes."""

from pathlib import Path

import pytest
from end_to_end.shop_run import database_from_url


def test_without_a_url_the_shop_keeps_a_sqlite_file(tmp_path: Path) -> None:
    assert database_from_url(None, folder=tmp_path)["NAME"] == tmp_path / "shop.sqlite3"


def test_a_mysql_url_may_hold_any_character_in_its_password(tmp_path: Path) -> None:
    settings = database_from_url("mysql+pymysql://ann:p%40ss%2Fw%20rd@db.example:3307/shop", folder=tmp_path)

    assert (settings["USER"], settings["PASSWORD"], settings["PORT"]) == ("ann", "p@ss/w rd", 3307)


def test_another_database_is_refused_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the shop takes mysql") as refusal:
        database_from_url("postgres://ann:hidden@host/shop", folder=tmp_path)

    assert "hidden" not in str(refusal.value)
