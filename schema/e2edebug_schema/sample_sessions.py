"""Invented traffic of a shop, as rows: sessions that look like the ones which real shoppers leave.

For measuring queries on a full store (loader.py). The same seed gives the same rows.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from e2edebug.policy.error_class.evidence import Evidence
from e2edebug.policy.error_class.registry import class_of
from e2edebug.policy.sql_text import Statement, describe_statement
from e2edebug_schema.tables import STATUS_RANKS

SERVICE: Final = "shop"
RELEASES: Final = ("1.4.0", "1.5.0")
USERS: Final = 5000

Row = tuple[Any, ...]

STEP_FIELDS: Final = (
    "correlation_id", "trace_id", "span_id", "parent_span_id", "layer", "component", "operation", "kind", "service",
    "start_time", "end_time", "duration_ms", "status", "status_message", "statement", "statement_digest",
    "code_location", "metadata",
)  # fmt: skip
ERROR_FIELDS: Final = (
    "event_key", "correlation_id", "trace_id", "span_id", "timestamp", "layer", "component", "severity", "error_type",
    "error_message", "stack_trace", "fingerprint", "user_id", "request_path", "request_method", "service",
    "service_release", "metadata", "error_class",
)  # fmt: skip
SESSION_FIELDS: Final = (
    "correlation_id", "workflow_type", "user_id", "user_label", "trace_id", "root_operation", "service",
    "service_release", "start_time", "end_time", "duration_ms", "status", "status_rank", "step_count", "query_count",
    "error_count", "repeat_count", "repeat_digest", "repeat_statement", "slowest_step", "slowest_ms", "metadata",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SampleSession:
    """One workflow with all its rows, each in the order of the field names above."""

    start_us: int
    """Microseconds since 1970."""
    session: Row
    steps: list[Row]
    errors: list[Row]


def sample_sessions(count: int, *, first: datetime, last: datetime, seed: int | None = None) -> Iterator[SampleSession]:
    """Yield *count* sessions in the order of their starts, spread evenly over the time from *first* to *last*."""
    source = random.Random(seed)  # noqa: S311  # invented data, not secrets
    first_us, last_us = _microseconds(first), _microseconds(last)
    for number in range(count):
        start_us = first_us + (last_us - first_us) * number // max(1, count)
        scenario = source.choices(_SCENARIOS, _SHARES)[0]
        yield scenario(_Request(source, start_us))


class _Request:
    """One request while it is being made up: a clock, and the steps so far. Every step is a child of the request."""

    def __init__(self, source: random.Random, start_us: int) -> None:
        self.random = source
        self.trace_id = f"{source.getrandbits(128):032x}"
        self.root_id = f"{source.getrandbits(64):016x}"
        self.correlation_id = "-".join(
            self.trace_id[begin:end] for begin, end in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
        )
        self.start_us = self.now_us = start_us
        self.release = source.choice(RELEASES)
        self.user = source.randrange(1, USERS)
        self.steps: list[Row] = []
        self.errors: list[Row] = []
        self.repeats: Counter[Statement] = Counter()
        self.slowest: tuple[float, str] | None = None
        self.failure = ""

    def work(self, milliseconds: float) -> None:
        """Let Python compute for about so long."""
        self.now_us += self._around(milliseconds)

    def query(self, statement: Statement, milliseconds: float, *, line: str, fails: str = "") -> None:
        """Run a statement of about so many milliseconds; *fails* is the driver's complaint."""
        self.repeats[statement] += 1
        self._step(
            "database", statement.table, statement.operation, "client", milliseconds, fails,
            statement.text, statement.digest, line, _DATABASE_METADATA,
        )  # fmt: skip

    def call(self, layer: str, component: str, operation: str, milliseconds: float, *, fails: str = "") -> None:
        """Call a cache or another service."""
        metadata = _CACHE_METADATA if layer == "cache" else _CALL_METADATA
        self._step(layer, component, operation, "client", milliseconds, fails, None, None, None, metadata)

    def raise_error(self, error_type: str, message: str, *, layer: str, component: str, path: str) -> None:
        """Fail the request with an exception that its last step saw first."""
        self.failure = f"{error_type}: {message}"
        self.errors.append((
            f"{self.random.getrandbits(128):032x}", self.correlation_id, self.trace_id, self.steps[-1][2],
            _time_text(self.now_us), layer, component, "error", error_type, message,
            f"Traceback (most recent call last):\n  File \"shop/{layer}.py\", line 40, in {component}\n"
            f"{error_type}: {message}\n",
            _fingerprint(error_type, component), str(self.user), path, "POST", SERVICE, self.release, "{}",
            class_of(Evidence(error_type, message)),
        ))  # fmt: skip

    def finish(self, workflow_type: str, view: str, action: str, route: str) -> SampleSession:
        """End the request and return all its rows."""
        self.work(0.4)
        status = "failed" if self.failure else "completed"
        duration_ms = (self.now_us - self.start_us) / 1000
        start, end = _time_text(self.start_us), _time_text(self.now_us)
        root = (
            self.correlation_id, self.trace_id, self.root_id, None, "api", view, action, "server", SERVICE, start, end,
            duration_ms, status, self.failure, None, None, None, _request_metadata(route, failed=bool(self.failure)),
        )  # fmt: skip
        repeated, repeats = self.repeats.most_common(1)[0] if self.repeats else (None, 0)
        slowest_ms, slowest_step = self.slowest or (None, None)
        session = (
            self.correlation_id, workflow_type, str(self.user), f"shopper{self.user}", self.trace_id, route, SERVICE,
            self.release, start, end, duration_ms, status, STATUS_RANKS[status], len(self.steps) + 1,
            sum(self.repeats.values()), len(self.errors), repeats, repeated.digest if repeated else None,
            repeated.text[:255] if repeated else None, slowest_step, slowest_ms, None,
        )  # fmt: skip
        return SampleSession(self.start_us, session, [root, *self.steps], self.errors)

    def _step(
        self,
        layer: str,
        component: str,
        operation: str,
        kind: str,
        milliseconds: float,
        fails: str,
        statement: str | None,
        digest: str | None,
        line: str | None,
        metadata: str,
    ) -> None:
        begin_us = self.now_us
        self.now_us += self._around(milliseconds)
        duration_ms = (self.now_us - begin_us) / 1000
        if self.slowest is None or duration_ms > self.slowest[0]:
            self.slowest = (duration_ms, f"{component} {operation}")
        self.steps.append((
            self.correlation_id, self.trace_id, f"{self.random.getrandbits(64):016x}", self.root_id, layer, component,
            operation, kind, SERVICE, _time_text(begin_us), _time_text(self.now_us), duration_ms,
            "failed" if fails else "completed", fails, statement, digest, line, metadata,
        ))  # fmt: skip

    def _around(self, milliseconds: float) -> int:
        """Microseconds with the long tail that durations have."""
        return 1 + int(self.random.lognormvariate(0.0, 0.5) * milliseconds * 1000)


def _authenticate(request: _Request) -> None:
    request.query(
        _SESSION, 0.5, line="accounts/middleware.py:12 in accounts.middleware.SessionMiddleware.process_request"
    )
    request.query(
        _USER_BY_ID, 0.5, line="accounts/middleware.py:14 in accounts.middleware.UserMiddleware.process_request"
    )


def _browse(request: _Request) -> SampleSession:
    _authenticate(request)
    request.call("cache", "default", "get", 0.2)
    request.query(_COUNT_PRODUCTS, 1.2, line="catalogue/views.py:31 in catalogue.views.ProductViewSet.list")
    request.query(_LIST_PRODUCTS, 2.5, line="catalogue/views.py:31 in catalogue.views.ProductViewSet.list")
    if request.random.random() < 0.1:
        for _ in range(request.random.randrange(10, 40)):
            request.query(
                _REVIEWS_OF_PRODUCT,
                0.6,
                line="catalogue/serializers.py:18 in catalogue.serializers.ProductSerializer.get_reviews",
            )
    request.work(3.0)
    return request.finish("browse", "ProductViewSet", "list", "GET /api/products/")


def _login(request: _Request) -> SampleSession:
    request.query(_USER_BY_NAME, 0.8, line="accounts/views.py:22 in accounts.views.SessionLoginView.create")
    request.work(90.0)
    if request.random.random() < 0.01:
        request.query(
            _TOUCH_LOGIN,
            5000.0,
            line="accounts/views.py:29 in accounts.views.SessionLoginView.create",
            fails="1205 Lock wait timeout exceeded",
        )
        request.raise_error(
            "django.db.utils.OperationalError", "(1205, 'Lock wait timeout exceeded; try restarting transaction')",
            layer="database", component="auth_user", path="/api/login/",
        )  # fmt: skip
    else:
        request.query(_TOUCH_LOGIN, 1.5, line="accounts/views.py:29 in accounts.views.SessionLoginView.create")
        request.query(_NEW_SESSION, 1.0, line="accounts/views.py:31 in accounts.views.SessionLoginView.create")
    return request.finish("login", "SessionLoginView", "create", "POST /api/login/")


def _checkout(request: _Request) -> SampleSession:
    _authenticate(request)
    request.query(_CART, 0.9, line="orders/checkout.py:18 in orders.checkout.cart_of")
    lines = request.random.randrange(1, 5)
    if request.random.random() < 0.2:
        lines = request.random.randrange(15, 40)
    for _ in range(lines):
        request.query(_STOCK_OF_PRODUCT, 0.7, line="orders/checkout.py:27 in orders.checkout.reserve")
    if request.random.random() < 0.03:
        request.call("external", "payments.example", "POST /pay", 3000.0, fails="timed out")
        request.raise_error(
            "shop.orders.PaymentTimeout", "the payment provider did not answer within 3 s", layer="external",
            component="payments.example", path="/api/checkout/",
        )  # fmt: skip
    else:
        request.call("external", "payments.example", "POST /pay", 120.0)
        request.query(_NEW_ORDER, 1.1, line="orders/checkout.py:41 in orders.checkout.open_order")
        request.query(_NEW_LINES, 1.6, line="orders/checkout.py:44 in orders.checkout.open_order")
        request.query(_TAKE_STOCK, 1.3, line="orders/checkout.py:47 in orders.checkout.take_stock")
    return request.finish("checkout", "CheckoutView", "create", "POST /api/checkout/")


_SCENARIOS: Final[tuple[Callable[[_Request], SampleSession], ...]] = (_browse, _login, _checkout)
_SHARES: Final = (6, 1, 3)


def _columns(table: str, names: str) -> str:
    """As Django writes them out: every column with its table."""
    return ", ".join(f"`{table}`.`{name}`" for name in names.split())


def _select(table: str, names: str, condition: str) -> Statement:
    return describe_statement(f"SELECT {_columns(table, names)} FROM `{table}` WHERE {condition}")  # noqa: S608 # never executed


_USER_COLUMNS: Final = (
    "id password last_login is_superuser username first_name last_name email is_staff is_active date_joined"
)
_PRODUCT_COLUMNS: Final = "id category_id sku name description price stock dimensions added_at"

_COUNT_PRODUCTS: Final = describe_statement(
    "SELECT COUNT(*) AS `__count` FROM `catalogue_product` WHERE `catalogue_product`.`active` = 1"
)
_LIST_PRODUCTS: Final = _select(
    "catalogue_product", _PRODUCT_COLUMNS,
    "`catalogue_product`.`active` = 1 ORDER BY `catalogue_product`.`added_at` DESC LIMIT 20",
)  # fmt: skip
_REVIEWS_OF_PRODUCT: Final = _select(
    "catalogue_review", "id product_id customer_id rating body created_at",
    "`catalogue_review`.`product_id` = 7 ORDER BY `catalogue_review`.`created_at` DESC",
)  # fmt: skip
_SESSION: Final = _select(
    "django_session", "session_key session_data expire_date",
    "(`django_session`.`expire_date` > '2026-01-01' AND `django_session`.`session_key` = 'a') LIMIT 21",
)  # fmt: skip
_USER_BY_ID: Final = _select("auth_user", _USER_COLUMNS, "`auth_user`.`id` = 7 LIMIT 21")
_USER_BY_NAME: Final = _select("auth_user", _USER_COLUMNS, "`auth_user`.`username` = 'x' LIMIT 21")
_TOUCH_LOGIN: Final = describe_statement(
    "UPDATE `auth_user` SET `last_login` = '2026-01-01' WHERE `auth_user`.`id` = 7"
)
_NEW_SESSION: Final = describe_statement(
    "INSERT INTO `django_session` (`session_key`, `session_data`, `expire_date`) VALUES ('a', 'b', '2026-01-01')"
)
_CART: Final = describe_statement(  # never executed
    f"SELECT {_columns('cart_line', 'id cart_id product_id quantity')}, {_columns('catalogue_product', _PRODUCT_COLUMNS)} "  # noqa: S608 # never executed
    "FROM `cart_line` INNER JOIN `catalogue_product` ON (`cart_line`.`product_id` = `catalogue_product`.`id`) "
    "WHERE `cart_line`.`cart_id` = 7"
)
_STOCK_OF_PRODUCT: Final = _select(
    "catalogue_product", _PRODUCT_COLUMNS, "`catalogue_product`.`id` = 7 LIMIT 21 FOR UPDATE"
)  # fmt: skip
_NEW_ORDER: Final = describe_statement(
    "INSERT INTO `orders_order` (`customer_id`, `total`, `status`, `placed_at`) VALUES (7, 9.5, 'paid', '2026-01-01')"
)
_NEW_LINES: Final = describe_statement(
    "INSERT INTO `orders_line` (`order_id`, `product_id`, `quantity`, `price`) VALUES (7, 7, 2, 9.5), (7, 8, 1, 3.5)"
)
_TAKE_STOCK: Final = describe_statement(
    "UPDATE `catalogue_product` SET `stock` = (`catalogue_product`.`stock` - 1) WHERE `catalogue_product`.`id` IN (7, 8)"
)


def _json(values: dict[str, object]) -> str:
    """As the exporter writes it: without blanks."""
    return json.dumps(values, separators=(",", ":"))


_DATABASE_METADATA: Final = _json({
    "db.system.name": "mariadb", "db.namespace": "shop", "server.address": "db.internal", "server.port": 3306,
    "db.response.returned_rows": 1,
})  # fmt: skip
_CACHE_METADATA: Final = _json({
    "cache.backend": "RedisCache", "cache.key": "catalogue:bestsellers", "cache.item.size": 270, "cache.hits": 1,
    "cache.misses": 0, "cache.hit": True,
})  # fmt: skip
_CALL_METADATA: Final = _json({
    "http.request.method": "POST", "url.full": "https://payments.example/pay", "user_agent.original": "python-requests/2.34",
    "server.address": "payments.example", "network.protocol.version": "1.1", "http.response.status_code": 200,
})  # fmt: skip


def _request_metadata(route: str, *, failed: bool) -> str:
    method, path = route.split()
    return _json({
        "http.request.method": method, "server.address": "shop.example", "url.scheme": "https", "server.port": 443,
        "url.path": path, "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "network.protocol.version": "1.1", "http.response.body.size": 3312, "db.query_count": 6, "db.query_ms": 8.4,
        "http.response.status_code": 500 if failed else 200, "http.route": path.lstrip("/"),
        "service.instance.id": "35a29df3-0f07-461e-9fa4-3aa4bc82a836",
    })  # fmt: skip


def _fingerprint(error_type: str, component: str) -> str:
    return describe_statement(f"SELECT {error_type}.{component}").digest


_last_second: tuple[int, str] = (-1, "")


def _time_text(microseconds: int) -> str:
    """The second is formatted once: a strftime for each of millions of steps would take longer than storing them."""
    global _last_second  # a cache of one
    second, rest = divmod(microseconds, 1_000_000)
    if second != _last_second[0]:
        _last_second = (second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S"))
    return f"{_last_second[1]}.{rest:06d}"


def _microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)
