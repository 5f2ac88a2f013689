"""A fault that is switched on makes the right alert fire with the right advice; switched off, the alert resolves."""

import json
import shutil
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from end_to_end.shop_run import PATIENCE_S, RunningShop, environment_of_shop
from support.mailbox import open_mailbox
from support.waiting import wait_until

from e2edebug.alerts.threshold_file import differences, read_thresholds, store_thresholds
from e2edebug_schema.queries.alerts import StoredAlert, list_alerts

THRESHOLDS = """
thresholds:
  - {layer: api, component: ProductViewSet, metric: query_count, warning: 15, critical: 500, window: 6s, min_samples: 3}
  - {layer: api, component: ProductViewSet, metric: error_rate, warning: 10, critical: 90, aggregation: mean, window: 6s}
  - {layer: api, metric: response_time, warning: 50000, critical: 90000}
  - {layer: database, metric: response_time, warning: 50000, critical: 90000}
  - {layer: system, metric: cpu_usage, warning: 99998, critical: 99999}
  - {layer: system, metric: memory_usage, warning: 99998, critical: 99999}
  - {layer: cache, metric: hit_rate, warning: -1, critical: -2}
"""


def visit(url: str, stop: threading.Event) -> None:
    """Look at the product list, and at the product that one of the faults spoils, again and again."""
    while not stop.wait(0.1):
        for path in ("/api/products/", "/api/products/4/"):
            try:
                urllib.request.urlopen(url + path, timeout=30).read()
            except urllib.error.HTTPError as error:
                error.close()
            except OSError:
                return


@pytest.mark.parametrize("dialect", ["mariadb"], indirect=True)
def test_faults_fire_with_advice_and_resolve_when_they_are_mended(
    sqlite_shop: Path, store_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    """The evaluator runs within the shop, in one of its two workers."""
    store_thresholds(engine, differences(engine, read_thresholds(THRESHOLDS)), now=datetime.now(UTC))
    folder = tmp_path / "shop"
    folder.mkdir()
    shutil.copy(sqlite_shop, folder)

    def alerts(state: str) -> dict[str, StoredAlert]:
        return {one.metric_name: one for one in list_alerts(engine, states=[state])}

    with open_mailbox() as mailbox:
        environment = environment_of_shop(
            {
                "E2EDEBUG_DATABASE_URL": store_url,
                "E2EDEBUG_METRIC_INTERVAL_S": "2",
                "E2EDEBUG_EVALUATE_IN_BACKGROUND": "1",
                "E2EDEBUG_EVALUATE_EVERY_S": "1",
                "E2EDEBUG_NOTIFY_URLS": mailbox.url,
                "E2EDEBUG_NOTIFY_ALLOWED_NETWORKS": "127.0.0.0/8",
            }
        )
        shop = RunningShop(folder, environment, stop_limit_s=PATIENCE_S)
        stop = threading.Event()
        with shop:
            visitor = threading.Thread(target=visit, args=(shop.url, stop))
            visitor.start()
            try:
                shop.switch_faults("on", "n_plus_one", "serializer_crash")
                wait_until(lambda: len(alerts("firing")) == 2)
                wait_until(lambda: _told(mailbox.bodies, "firing") == {"query_count", "error_rate"})
                firing = alerts("firing")
                shop.switch_faults("off", "all")
                wait_until(lambda: len(alerts("resolved")) == 2)
                wait_until(lambda: _told(mailbox.bodies, "resolved") == {"query_count", "error_rate"})
            finally:
                stop.set()
                visitor.join()

    repeated, failing = firing["query_count"], firing["error_rate"]
    assert "an N+1" in (repeated.recommendation or "")
    assert "serializers.py:" in (repeated.recommendation or "")
    assert "ValueError" in (failing.recommendation or "")
    assert failing.correlation_id is not None
    assert repeated.correlation_id is not None
    assert {one.component for one in firing.values()} == {"ProductViewSet"}


def _told(bodies: list[bytes], kind: str) -> set[str]:
    documents: list[dict[str, Any]] = [json.loads(body) for body in bodies]
    return {one["metric_name"] for document in documents for one in document["alerts"] if one["kind"] == kind}
