"""The same shop under uvicorn."""

import shutil
from collections import Counter
from pathlib import Path

import sqlalchemy as sa
from end_to_end.one_tree import CHECKOUT, STEPS, assert_one_tree
from end_to_end.shop_run import PATIENCE_S, PRODUCTS, RunningShop, add_up, buy_by_hand, environment_of_shop, traffic


def test_requests_served_over_asgi_are_stored_like_the_others(tmp_path: Path, sqlite_shop: Path) -> None:
    store_url = f"sqlite:///{tmp_path / 'e2edebug.sqlite3'}"
    shutil.copy(sqlite_shop, tmp_path)
    environment = environment_of_shop({"E2EDEBUG_DATABASE_URL": store_url})
    shop = RunningShop(tmp_path, environment, server="uvicorn", stop_limit_s=PATIENCE_S)
    with shop:
        report = traffic.run(shop.url, seconds=10, requests=60, shoppers=3, seed=11, products=PRODUCTS)
        bought = traffic.Report()
        paid = buy_by_hand(shop, bought, CHECKOUT)
    add_up(report, bought)

    store = sa.create_engine(store_url)
    with store.connect() as connection:
        served = connection.execute(
            sa.text("SELECT trace_id, correlation_id FROM debugging_trace_step WHERE kind = 'server'")
        ).all()
        roots = connection.execute(
            sa.text("SELECT trace_id FROM debugging_trace_step WHERE parent_span_id IS NULL")
        ).all()
        queries = connection.execute(
            sa.text(
                "SELECT COUNT(*) FROM debugging_trace_step child LEFT JOIN debugging_trace_step parent "
                "ON parent.trace_id = child.trace_id AND parent.span_id = child.parent_span_id "
                "WHERE child.layer = 'database' AND parent.id IS NULL"
            )
        ).scalar_one()
        checkout = connection.execute(sa.text(STEPS), {"id": CHECKOUT}).all()
    store.dispose()
    stored = Counter(row.correlation_id for row in served)
    assert len(served) == report.requests + 1  # RunningShop asked once whether the shop is up
    assert sorted(row.trace_id for row in served) == sorted(row.trace_id for row in roots)
    assert {name: stored[name] for name in report.correlation_ids} == dict(report.correlation_ids)
    assert queries == 0
    assert paid.status == 201
    assert_one_tree(checkout)
