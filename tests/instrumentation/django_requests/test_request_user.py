"""Who made a request, without asking the application to find out."""

import hashlib
import uuid
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from django.utils.functional import SimpleLazyObject
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from e2edebug_instrumentation.django_requests.request_user import session_attributes, user_attributes


class Shopper:
    """A user as an authentication package without tables makes it."""

    is_authenticated = True
    USERNAME_FIELD = "email"

    def __init__(self) -> None:
        self.pk = uuid.UUID(int=7)
        self.email = "ada@shop.example"

    def get_username(self) -> str:
        return self.email


class Row(Shopper):
    """A user that is a row of a table, loaded without its name."""

    _state = object()

    def __init__(self) -> None:
        self.pk = uuid.UUID(int=7)

    @property
    def email(self) -> str:
        raise AssertionError("this would be a query")


class Nobody:
    """An anonymous user."""

    is_authenticated = False


class Session:
    """A session whose content may not be loaded."""

    session_key = "k" * 32

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"loads the session: {name}")


def request_of(user: object) -> HttpRequest:
    """A request with that user."""
    request = HttpRequest()
    request.user = user
    return request


def _ask() -> Any:
    raise AssertionError("this would be a query")


def test_an_authenticated_user_is_named_by_key_and_username() -> None:
    assert user_attributes(request_of(Shopper())) == {
        "enduser.id": "00000000-0000-0000-0000-000000000007",
        "e2edebug.user.label": "ada@shop.example",
    }


def test_a_lazy_user_that_the_view_looked_at_is_named() -> None:
    user = SimpleLazyObject(Shopper)
    assert user.is_authenticated

    assert user_attributes(request_of(user))["enduser.id"] == "00000000-0000-0000-0000-000000000007"


def test_a_lazy_user_that_nobody_looked_at_stays_unevaluated() -> None:
    assert user_attributes(request_of(SimpleLazyObject(_ask))) == {}


def test_a_user_awaited_by_an_async_view_is_named() -> None:
    request = request_of(SimpleLazyObject(_ask))
    request._acached_user = Shopper()

    assert user_attributes(request)["e2edebug.user.label"] == "ada@shop.example"


def test_a_deferred_username_is_not_fetched() -> None:
    assert user_attributes(request_of(Row())) == {"enduser.id": "00000000-0000-0000-0000-000000000007"}


@pytest.mark.parametrize("user", [Nobody(), None])
def test_nobody_is_named_nothing(user: object) -> None:
    assert user_attributes(request_of(user)) == {}


def test_a_request_without_authentication_is_nobodys() -> None:
    assert user_attributes(HttpRequest()) == {}


def test_the_session_key_appears_as_a_digest_and_the_session_is_not_loaded() -> None:
    request = HttpRequest()
    request.session = Session()

    found = session_attributes(request)

    assert found == {"session.id": hashlib.sha256(b"k" * 32).hexdigest()[:16]}


def test_a_request_without_a_session_has_no_digest() -> None:
    assert session_attributes(HttpRequest()) == {}


def test_a_user_that_cannot_be_read_costs_the_span_nothing_else(
    instrument: Any,
    client: Client,
    exporter: InMemorySpanExporter,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        @property
        def is_authenticated(self) -> bool:
            raise LookupError("directory is down")

    def view(request: HttpRequest) -> HttpResponse:
        request.user = Broken()
        return HttpResponse("ok", status=201)

    monkeypatch.setenv("E2EDEBUG_RAISE_ERRORS", "0")
    instrument()
    with override_settings(ROOT_URLCONF=type("Urls", (), {"urlpatterns": [path("broken/", view)]})):
        assert client.get("/broken/").content == b"ok"

    (span,) = exporter.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert (attributes["e2edebug.component"], attributes["http.status_code"]) == ("view", 201)
    assert caplog.text.count("failed to read the user of a request") == 1
