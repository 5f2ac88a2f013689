"""Who made a request, without asking the application to find out."""

import hashlib
import uuid
from typing import Any

import pytest
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from e2edebug_instrumentation.django_requests.request_user import session_attributes, user_attributes


class Shopper:
    """A user as an authentication package without tables makes it."""

    is_authenticated = True
    USERNAME_FIELD = "email"

    def __init__(self) -> None:
        self.pk = uuid.UUID(int=7)
        self.email = "ada@shop.example"


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
