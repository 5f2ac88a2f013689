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
    "remote_addr", "tokens", "access_tokens", "stripe_key", "master_key", "bearer", "x_auth_key", "auth_header", "dbpass",
    "DBPASS", "userpwd", "rootpw", "new_pass1", "pincode", "ccnum", "recovery_code", "sessid", "smtp_pass", "oauth",
]  # fmt: skip
PLAIN_NAMES = [
    "session.id", "enduser.id", "author", "authors", "cache.key", "primary_key", "api.version", "gen_ai.usage.input_tokens",
    "http.request.header.user_agent", "http.request.header.content_type", "http.request.body.size", "passenger", "compass",
    "component", "db.query.text", "url.path", "card_id", "http.route", "messaging.kafka.message.key",
    "max_tokens", "gen_ai.usage.output_tokens", "foreign_key", "bypass", "company", "shipping", "spin", "success_account",
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
    "bad password: hunter2, sorry": f"bad password: {MASK}",
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


ANNOUNCED = [
    "bad form <QueryDict: {'username': ['ann'], 'password': ['SECRET']}>",
    "{'Cookie': ['sid=SECRET']}",
    "{'password': ('a', ['SECRET'])}",
    '{"password": {"value": "SECRET"}}',
    '{"password": [{"a": "]"}, "SECRET"]}',
    "password=SecretStr('SECRET')",
    "login(password=pydantic.SecretStr(value='SECRET'), user='ann')",
    "password=r'SECRET'",
    "password=b'SECRET'",
    "password='''a' SECRET'''",
    "password=''SECRET",
    '{"body": "{\\"password\\": \\"SECRET\\"}"}',
    '{\\\\\\"password\\\\\\": \\\\\\"x SECRET\\\\\\"}',
    "{&quot;password&quot;: &quot;x SECRET&quot;}",
    'Authorization: Digest username="bob", realm="x", response="SECRET"',
    'Cookie: theme="dark"; mysess=SECRET',
    "password: correct SECRET",
    'password: "correct" SECRET',
    "password:\n    SECRET",
    "password: |\n  a\n  SECRET\nuser: ann",
    "<password>SECRET</password>",
    '<ns:Password kind="x">SECRET</ns:Password>',
    "<token><![CDATA[SECRET]]></token>",
    "password%3DSECRET",
    "a%3D1%26password%3DSECRET",
    "%22password%22%3A%22SECRET%22",
    "mysql --password SECRET -h x",
    "mysql --password=SECRET -h x",
    "mysqldump -u root -pSECRET shop",
    "login failed user=ann pass=SECRET",
    "pw=SECRET",
    "pin: SECRET",
    "PHPSESSID=SECRET",
    "/shop;jsessionid=SECRET",
    "api key: SECRET",
    "password -> SECRET",
    "password == SECRET",
    "password=[redacted]SECRET",
    "password=YES)SECRET",
    *(f"password=hun{mark}SECRET" for mark in ",;&)'\"}]>"),
    *(f"mysql+pymysql://root:hun{mark}SECRET@db/x" for mark in "/#?'@"),
    *(f"no answer from mysql://root:hun{mark}SECRET@db/x now" for mark in "/#?'@"),
    "ann:SECRET@db",
    "no answer from ann:SECRET@db",
    '[{"name": "Cookie", "?": "SECRET"}]',
    '[{"name": "Cookie", "value": "SECRET"}]',
    "https://shop/reset/MQ/c9x1ab-5ec2e70123456789abcdef0123456789/",
]
"""Texts with SECRET, or a token that Django mails, where a name or its place gives it away."""


@pytest.mark.parametrize("text", ANNOUNCED)
def test_a_value_that_its_name_announces_is_masked_in_every_spelling(text: str) -> None:
    redactor = Redactor()
    shown = [redactor.text(text), redactor.attribute("note", text), redactor.error_message(text, "ValueError")]

    assert not any("SECRET" in one or "5ec2e7" in one for one in shown)
    assert [redactor.text(one) for one in shown] == shown  # and once is enough


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<QueryDict: {'password': ['x'], 'name': ['ann']}>", f"<QueryDict: {{'password': {MASK}, 'name': ['ann']}}>"),
        ("login(password=SecretStr('x'), user='ann')", f"login(password={MASK}, user='ann')"),
        ('{"a": "{\\"password\\": \\"x\\", \\"b\\": 1}"}', f'{{"a": "{{\\"password\\": {MASK}, \\"b\\": 1}}"}}'),
        ("a=1&password=x&b=2", f"a=1&password={MASK}&b={MASK}"),
        ("<user>ann</user><password>x</password>", f"<user>ann</user><password>{MASK}</password>"),
        ("mysql --password x --host db", f"mysql --password {MASK} --host db"),
    ],
)
def test_what_stands_beside_an_announced_value_stays(text: str, expected: str) -> None:
    assert Redactor().text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "jwt.exceptions.InvalidTokenError: Signature has expired",
        "rest_framework.exceptions.AuthenticationFailed: no such user",
        "shop.models.Token.DoesNotExist: Token matching query does not exist.",
        "GET /reset/<uidb64>/<token>/",
        "Access denied for user 'ann'@'db' (using password: YES)",
        "connected to http://shop.example:8000/users/ann@example.org/",
        "mailto:ann@example.org",
        "send it to user:ann@example.org at 12:30",
        "at 52.3791 and 4.8995, build 4111.2",
        "request 4bf92f35-4411-4111-1111-111111111111",
        "Select what's best for Ann's cart",
    ],
)
def test_what_only_looks_announced_stays(text: str) -> None:
    assert Redactor().attribute("note", text) == text


@pytest.mark.parametrize(
    "value",
    [
        4111111111111111,
        "card4111111111111111",
        "order-4111111111111111",
        "4111.1111.1111.1111",
        "4111\u00a01111\u00a01111\u00a01111",
    ],
)
def test_a_card_number_is_masked_as_a_number_and_however_it_is_joined(value: object) -> None:
    assert "4111" not in str(Redactor().attribute("reference", value))


@pytest.mark.parametrize(
    "number", [4111111111111112, 1790000000123456000, 1790000000123456, 4111111111111, 42, -4111111111111111]
)
def test_a_number_that_is_no_card_stays(number: int) -> None:
    assert Redactor().attribute("reference", number) == number


@pytest.mark.parametrize("host", ["db", "db.example:3306", "[::1]:3306"])
def test_an_address_keeps_its_host_and_loses_its_credentials(host: str) -> None:
    assert Redactor().attribute("server.address", f"u:SEC:RE@T@{host}") == f"{MASK}@{host}"


@pytest.mark.parametrize("key", ["sql", "note", "query"])
def test_a_statement_under_any_name_loses_its_literals(key: str) -> None:
    assert Redactor().attribute(key, "SELECT * FROM u WHERE email = 'ann@x'") == "SELECT * FROM u WHERE email = ?"
    assert "ann@x" not in Redactor().attribute(key, "insert into u values ('ann@x')")


def test_the_argument_after_a_secret_option_is_masked() -> None:
    assert Redactor().attribute("process.command_args", ["mysql", "--password", "x", "--host", "db"]) == [
        "mysql", "--password", MASK, "--host", "db",
    ]  # fmt: skip


def test_the_value_of_a_member_that_is_named_beside_it_is_masked() -> None:
    headers = [{"name": "Cookie", "value": "x"}, {"name": "Accept", "value": "text/html"}]

    assert Redactor().attribute("headers", headers) == [
        {"name": "Cookie", "value": MASK},
        {"name": "Accept", "value": "text/html"},
    ]


HOSTILE = [
    "password=[", "password={'", "password=<", "password: ", "password:\n ", "password: |\n ", "<password>", "<a ", "--password ",
    "password%3D", "\\", "\\\"", "password\\\"", "&quot;", "pass=,", "pass=)a", "a ", "-", "-- ", "a=", "a:", "a://b:c", "://a:@",
    "password=\\\"", "4111.1111.", "4-", "abcdef-", "u:p@", "name\",\"value\":", "password=a\"", "pin ", "key ", "SELECT ", "'password',[",
    "a.a.a.a.", "://", "://a:", "eyJ", "eyJa.", "password=\"", "password='", "token=", "cookie: ", "bearer ", "?a=", "&a=",
    "4 1", "4", "Duplicate entry '", "near '", "[SQL: ", "[parameters: ", "'", "\\'", "-----BEGIN ", "\n", " ", "(",
    '  File "', "select x from ", "=(", "AKIA", "key '", "passwordpassword", "\"'", "@",
]  # fmt: skip


HOSTILE_WITH_ENDS = [(piece, "") for piece in HOSTILE] + [
    ("://h/", "@"), ("http://h/", "@"), ("http://h:1/", "x@y"), ("a:b", "@c"), ("<a>", "</"), ("password=(", ")"), ("token ", "=x"),
    ("\\\"", "password=\\\"x"), ("-p", " mysql -p"), ("4", "@"), ("password=(')", "'"),
]  # fmt: skip


@pytest.mark.parametrize(("piece", "end"), HOSTILE_WITH_ENDS, ids=range(len(HOSTILE_WITH_ENDS)))
def test_hostile_text_takes_linear_time(piece: str, end: str) -> None:
    """128 kB within a second: a quadratic rule needs from ten seconds upwards (Relay's e-mail pattern: 17 s)."""
    text = piece * (131_072 // len(piece)) + end
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


@pytest.mark.parametrize(
    "place", ["simplejwt/authentication.py:41", "shop/tokens.py:7 in issue", "src/password.tsx:12:5", "(secret.js:3)"]
)
def test_a_line_of_a_file_whose_name_sounds_secret_is_no_secret(place: str) -> None:
    assert Redactor().text(place) == place


@pytest.mark.parametrize("planted", ["tokens.py:hunter2", "password.py: hunter2-7", "password:412233", "pin.secret:99"])
def test_what_is_no_line_number_behind_such_a_name_stays_secret(planted: str) -> None:
    assert planted.partition(":")[2].strip() not in Redactor().text(planted)
