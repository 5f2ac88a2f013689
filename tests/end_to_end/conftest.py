"""The example shop, run for real: gunicorn and a payment provider as processes, shoppers, faults, a store of its own."""

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from end_to_end.shop_run import (
    PATIENCE_S,
    PRODUCTS,
    REVIEWS,
    Recording,
    Report,
    RunningShop,
    add_up,
    environment_of_shop,
    send_by_hand,
    traffic,
)

pytest.register_assert_rewrite("end_to_end.one_tree")


@pytest.fixture(scope="session")
def sqlite_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop on SQLite, ready to be copied: `shop.sqlite3` in a work folder is the shop that runs there."""
    folder = tmp_path_factory.mktemp("prepared")
    RunningShop(folder, environment_of_shop({})).prepare("--products", str(PRODUCTS), "--reviews", str(REVIEWS))
    return folder / "shop.sqlite3"


@pytest.fixture(scope="session", params=["sqlite", "mariadb"])
def prepared_shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningShop, str]]:
    """A shop with goods that has not been started, and the URL of the store that it will use."""
    folder = tmp_path_factory.mktemp("shop")
    if request.param == "sqlite":
        store_url = f"sqlite:///{folder / 'e2edebug.sqlite3'}"
        shutil.copy(request.getfixturevalue("sqlite_shop"), folder)
        environment = environment_of_shop({"E2EDEBUG_DATABASE_URL": store_url})
        yield RunningShop(folder, environment, stop_limit_s=PATIENCE_S), store_url
        return
    server = request.getfixturevalue("mariadb_server")
    # The shop makes this database, and no setting names the store: it is found through Django's settings.
    url = server.url(f"shop_{secrets.token_hex(4)}")
    shop = RunningShop(folder, environment_of_shop({"DATABASE_URL": url}), stop_limit_s=PATIENCE_S)
    shop.prepare("--products", str(PRODUCTS), "--reviews", str(REVIEWS))
    yield shop, url
    server.drop_database(url)


@pytest.fixture(scope="session")
def recording(prepared_shop: tuple[RunningShop, str]) -> Iterator[Recording]:
    """Ordinary traffic and one request for each fault, sent to a shop that has ended since: all of it is stored."""
    shop, store_url = prepared_shop
    report = Report()
    with shop:
        report.note("health", 200, None, 0.0)  # RunningShop asked whether the shop is up
        answers = send_by_hand(shop, report)
        visits = traffic.run(shop.url, seconds=20, requests=150, shoppers=3, seed=7, products=PRODUCTS)
    assert visits.no_answer == 0, shop.last_words()
    add_up(report, visits)
    store = sa.create_engine(store_url)
    yield Recording(store.dialect.name, store, report, answers)
    store.dispose()
