"""One run of the example shop: what is sent, by whom, and the store in which it ought to be found."""

import os
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

SHOP = Path(__file__).resolve().parents[2] / "examples" / "shop"
sys.path.append(str(SHOP))

import findings  # noqa: E402  # the line above makes it importable
import next_commands  # noqa: E402  # as above
import traffic  # noqa: E402  # as above
from running_shop import RunningShop  # noqa: E402  # as above
from shop.database import database_from_url  # noqa: E402  # as above
from traffic import PASSWORD, Report, Shopper  # noqa: E402  # as above

PRODUCTS = 300
REVIEWS = 4000
PATIENCE_S = 120.0
"""How long a shop may take to end; gunicorn lets its workers have a third of it."""

__all__ = [
    "PATIENCE_S",
    "Recording",
    "Report",
    "RunningShop",
    "Sent",
    "Visitor",
    "database_from_url",
    "findings",
    "next_commands",
    "traffic",
]


@dataclass
class Recording:
    """What was sent to the shop, and the store in which it ought to be found."""

    dialect: str
    store: sa.Engine
    report: Report
    answers: dict[str, "Sent"] = field(default_factory=dict)
    """The requests that a test looks at one by one, by name."""

    def rows(self, sql: str, **values: Any) -> list[sa.Row[Any]]:
        """Return what the query finds."""
        with self.store.connect() as connection:
            return list(connection.execute(sa.text(sql), values))

    def one(self, sql: str, **values: Any) -> Any:
        """Return the only value of the only row that the query finds."""
        ((value,),) = self.rows(sql, **values)
        return value


@dataclass
class Sent:
    """One request of ours and its answer."""

    correlation_id: str
    status: int


class Visitor(Shopper):
    """A shopper without habits, who does what a test says and names each request."""

    leaves_after_server_error = False

    def __init__(self, url: str, report: Report) -> None:
        super().__init__(url, random.Random(1), report, PRODUCTS)

    def ask(self, correlation_id: str | None, method: str, path: str, body: dict[str, Any] | None = None) -> Sent:
        """Send one request; the answer's X-Correlation-ID is in the result."""
        self._correlation_id = correlation_id
        answer = self.send("by hand", method, path, body)
        return Sent(answer.headers["X-Correlation-ID"], answer.status)

    def log_in_as(self, username: str) -> None:
        """Log in with a session."""
        self._correlation_id = None
        self.send("by hand", "POST", "/api/accounts/login/", {"username": username, "password": PASSWORD})


def environment_of_shop(databases: dict[str, str]) -> dict[str, str]:
    """Return the shop's environment, in which nothing of the machine's own e2edebug settings is left."""
    ours = {name: "" for name in os.environ if name.startswith(("E2EDEBUG_", "OTEL_", "DATABASE_URL"))}
    # What the last second recorded is written at the exit: on a busy machine two seconds may be too short for that.
    return {**ours, **databases, "PAYMENT_TIMEOUT_S": "0.5", "E2EDEBUG_EXIT_TIMEOUT_S": "30"}


def send_by_hand(shop: RunningShop, report: Report) -> dict[str, Sent]:
    """Send one request for each thing that a test looks at."""
    visitor = Visitor(shop.url, report)
    answers = {
        "healthy list": visitor.ask("e2e-healthy-list", "GET", "/api/products/"),
        "unnamed": visitor.ask(None, "GET", "/api/categories/"),
        "hostile id": visitor.ask("one two; three", "GET", "/api/categories/"),
        "missing": visitor.ask("e2e-missing", "GET", "/api/products/999999/"),
    }
    shop.switch_faults("on", "n_plus_one", "serializer_crash", "payment_timeout")
    answers["n+1"] = visitor.ask("e2e-n-plus-one", "GET", "/api/products/")
    answers["crash"] = visitor.ask("e2e-crash-1", "GET", "/api/products/4/")
    answers["same crash"] = visitor.ask("e2e-crash-2", "GET", "/api/products/4/")
    visitor.log_in_as("customer3")
    visitor.ask(None, "POST", "/api/cart/lines/", {"product": 5, "quantity": 1})
    answers["timeout"] = visitor.ask("e2e-timeout", "POST", "/api/checkout/", {"card_token": "tok_4242"})
    shop.switch_faults("off", "payment_timeout")
    shop.switch_faults("on", "cold_cache", "mail_failure")
    answers["cold"] = visitor.ask("e2e-cold", "GET", "/api/cart/")
    visitor.ask("e2e-cold", "GET", "/api/cart/")
    visitor.ask(None, "POST", "/api/cart/lines/", {"product": 2, "quantity": 1})
    answers["no mail"] = visitor.ask("e2e-no-mail", "POST", "/api/checkout/", {"card_token": "tok_4242"})
    wait_for_the_tasks(shop)
    shop.switch_faults("off", "cold_cache", "mail_failure")
    visitor.ask(None, "POST", "/api/cart/lines/", {"product": 1, "quantity": 1})
    answers["paid"] = visitor.ask("e2e-paid", "POST", "/api/checkout/", {"card_token": "tok_4242"})
    visitor.ask(None, "POST", "/api/cart/lines/", {"product": 1, "quantity": 1})
    shop.switch_faults("on", "lock_wait")
    answers["locked"] = visitor.ask("e2e-locked", "POST", "/api/checkout/", {"card_token": "tok_4242"})
    shop.switch_faults("off", "all")
    visitor.leave()
    del report.correlation_ids["one two; three"]  # sent, and not to be found
    return answers


def buy_by_hand(shop: RunningShop, report: Report, correlation_id: str) -> Sent:
    """Log in, put something into the cart and check out, the last as the workflow *correlation_id*."""
    visitor = Visitor(shop.url, report)
    visitor.log_in_as("customer3")
    visitor.ask(None, "POST", "/api/cart/lines/", {"product": 5, "quantity": 1})
    paid = visitor.ask(correlation_id, "POST", "/api/checkout/", {"card_token": "tok_4242"})
    visitor.leave()
    return paid


def wait_for_the_tasks(shop: RunningShop) -> None:
    """Return when every task has been taken and the mail server has refused it twice, as the worker's log says."""
    deadline = time.monotonic() + 60
    while "MailServerError" not in (shop.work_folder / "worker.log").read_text(errors="replace"):
        assert time.monotonic() < deadline, (shop.work_folder / "worker.log").read_text(errors="replace")
        time.sleep(0.1)


def add_up(report: Report, more: Report) -> None:
    """Add what *more* counted to *report*."""
    report.requests += more.requests
    for name in ("by_kind", "by_status", "by_kind_and_status", "correlation_ids"):
        getattr(report, name).update(getattr(more, name))
