"""Classes of errors that Django, REST framework, sockets, json and the application's own code raise, each for real."""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from policy.error_class.recorded import advice_about, raised_by
from support.mariadb import free_port

from e2edebug.policy.error_class.evidence import Evidence
from e2edebug.policy.error_class.registry import ERROR_CLASSES, advice_on, class_of


@pytest.fixture(scope="module")
def of_django() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("django_errors.py"))],
        capture_output=True, text=True, timeout=120, env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("name", "error_class", "said"),
    [
        ("no such table", "configuration", "manage.py migrate"),
        ("form validation", "validation", "answer with 400"),
        ("serializer validation", "validation", "what the serializer expects"),
        ("not authenticated", "authentication", "carries no credentials"),
        ("token", "authentication", "does not verify"),
        ("permission", "permission", "The user may not do this"),
        ("no row", "not_found", "No Group fits the query"),
        ("no page", "not_found", "Nothing is at this URL"),
        ("template syntax", "template", "an unclosed block"),
        ("no template", "template", "in none of the folders"),
        ("no url", "template", "No URL has that name"),
        ("code below a template", "code", "The divisor was 0"),
        ("not null", "database.constraint", "must have a value"),
        ("broken transaction", "database.constraint", "must have a value"),
        ("field of a serializer", "serialization", "`source`"),
        ("statement", "code", "no valid SQL"),
        ("setting", "configuration", "A setting is missing"),
    ],
)
def test_an_error_of_django(of_django: dict[str, Any], name: str, error_class: str, said: str) -> None:
    advice = advice_on(SimpleNamespace(**of_django[name]))

    assert advice.error_class == error_class
    assert said in advice.suggestion


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "our key or token"), (429, "Retry-After"), (422, "refused what we sent"), (503, "a pause that grows")],
)
def test_another_service_that_answers_with_an_error(provider: str, status: int, said: str) -> None:
    advice = advice_about(raised_by(lambda: urllib.request.urlopen(f"{provider}/{status}")))

    assert advice.error_class == "external"
    assert said in advice.suggestion


def test_another_service_that_does_not_run() -> None:
    port = free_port()

    advice = advice_about(raised_by(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/")))

    assert advice.error_class == "external"
    assert "Nothing listens" in advice.suggestion


def test_a_name_that_cannot_be_resolved() -> None:
    advice = advice_about(raised_by(lambda: socket.getaddrinfo("", None, flags=socket.AI_NUMERICHOST)))

    assert advice.error_class == "external"
    assert "could not be resolved" in advice.suggestion


def test_an_answer_that_does_not_come() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        error = raised_by(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=0.05))

    advice = advice_about(error)

    assert advice.error_class == "timeout"
    assert "idempotency key" in advice.suggestion


def test_an_exception_of_the_application_that_is_called_a_timeout() -> None:
    class PaymentTimeoutError(Exception):
        pass

    def charge() -> None:
        raise PaymentTimeoutError("no answer within 0.8 s")

    assert advice_about(raised_by(charge)).error_class == "timeout"


def test_an_exception_of_the_applications_own_in_a_call_to_another_service() -> None:
    kinds = [
        class_of(Evidence(name, "451 try again later", layer=layer))
        for name, layer in (
            ("shop.PaymentDeclinedError", "external"), ("shop.PaymentDeclinedError", "api"), ("KeyError", "external"),
            ("shop.MailServerError", "system"),
        )
    ]  # fmt: skip

    assert kinds == ["external", "code", "code", "external"]


def test_a_token_past_its_time() -> None:
    key = "a key that is long enough for its algorithm"
    token = jwt.encode({"exp": datetime.now(UTC) - timedelta(hours=1)}, key)

    advice = advice_about(raised_by(lambda: jwt.decode(token, key, algorithms=["HS256"])))

    assert advice.error_class == "authentication"
    assert "past its time" in advice.suggestion


@pytest.mark.parametrize(
    ("action", "error_class", "said"),
    [
        (lambda: json.loads("<html>"), "serialization", "an error page is HTML"),
        (lambda: json.dumps(object()), "serialization", "DjangoJSONEncoder"),
        (lambda: b"\xff".decode(), "serialization", "encoding='utf-8'"),
        (lambda: __import__("pickle").dumps(lambda: 1), "serialization", "cannot be pickled"),
        (lambda: os.environ["E2EDEBUG_TEST_NOWHERE"], "configuration", "'E2EDEBUG_TEST_NOWHERE' is not set"),
        (lambda: __import__("no_such_module"), "configuration", "install the package"),
        (lambda: Path("no/such/file").read_text(), "not_found", "BASE_DIR"),
        (lambda: {}["sku"], "code", "`.get()`"),
        (lambda: None.price, "code", "Something was None"),  # type: ignore[attr-defined]
        (lambda: 1 // 0, "code", "divisor"),
        (lambda: [][1], "code", "empty case"),
    ],
)
def test_an_error_of_the_standard_library_or_of_code(action: Any, error_class: str, said: str) -> None:
    advice = advice_about(raised_by(action))

    assert advice.error_class == error_class
    assert said in advice.suggestion


def test_the_operating_system_refuses_a_file() -> None:
    """Raised with the operating system's own number: a test that runs as root is refused nothing."""
    advice = advice_about(raised_by(lambda: (_ for _ in ()).throw(OSError(13, "Permission denied", "/etc/shadow"))))

    assert advice.error_class == "permission"
    assert "owner and mode" in advice.suggestion


def test_what_failed_while_another_exception_was_handled_is_not_that_exception() -> None:
    def look_up() -> None:
        try:
            Path("no/such/file").read_text()
        except OSError:
            {}["default"]

    assert advice_about(raised_by(look_up)).error_class == "code"


def test_members_of_an_exception_group_say_what_it_is() -> None:
    def gather() -> None:
        raise ExceptionGroup("two tasks failed", [raised_by(lambda: json.loads("<html>")), KeyError("sku")])

    assert advice_about(raised_by(gather)).error_class == "serialization"


def test_the_answers_status_decides_where_the_type_says_nothing() -> None:
    statuses = {
        status: class_of(Evidence("Error", http_status=status)) for status in (401, 403, 404, 422, 503, 504, 500)
    }

    assert statuses == {
        401: "authentication", 403: "permission", 404: "not_found", 422: "validation", 503: "external", 504: "timeout",
        500: "code",
    }  # fmt: skip


def test_a_group_is_advised_on_by_its_title() -> None:
    group = SimpleNamespace(
        error_class="database.deadlock", error_type="django.db.utils.OperationalError",
        title="OperationalError: (1213, 'Deadlock found when trying to get lock; try restarting transaction')",
    )  # fmt: skip

    assert "SHOW ENGINE INNODB STATUS" in advice_on(group).suggestion


def test_the_classes_are_those_that_are_documented() -> None:
    assert ERROR_CLASSES == (
        "authentication", "code", "configuration", "database.connection", "database.constraint", "database.deadlock",
        "database.lock_wait", "external", "not_found", "permission", "serialization", "template", "timeout", "validation",
    )  # fmt: skip


def test_what_a_mail_server_cannot_take_now_is_tried_again() -> None:
    """SMTP counts the other way round than HTTP (RFC 5321, 4.2.1)."""

    class MailServerError(Exception):
        """Of an application."""

    def send(message: str) -> None:
        raise MailServerError(message)

    now = advice_about(raised_by(lambda: send("the mail server says: 451 try again later")))
    never = advice_about(raised_by(lambda: send("550 no such user")))

    assert "try again later, after a pause" in now.suggestion
    assert "refused it for good (550)" in never.suggestion
