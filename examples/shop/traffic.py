#!/usr/bin/env python
"""Shoppers: a bounded, repeatable stream of visits to the shop, counted.

Every visit is one person with one connection who browses, searches, perhaps logs in, fills a cart, checks out
or writes a review. The last line of the output is a report of what was sent and answered, as JSON with `--json`,
so that it can be compared with what was stored.
"""

import argparse
import http.client
import json
import random
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import quote, urlsplit

PASSWORD = "correct horse"
CUSTOMERS = 200
BESTSELLER = 1
SEARCH_WORDS = ["tent", "down", "rope", "jacket", "lantern", "moss", "fjordal", "kettle", "boot", "filter"]
REQUEST_TIMEOUT_S = 30.0


@dataclass
class Report:
    """What was sent and what came back; safe to fill from many threads."""

    visits: int = 0
    requests: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)
    by_kind_and_status: Counter[str] = field(default_factory=Counter)
    correlation_ids: Counter[str] = field(default_factory=Counter)
    no_answer: int = 0
    slowest_ms: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, status: int, correlation_id: str | None, duration_ms: float) -> None:
        """Count one answered request."""
        with self._lock:
            self.requests += 1
            self.by_kind[kind] += 1
            self.by_status[status] += 1
            self.by_kind_and_status[f"{kind} {status}"] += 1
            if correlation_id:
                self.correlation_ids[correlation_id] += 1
            self.slowest_ms[kind] = max(self.slowest_ms.get(kind, 0.0), round(duration_ms, 1))

    def note_no_answer(self) -> None:
        """Count one request whose connection broke before the answer came."""
        with self._lock:
            self.no_answer += 1

    def note_visit(self) -> None:
        """Count one visit that has begun."""
        with self._lock:
            self.visits += 1

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        with self._lock:
            return {
                "visits": self.visits,
                "requests": self.requests,
                "no_answer": self.no_answer,
                "by_kind": dict(self.by_kind),
                "by_status": {str(status): count for status, count in self.by_status.items()},
                "by_kind_and_status": dict(self.by_kind_and_status),
                "correlation_ids": dict(self.correlation_ids),
                "slowest_ms": dict(self.slowest_ms),
            }


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: Any


class GaveUpError(Exception):
    """The shop answered with a server error, and the shopper has had enough."""


class Shopper:
    """One visitor: a connection, cookies, perhaps a token, and habits given by *dice*."""

    leaves_after_server_error = True

    def __init__(self, base_url: str, dice: random.Random, report: Report, products: int) -> None:
        address = urlsplit(base_url)
        self._connection = http.client.HTTPConnection(
            address.hostname or "127.0.0.1", address.port or 80, timeout=REQUEST_TIMEOUT_S
        )
        self._dice = dice
        self._report = report
        self._products = products
        self._cookies: dict[str, str] = {}
        self._token: str | None = None
        # One client in three is one of our own front ends, and names the workflow of each page.
        self._names_its_workflows = dice.random() < 0.33
        self._correlation_id: str | None = None
        self._new_page()

    def visit(self) -> None:
        """Come, look around, perhaps buy, and go."""
        self._report.note_visit()
        try:
            self.look_around()
            intent = self._dice.random()
            if intent < 0.45:
                if self.log_in():
                    self.buy()
            elif intent < 0.55:
                if self.log_in():
                    self.write_a_review()
            elif intent < 0.65:
                self.fill_the_cart()
        except GaveUpError:
            pass  # the answer is counted, and the visit is over
        except (OSError, http.client.HTTPException):
            self._report.note_no_answer()
        finally:
            self.leave()

    def leave(self) -> None:
        """Close the connection."""
        self._connection.close()

    def look_around(self) -> None:
        """Browse as people do: a list, a search, a few products."""
        self._new_page()
        self.send("latest reviews", "GET", "/api/reviews/latest/")
        page = self._dice.choice(["", "?page=2", "?category=tents", "?category=boots", "?category=lamps"])
        self.send("product list", "GET", f"/api/products/{page}")
        if self._dice.random() < 0.5:
            self._new_page()
            words = quote(self._dice.choice(SEARCH_WORDS))
            self.send("search", "GET", f"/api/products/search/?q={words}")
        for _ in range(self._dice.randrange(1, 3)):
            self._new_page()
            self.send("product", "GET", f"/api/products/{self._some_product()}/")
        if self._dice.random() < 0.04:
            self._new_page()
            self.send("product", "GET", f"/api/products/{self._products + 1000}/")

    def log_in(self) -> bool:
        """Log in and return whether that worked: half use a session, half a token; one in twelve mistypes first."""
        self._new_page()
        who = {"username": f"customer{self._dice.randrange(1, CUSTOMERS + 1)}", "password": PASSWORD}
        with_session = self._dice.random() < 0.5
        kind, path = ("login", "/api/accounts/login/") if with_session else ("token", "/api/accounts/token/")
        if self._dice.random() < 1 / 12:
            self.send(kind, "POST", path, {**who, "password": "correct mouse"})
        answer = self.send(kind, "POST", path, who)
        if answer.status == 200 and not with_session:
            self._token = answer.body["access"]
        return answer.status == 200

    def fill_the_cart(self) -> None:
        """Put one or two products into the cart, now and then the best-selling one."""
        self._new_page()
        for _ in range(self._dice.randrange(1, 3)):
            wanted = {"product": self._some_product(), "quantity": self._dice.randrange(1, 3)}
            self.send("add to cart", "POST", "/api/cart/lines/", wanted)
        self.send("cart", "GET", "/api/cart/")

    def buy(self) -> None:
        """Fill the cart and check out; one card in fifteen is declined."""
        self.fill_the_cart()
        self._new_page()
        card = "tok_0002" if self._dice.random() < 1 / 15 else f"tok_{self._dice.randrange(1000, 9999)}1"
        bought = self.send("checkout", "POST", "/api/checkout/", {"card_token": card})
        if bought.status == 201 and self._dice.random() < 0.5:
            self._new_page()
            self.send("orders", "GET", "/api/orders/")

    def write_a_review(self) -> None:
        """Tell the others about a product; a few people forget to rate it."""
        self._new_page()
        review = {"rating": self._dice.randrange(1, 6), "body": "Bought it twice, that says it all."}
        if self._dice.random() < 0.1:
            del review["rating"]
        self.send("review", "POST", f"/api/products/{self._some_product()}/reviews/", review)

    def send(self, kind: str, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Send one request, count it under *kind*, and return the answer; GaveUpError after a server error."""
        headers = self._headers()
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        started = time.perf_counter()
        self._connection.request(method, path, body=data, headers=headers)
        response = self._connection.getresponse()
        text = response.read()
        self._report.note(kind, response.status, self._correlation_id, (time.perf_counter() - started) * 1000)
        for cookie in response.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        if response.status >= 500 and self.leaves_after_server_error:
            raise GaveUpError
        is_json = response.headers.get_content_type() == "application/json"
        return Answer(response.status, response.headers, json.loads(text) if is_json and text else None)

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": "shop-traffic/1", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        if "csrftoken" in self._cookies:
            headers["X-CSRFToken"] = self._cookies["csrftoken"]
        if self._correlation_id:
            headers["X-Correlation-ID"] = self._correlation_id
        return headers

    def _new_page(self) -> None:
        if self._names_its_workflows:
            # Not from the dice: the next run's pages would join the workflows of this one.
            self._correlation_id = str(uuid.uuid4())

    def _some_product(self) -> int:
        if self._dice.random() < 0.2:
            return BESTSELLER
        # Most people look at few products: the smaller the number, the more visitors.
        return min(self._products, 1 + int(self._dice.paretovariate(0.6) * 3))


def run(
    base_url: str,
    *,
    seconds: float,
    requests: int,
    shoppers: int = 4,
    seed: int = 1,
    products: int = 3000,
    stop: threading.Event | None = None,
    pause_s: float = 0.0,
    on_progress: Callable[[Report], None] | None = None,
) -> Report:
    """Send visits until *seconds* have passed or about *requests* were sent, and return the report.

    The visit that reaches a bound is finished, so a few requests more than *requests* may be sent.
    *pause_s* is waited between the visits of one shopper; *stop* ends everything early.
    """
    report = Report()
    stop = stop or threading.Event()
    deadline = time.monotonic() + seconds

    def keep_visiting(number: int) -> None:
        dice = random.Random(f"{seed}-{number}")
        while not stop.is_set() and time.monotonic() < deadline and report.requests < requests:
            Shopper(base_url, dice, report, products).visit()
            if pause_s:
                stop.wait(pause_s)

    threads = [threading.Thread(target=keep_visiting, args=(number,), daemon=True) for number in range(shoppers)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for thread in threads:
            thread.join(0.2)
        if on_progress is not None:
            on_progress(report)
    return report


def main() -> int:
    """Run the traffic that the command line asks for; exit code 1 when nothing was answered."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--shoppers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--products", type=int, default=3000, help="how many products the shop has")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    arguments = parser.parse_args()
    report = run(
        arguments.url,
        seconds=arguments.seconds,
        requests=arguments.requests,
        shoppers=arguments.shoppers,
        seed=arguments.seed,
        products=arguments.products,
    ).as_json()
    if arguments.json:
        print(json.dumps(report))
    else:
        print(f"{report['requests']} requests in {report['visits']} visits, {report['no_answer']} without an answer")
        for kind_and_status, count in sorted(report["by_kind_and_status"].items()):
            print(f"{count:>7}  {kind_and_status}")
    return 0 if report["requests"] else 1


if __name__ == "__main__":
    sys.exit(main())
