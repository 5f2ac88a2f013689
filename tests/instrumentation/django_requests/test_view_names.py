"""The names of views: what a person calls the code that answered."""

import functools
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from e2edebug_instrumentation.django_requests.view_names import component_and_operation


class CartView(View):
    """A class-based view."""


def about(request: HttpRequest) -> HttpResponse:
    return HttpResponse("")


class Feed:
    """A view that is an instance."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("")


class Site:
    """Has a view as a method."""

    def index(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("")


def drf_viewset(actions: dict[str, str]) -> Any:
    from rest_framework.viewsets import ViewSet

    class ProductViewSet(ViewSet):
        def list(self, request: Any) -> None: ...
        def create(self, request: Any) -> None: ...
        def reserve(self, request: Any) -> None: ...

    return ProductViewSet.as_view(actions)


def drf_view() -> Any:
    from rest_framework.views import APIView

    class PaymentView(APIView):
        def post(self, request: Any) -> None: ...

    return PaymentView.as_view()


def drf_function() -> Any:
    from rest_framework.decorators import api_view

    @api_view(["GET"])
    def health(request: Any) -> None: ...

    return health


def admin_page(registered_class: str) -> Any:
    def changelist_view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("")

    options = type("Options", (), {"object_name": "Order"})()
    changelist_view.model_admin = type(registered_class, (), {"opts": options})()
    return changelist_view


@pytest.mark.parametrize(
    ("make_view", "method", "expected"),
    [
        (lambda: drf_viewset({"get": "list", "post": "create"}), "GET", ("ProductViewSet", "list")),
        (lambda: drf_viewset({"get": "list", "post": "create"}), "POST", ("ProductViewSet", "create")),
        (lambda: drf_viewset({"post": "reserve"}), "POST", ("ProductViewSet", "reserve")),
        (lambda: drf_viewset({"get": "list"}), "OPTIONS", ("ProductViewSet", "options")),
        (drf_view, "POST", ("PaymentView", "post")),
        (drf_function, "GET", ("health", "get")),
        (lambda: CartView.as_view(), "DELETE", ("CartView", "delete")),
        (lambda: never_cache(csrf_exempt(CartView.as_view())), "GET", ("CartView", "get")),
        (lambda: about, "GET", ("about", "get")),
        (lambda: functools.partial(about), "GET", ("about", "get")),
        (Feed, "GET", ("Feed", "get")),
        (lambda: Site().index, "GET", ("Site", "index")),
        (lambda: admin_page("OrderAdmin"), "GET", ("OrderAdmin", "changelist")),
        (lambda: admin_page("ModelAdmin"), "GET", ("OrderAdmin", "changelist")),
    ],
)
def test_a_view_is_named_as_people_call_it(make_view: Any, method: str, expected: tuple[str, str]) -> None:
    assert component_and_operation(make_view(), method) == expected
