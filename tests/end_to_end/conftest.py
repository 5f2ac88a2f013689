"""The example shop, run for real: gunicorn and a payment provider as processes, shoppers, faults, a store of its own."""

import secrets
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from end_to_end.shop_run import (
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


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def shop_databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The environment of a shop with databases of its own, and where the store is, under STORE."""
    if request.param == "sqlite":
        store = f"sqlite:///{tmp_path_factory.mktemp('store') / 'e2edebug.sqlite3'}"
        yield {"E2EDEBUG_DATABASE_URL": store, "STORE": store}
        return
    server = request.getfixturevalue("mariadb_server")
    # The shop makes this database, and no setting names the store: it is found through Django's settings.
    url = server.url(f"shop_{secrets.token_hex(4)}")
    yield {"DATABASE_URL": url, "STORE": url}
    server.drop_database(url)


@pytest.fixture(scope="module")
def recording(shop_databases: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    """Ordinary traffic and one request for each fault, sent to a shop that has ended since: all of it is stored."""
    shop = RunningShop(tmp_path_factory.mktemp("shop"), environment_of_shop(shop_databases))
    shop.prepare("--products", str(PRODUCTS), "--reviews", str(REVIEWS))
    report = Report()
    with shop:
        report.note("health", 200, None, 0.0)  # RunningShop asked whether the shop is up
        answers = send_by_hand(shop, report)
        visits = traffic.run(shop.url, seconds=20, requests=150, shoppers=3, seed=7, products=PRODUCTS)
    assert visits.no_answer == 0, shop.last_words()
    add_up(report, visits)
    store = sa.create_engine(shop_databases["STORE"])
    yield Recording(store.dialect.name, store, report, answers)
    store.dispose()
