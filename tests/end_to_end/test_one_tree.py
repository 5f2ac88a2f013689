"""A checkout touches cache, SQL, another company's service and a task in another process: it is one tree."""

import secrets
from pathlib import Path

import pytest
import sqlalchemy as sa
from end_to_end.one_tree import CHECKOUT, STEPS, assert_one_tree
from end_to_end.shop_run import (
    PATIENCE_S,
    PRODUCTS,
    REVIEWS,
    Recording,
    Report,
    RunningShop,
    buy_by_hand,
    environment_of_shop,
)


def test_under_gunicorn_and_a_prefork_worker(recording: Recording) -> None:
    assert recording.answers["paid"].status == 201

    assert_one_tree(recording.rows(STEPS, id=CHECKOUT))


def test_under_uvicorn_and_a_prefork_worker_on_mariadb(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """On SQLite it is held by test_asgi.py, whose shop runs already."""
    server = request.getfixturevalue("mariadb_server")
    url = server.url(f"shop_{secrets.token_hex(4)}")
    request.addfinalizer(lambda: server.drop_database(url))
    environment = environment_of_shop({"DATABASE_URL": url})
    shop = RunningShop(tmp_path, environment, server="uvicorn", stop_limit_s=PATIENCE_S)
    shop.prepare("--products", str(PRODUCTS), "--reviews", str(REVIEWS))
    with shop:
        paid = buy_by_hand(shop, Report(), CHECKOUT)

    assert paid.status == 201
    store = sa.create_engine(url)
    with store.connect() as connection:
        steps = connection.execute(sa.text(STEPS), {"id": CHECKOUT}).all()
    store.dispose()
    assert_one_tree(steps)
