"""A secret planted anywhere in what arrives reaches no field of any row that is written."""

import string
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.trace import Event
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode
from support.spans import RESOURCE, START_UNIX_NS, make_span

from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch

PLAIN = string.ascii_letters + string.digits
SECRETS = st.text(PLAIN, min_size=10, max_size=24).map(lambda text: f"Zq7{text}")
AWKWARD_SECRETS = st.text(PLAIN + "!#$%*+-./:<>@^_~|`", min_size=6, max_size=20).map(lambda text: f"Zq7{text}7qZ")

# Texts in which a value gives itself away by where it stands.
TEXTS: list[Callable[[str], str]] = [
    lambda secret: f"mysql://shop:{secret}@db/shop is down",
    lambda secret: f"GET https://pay.example/charge?card={secret}&retry=1 timed out",
    lambda secret: f"GET /reset/?uid=1&token={secret}#top",
    lambda secret: f"Authorization: Bearer {secret}",
    lambda secret: f"Cookie: theme=dark; sessionid={secret}; x={secret}",
    lambda secret: f"{{'Cookie': 'sessionid={secret}', 'Accept': '*/*'}}",
    lambda secret: f"login(user='ann', password='{secret}')",
    lambda secret: f'{{"api_key": "{secret}", "a": 1}}',
    lambda secret: f"client_secret={secret}",
    lambda secret: f"<WSGIRequest: POST '/pay/?key={secret}'>",
    lambda secret: f"-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----",
    lambda secret: f"bad form <QueryDict: {{'username': ['ann'], 'password': ['{secret}']}}>",
    lambda secret: f"{{'Cookie': ['sid={secret}'], 'Authorization': ('Bearer {secret}',)}}",
    lambda secret: f'{{"password": {{"value": ["{secret}"]}}}}',
    lambda secret: f"connect(password=SecretStr('{secret}'), passwd=r'{secret}', pwd=b'{secret}')",
    lambda secret: f'{{"body": "{{\\"password\\": \\"{secret}\\"}}"}}',
    lambda secret: f'Authorization: Digest username="bob", realm="x", response="{secret}"',
    lambda secret: f'Cookie: theme="dark"; mysess={secret}',
    lambda secret: f"password: correct {secret}",
    lambda secret: f"password:\n    {secret}",
    lambda secret: f"<login><password>{secret}</password></login>",
    lambda secret: f"next=%2F&body=password%3D{secret}",
    lambda secret: f"mysqldump --password {secret} shop",
    lambda secret: f"user=ann pass={secret} pw={secret} PHPSESSID={secret}",
    lambda secret: f"password=[redacted]{secret}",
    lambda secret: f"password=a,{secret} pwd=b;{secret} token=c&{secret} secret=d){secret} pass=e'{secret}",
    lambda secret: f"no answer from mysql+pymysql://shop:a/{secret}@db/x",
    lambda secret: f"no answer from mysql+pymysql://shop:a#{secret}?b@c'd@db/x",
    lambda secret: f'headers: [{{"name": "Cookie", "value": "{secret}"}}]',
    lambda secret: f"shop:{secret}@db",
]
SECRET_ATTRIBUTES: list[Callable[[str], dict[str, Any]]] = [
    lambda secret: {"http.request.header.authorization": (f"Basic {secret}",)},
    lambda secret: {"http.request.header.cookie": (f"a={secret}",)},
    lambda secret: {"http.request.header.x_made_up_by_us": (secret,)},
    lambda secret: {"http.response.header.set_cookie": (f"sessionid={secret}; Path=/",)},
    lambda secret: {"http.url": f"https://ann:{secret}@shop.example/x"},
    lambda secret: {"url.full": f"https://shop.example/x?{secret}"},
    lambda secret: {"http.target": f"/x?q={secret}"},
    lambda secret: {"url.query": f"q={secret}&{secret}"},
    lambda secret: {"user.password": secret},
    lambda secret: {"apiKey": [secret, {"x": secret}]},
    lambda secret: {"db.statement.parameters": f"('{secret}',)"},
    lambda secret: {"db.query.parameter.email": secret},
    lambda secret: {"http.request.body": secret},
    lambda secret: {"payload": {"user": {"credentials": {"any": [secret]}}, "list": [{"access_token": secret}]}},
    lambda secret: {"headers": [("Cookie", secret), ("X-Api-Key", secret)]},
    lambda secret: {"deep": _nested({"password": secret}, levels=25)},
    lambda secret: {"raw": f"token={secret}".encode()},
    lambda secret: {"e2edebug.metadata": {"password": secret, "note": f"password={secret}"}},
    lambda secret: {"e2edebug.workflow.metadata": {"authorization": secret, "url": f"http://a:{secret}@b/"}},
    lambda secret: {"e2edebug.component": f"https://a:{secret}@b/"},
    lambda secret: {"e2edebug.operation": f"GET /x?token={secret}"},
    lambda secret: {"code.function.name": f"password={secret}", "code.file.path": f"/x?token={secret}"},
    lambda secret: {f"token={secret}": 1},
    lambda secret: {"access_tokens": [secret], "stripe_key": secret, "dbpass": secret, "recovery_code": secret},
    lambda secret: {"process.command_args": ["mysql", "--password", secret]},
    lambda secret: {"members": {"headers": [{"name": "Cookie", "value": secret}, {"value": secret, "key": "token"}]}},
    lambda secret: {"server.address": f"shop:{secret}@db"},
    lambda secret: {"dsn": f"mysql://shop:a#{secret}@db/x", "note": f"mysql://shop:a/{secret}@db/x"},
    lambda secret: {"sql": f"SELECT * FROM u WHERE email = '{secret}'"},
    lambda secret: {"long": "x" * 65_530 + f" password={secret}"},
]
STATEMENTS: list[Callable[[str], str]] = [
    lambda secret: f"SELECT * FROM users WHERE email = '{secret}' AND is_active = 1",
    lambda secret: f"INSERT INTO users (email) VALUES (\"{secret}\"), ('{secret}')",
    lambda secret: f"UPDATE users SET password = '{secret}' /* {secret} */ -- {secret}",
]
DATABASE_MESSAGES: list[Callable[[str], str]] = [
    lambda secret: f"(1062, \"Duplicate entry '{secret}' for key 'users.email'\")",
    lambda secret: f"(1366, \"Incorrect integer value: '{secret}' for column 'age' at row 1\")",
    lambda secret: f"(1064, \"You have an error in your SQL syntax near '{secret}' x' at line 1\")",
    lambda secret: f"duplicate key value violates unique constraint\nDETAIL:  Key (email)=({secret}) already exists.",
    lambda secret: (
        f"(pymysql.err.DataError) (1406, \"Data too long for column 'a' at row 1\")\n[SQL: INSERT INTO t VALUES "
        f"('{secret}')]\n[parameters: {{'a': '{secret}'}}]\n(Background on this error at: https://sqlalche.me/e/20/9h9h)"
    ),
]


RESET_TOKENS = st.tuples(
    st.text("abc0123", min_size=6, max_size=6), st.text("abcdef0123456789", min_size=32, max_size=32)
)


def _nested(value: object, *, levels: int) -> object:
    for _ in range(levels):
        value = {"in": value}
    return value


def exception(message: str, error_type: str = "django.db.utils.IntegrityError") -> Event:
    stack = (
        'Traceback (most recent call last):\n  File "/srv/shop/views.py", line 3, in create\n    save()\n'
        f"{error_type}: {message}\n\nThe above exception was the direct cause of the following exception:\n\n"
        'Traceback (most recent call last):\n  File "/srv/shop/views.py", line 9, in create\n    raise Failed from error\n'
        f"{error_type}: {message}\n"
    )
    return Event(
        "exception",
        {"exception.type": error_type, "exception.message": message, "exception.stacktrace": stack},
        START_UNIX_NS,
    )


def written(batch: RowBatch) -> str:
    """Return all that a batch would write, as text."""
    rows: list[object] = [*batch.steps, *batch.errors, *batch.snapshots]
    rows += [asdict(row.session_facts) for row in batch.steps if row.session_facts is not None]
    return repr(rows)


def assert_absent(secret: str, batch: RowBatch) -> None:
    text = written(batch)
    assert secret not in text, text
    assert secret.lower() not in text.lower(), text


@settings(max_examples=60, deadline=None)
@given(SECRETS, st.sampled_from(TEXTS))
def test_in_any_text_of_a_span(secret: str, text: Callable[[str], str]) -> None:
    planted = text(secret)
    batch = RowBatch()
    span = make_span(
        planted,
        attributes={"note": planted, "notes": [planted], "nested": {"a": {"b": planted}}, "enduser.id": planted},
        events=[Event(planted, {"x": planted}, START_UNIX_NS), exception(planted, "RuntimeError")],
        links=[Link(SpanContext(1, 2, is_remote=True), {"x": planted})],
        status=Status(StatusCode.ERROR, f"RuntimeError: {planted}"),
    )

    assert RowMapper().add_spans(batch, [span]) == 0

    assert (len(batch.steps), len(batch.errors)) == (1, 1)
    assert_absent(secret, batch)


@settings(max_examples=120, deadline=None)
@given(SECRETS, st.sampled_from(SECRET_ATTRIBUTES), st.sampled_from(SpanKind))
def test_in_attributes_of_spans_events_and_links(
    secret: str, attributes: Callable[[str], dict[str, Any]], kind: SpanKind
) -> None:
    planted = attributes(secret)
    batch = RowBatch()
    span = make_span(
        kind=kind,
        attributes=planted,
        events=[Event("x", planted, START_UNIX_NS), Event("exception", planted, START_UNIX_NS)],
        links=[Link(SpanContext(1, 2, is_remote=True), planted)],
    )

    assert RowMapper().add_spans(batch, [span]) == 0

    assert (len(batch.steps), len(batch.errors)) == (1, 1)
    assert_absent(secret, batch)


@settings(max_examples=60, deadline=None)
@given(SECRETS, st.sampled_from(STATEMENTS), st.sampled_from(["mysql", "postgresql", "redis", "mongodb"]))
def test_in_sql_literals(secret: str, statement: Callable[[str], str], system: str) -> None:
    planted = statement(secret)
    batch = RowBatch()
    span = make_span(
        "SELECT",
        kind=SpanKind.CLIENT,
        attributes={"db.system": system, "db.statement": planted},
        events=[exception(f"syntax error in: {planted}", "OperationalError")],
        status=Status(StatusCode.ERROR, f"OperationalError: {planted}"),
    )

    assert RowMapper().add_spans(batch, [span]) == 0

    assert_absent(secret, batch)


@settings(max_examples=60, deadline=None)
@given(AWKWARD_SECRETS, st.sampled_from(DATABASE_MESSAGES))
def test_in_what_databases_quote(secret: str, message: Callable[[str], str]) -> None:
    planted = message(secret)
    batch = RowBatch()
    span = make_span(
        events=[exception(planted)], status=Status(StatusCode.ERROR, f"IntegrityError: {planted}"), parent=9
    )

    assert RowMapper().add_spans(batch, [span]) == 0

    assert len(batch.errors) == 1
    assert_absent(secret, batch)


@settings(max_examples=80, deadline=None)
@given(SECRETS, st.sampled_from(TEXTS + DATABASE_MESSAGES), st.sampled_from(SECRET_ATTRIBUTES))
def test_in_log_records(secret: str, text: Callable[[str], str], attributes: Callable[[str], dict[str, Any]]) -> None:
    planted = text(secret)
    record = LogRecord(
        timestamp=START_UNIX_NS,
        severity_number=SeverityNumber.ERROR,
        body=planted,
        attributes={**attributes(secret), **(exception(planted).attributes or {}), "note": planted},
    )
    batch = RowBatch()

    assert RowMapper().add_log(batch, ReadableLogRecord(record, RESOURCE, InstrumentationScope(planted)))

    assert len(batch.errors) == 1
    assert_absent(secret, batch)


@settings(max_examples=60, deadline=None)
@given(SECRETS, st.sampled_from(TEXTS), st.sampled_from(SECRET_ATTRIBUTES))
def test_in_metrics(secret: str, text: Callable[[str], str], attributes: Callable[[str], dict[str, Any]]) -> None:
    planted = text(secret)
    exemplar = Exemplar({"x": planted}, 1, START_UNIX_NS, 1, 1)
    point = NumberDataPoint({**attributes(secret), "note": planted}, START_UNIX_NS, START_UNIX_NS, 1, [exemplar])
    metric = Metric(planted, planted, planted, Gauge([point]))
    data = MetricsData([ResourceMetrics(RESOURCE, [ScopeMetrics(InstrumentationScope("x"), [metric], "")], "")])
    batch = RowBatch()

    assert RowMapper().add_metrics(batch, data) == 0

    assert len(batch.snapshots) == 1
    assert_absent(secret, batch)


@settings(max_examples=20, deadline=None)
@given(RESET_TOKENS)
def test_the_token_in_a_path_that_resets_a_password(parts: tuple[str, str]) -> None:
    token = "-".join(parts)
    path = f"/accounts/reset/MQ/{token}/"
    batch = RowBatch()
    span = make_span(
        f"GET {path}",
        kind=SpanKind.SERVER,
        attributes={"http.request.method": "GET", "url.path": path, "url.full": f"https://shop.example{path}"},
        events=[exception(f"no view for {path}", "RuntimeError")],
    )

    assert RowMapper().add_spans(batch, [span]) == 0

    assert_absent(token, batch)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([4111111111111111, 5500000000000004, 340000000000009]))
def test_a_card_number_in_any_attribute(number: int) -> None:
    batch = RowBatch()
    span = make_span(attributes={"n": number, "list": [number], "text": f"card{number}", "nested": {"a": number}})

    assert RowMapper().add_spans(batch, [span]) == 0

    assert_absent(str(number), batch)
