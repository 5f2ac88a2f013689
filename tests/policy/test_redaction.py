"""What redaction takes out of names, texts, URLs and error messages, and what it leaves."""

import time

import pytest

from e2edebug.policy.redaction import MASK, Redactor

SECRET_NAMES = [
    "password", "user.password", "new_password1", "PASSWD", "mysql_pwd", "secret", "client_secret", "api_key", "apiKey",
    "x-api-key", "X-Api-Key", "auth", "Authorization", "http.request.header.authorization", "proxy-authorization",
    "credentials", "private_key", "token", "accessToken", "csrftoken", "X-CSRFToken", "sessionid", "session_key", "cookie",
    "Set-Cookie", "http.request.header.cookie", "http.request.header.x_my_header", "http.response.header.set_cookie",
    "jwt", "otp", "two_factor_code", "ssn", "credit_card", "cardNumber", "cvv", "signature", "connect.sid", "PHPSESSID",
    "db.query.parameter.0", "db.statement.parameters", "db.operation.parameter.user", "http.request.body", "x_forwarded_for",
    "remote_addr",
]  # fmt: skip
PLAIN_NAMES = [
    "session.id", "enduser.id", "author", "authors", "cache.key", "primary_key", "api.version", "gen_ai.usage.input_tokens",
    "http.request.header.user_agent", "http.request.header.content_type", "http.request.body.size", "passenger", "compass",
    "component", "db.query.text", "url.path", "card_id", "http.route", "messaging.kafka.message.key",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_value_under_a_secret_name_is_masked_and_the_name_stays(name: str) -> None:
    assert Redactor().attribute("data", {name: "hunter2"}) == {name: MASK}


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_a_value_under_a_harmless_name_stays(name: str) -> None:
    assert Redactor().attribute(name, "plain") == "plain"


@pytest.mark.parametrize("spelling", ["loyalty_number", "loyaltyNumber", "Loyalty-Number", "customer.loyalty_number"])
def test_an_extra_key_is_secret_in_every_spelling(spelling: str) -> None:
    assert Redactor(["loyalty-number"]).is_secret_key(spelling)


def test_numbers_under_secret_names_are_masked_as_well() -> None:
    assert Redactor().attribute("pin", 1234) == MASK


def test_nested_mappings_lists_and_pairs_are_followed() -> None:
    value = {"user": {"name": "ann", "password": "x"}, "headers": [("Cookie", "a=b"), ("Accept", "text/html")]}

    assert Redactor().attribute("payload", value) == {
        "user": {"name": "ann", "password": MASK},
        "headers": [["Cookie", MASK], ["Accept", "text/html"]],
    }


TEXTS = {
    "Authorization: Bearer abc.def\nHost: x": f"Authorization: {MASK}\nHost: x",
    "cookie: a=b; c=d\nx": f"cookie: {MASK}\nx",
    "{'Cookie': 'a=b; c=d', 'Host': 'h'}": f"{{'Cookie': {MASK}, 'Host': 'h'}}",
    "[('Cookie', 'abc'), ('a', 'b')]": f"[('Cookie', {MASK}), ('a', 'b')]",
    "curl -H bearer abcdefgh12345": f"curl -H bearer {MASK}",
    "cannot reach mysql://root:p@ss@db/shop now": f"cannot reach mysql://{MASK}@db/shop now",
    "GET /pay?code=1&b=2 failed": f"GET /pay?code={MASK}&b={MASK} failed",
    "password='a b\\'c' rest": f"password={MASK} rest",
    "bad password: hunter2, sorry": f"bad password: {MASK}, sorry",
    '{"password": "x", "a": 1}': f'{{"password": {MASK}, "a": 1}}',
    "api_key=abc;": f"api_key={MASK};",
    "jwt eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl end": f"jwt {MASK} end",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- end": f"{MASK} end",
    "-----BEGIN PRIVATE KEY-----\nMIIE, cut": MASK,
    "key AKIAIOSFODNN7EXAMPLE used": f"key {MASK} used",
    "https://s3/x?X-Amz-Signature=abc&X-Goog-Signature=def": f"https://s3/x?X-Amz-Signature={MASK}&X-Goog-Signature={MASK}",
    "card 4111 1111 1111 1111 declined": f"card {MASK} declined",
    "card 5500-0000-0000-0004 declined": f"card {MASK} declined",
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.items(), ids=range(len(TEXTS)))
def test_secrets_in_free_text_are_masked(text: str, expected: str) -> None:
    assert Redactor().text(text) == expected


@pytest.mark.parametrize("text", [*TEXTS, "plain"], ids=range(len(TEXTS) + 1))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = Redactor().text(text)

    assert Redactor().text(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "GET /api/products/<int:pk>/",
        "ann@example.org ordered",  # an e-mail address is not a secret by default
        "order 4111111111111112 shipped",  # fails Luhn
        "at 1790000000123456000 ns",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736",
        "SELECT * FROM shop_product WHERE id = ?",
        "http://shop.example:8000/a/b",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://ann:pw@shop/x?a=b&c#access_token=3", f"https://{MASK}@shop/x?a={MASK}&{MASK}#access_token={MASK}"),
        ("/search?q=shoes&page=2", f"/search?q={MASK}&page={MASK}"),
        ("/reset?abcdef", f"/reset?{MASK}"),
        ("/plain/path#top", "/plain/path#top"),
        ("//ann:pw@host/", f"//{MASK}@host/"),
        ("/files/a@b/c", "/files/a@b/c"),
    ],
)
def test_urls_keep_their_keys_and_lose_their_values(url: str, expected: str) -> None:
    assert Redactor().url(url) == expected


MESSAGES = {
    "(1062, \"Duplicate entry 'ann@x' for key 'users.email'\")": "(1062, \"Duplicate entry ? for key 'users.email'\")",
    "(1062, \"Duplicate entry 'O'Brien' for key 'a'\")": "(1062, \"Duplicate entry ? for key 'a'\")",
    "(1366, \"Incorrect integer value: 'abc' for column 'age' at row 1\")": (
        "(1366, \"Incorrect integer value: '?' for column 'age' at row 1\")"
    ),
    "(1054, \"Unknown column 'x.y' in 'field list'\")": "(1054, \"Unknown column 'x.y' in 'field list'\")",
    "(1064, \"… right syntax to use near 'ann' x' at line 1\")": "(1064, \"… right syntax to use near '?' at line 1\")",
    "Key (email)=(ann@x) already exists.": "Key (email)=(?) already exists.",
    "no such table: shop_product": "no such table: shop_product",
    "x\n[SQL: INSERT INTO t VALUES ('ann', 42)]\n[parameters: ('ann',)]\n(Background on this error at: y)": (
        "x\n[SQL: INSERT INTO t VALUES (?+)]\n[parameters: ?]\n(Background on this error at: y)"
    ),
}


@pytest.mark.parametrize(("message", "expected"), MESSAGES.items(), ids=range(len(MESSAGES)))
def test_values_that_databases_quote_are_masked_and_names_stay(message: str, expected: str) -> None:
    assert Redactor().error_message(message, "django.db.utils.IntegrityError") == expected


def test_sql_in_the_message_of_any_exception_loses_its_literals() -> None:
    message = Redactor().error_message("failed: SELECT * FROM users WHERE email = 'ann@x'", "RuntimeError")

    assert message == "failed: SELECT * FROM users WHERE email = '?'"


def test_an_ordinary_message_keeps_its_quotes() -> None:
    assert Redactor().error_message("'NoneType' object has no attribute 'price'", "AttributeError") == (
        "'NoneType' object has no attribute 'price'"
    )


def test_a_stack_trace_keeps_its_frames_and_loses_the_values_in_its_messages() -> None:
    stack = (
        "Traceback (most recent call last):\n"
        '  File "/srv/shop/views.py", line 12, in create\n'
        '    login(password="hunter2")\n'
        "pymysql.err.IntegrityError: (1062, \"Duplicate entry 'ann@x' for key 'email'\")\n"
    )

    assert Redactor().stack_trace(stack) == (
        "Traceback (most recent call last):\n"
        '  File "/srv/shop/views.py", line 12, in create\n'
        f"    login(password={MASK})\n"
        "pymysql.err.IntegrityError: (1062, \"Duplicate entry ? for key 'email'\")\n"
    )


HOSTILE = [
    "a.a.a.a.", "://", "://a:", "eyJ", "eyJa.", "password=\"", "password='", "token=", "cookie: ", "bearer ", "?a=", "&a=",
    "4 1", "4", "Duplicate entry '", "near '", "[SQL: ", "[parameters: ", "'", "\\'", "-----BEGIN ", "\n", " ", "(",
    '  File "', "select x from ", "=(", "AKIA", "key '", "passwordpassword", "\"'", "@",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_takes_linear_time(piece: str) -> None:
    """128 kB within a second: a quadratic rule needs from ten seconds upwards (Relay's e-mail pattern: 17 s)."""
    text = piece * (131_072 // len(piece))
    redactor = Redactor()
    started = time.process_time()

    redactor.text(text)
    redactor.url(text)
    redactor.error_message(text, "IntegrityError")
    redactor.stack_trace(text)

    assert time.process_time() - started < 2.0


def test_a_name_of_a_megabyte_is_decided_in_no_time() -> None:
    started = time.process_time()

    Redactor().is_secret_key("a" * 1_000_000)

    assert time.process_time() - started < 0.5


def test_a_drivers_message_without_values_stays_readable():
    text = "(1205, 'Lock wait timeout exceeded; try restarting transaction')"

    assert Redactor().error_message(text, "django.db.utils.OperationalError") == text
    assert text in Redactor().stack_trace(f"Traceback:\ndjango.db.utils.OperationalError: {text}\n")


def test_a_tuple_inside_a_statement_is_a_value():
    text = "failed: INSERT INTO t VALUES (1205, 'secret')"

    assert "secret" not in Redactor().error_message(text, "OperationalError")
