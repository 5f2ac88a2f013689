"""Requests answered by Django REST framework."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import include, path
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode


class Ada:
    """Whom the token below stands for."""

    is_authenticated = True
    pk = 7

    def get_username(self) -> str:
        return "ada"


def make_urls() -> type:
    from rest_framework import authentication, exceptions, response, routers, viewsets

    class TokenAuthentication(authentication.BaseAuthentication):
        def authenticate(self, request: Any) -> tuple[Any, None] | None:
            return (Ada(), None) if "Authorization" in request.headers else None

    class ProductViewSet(viewsets.ViewSet):
        authentication_classes = [TokenAuthentication]
        permission_classes: list[Any] = []

        def list(self, request: Any) -> Any:
            return response.Response([])

        def create(self, request: Any) -> Any:
            raise exceptions.ValidationError("no name")

        def retrieve(self, request: Any, pk: str) -> Any:
            raise KeyError(pk)

    router = routers.DefaultRouter()
    router.register("products", ProductViewSet, basename="product")
    return type("Urls", (), {"urlpatterns": [path("", include(router.urls)), path("api/", include(router.urls))]})


@pytest.fixture(autouse=True)
def urls() -> Iterator[None]:
    with (
        override_settings(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"]),
        override_settings(
            ROOT_URLCONF=make_urls(),
            REST_FRAMEWORK={
                "UNAUTHENTICATED_USER": None,
                "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
            },
        ),
    ):
        yield


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    """The one span there is."""
    (span,) = exporter.get_finished_spans()
    return span


@pytest.mark.usefixtures("traced")
def test_a_viewset_gives_its_name_its_action_and_the_user_it_authenticated(
    client: Client, exporter: InMemorySpanExporter
) -> None:
    client.get("/products/", headers={"Authorization": "Bearer secret"})

    attributes = dict(only(exporter).attributes or {})
    assert (attributes["e2edebug.component"], attributes["e2edebug.operation"]) == ("ProductViewSet", "list")
    assert (attributes["enduser.id"], attributes["e2edebug.user.label"]) == ("7", "ada")
    assert "secret" not in str(attributes)


@pytest.mark.usefixtures("traced")
def test_a_refused_value_is_not_an_error(client: Client, exporter: InMemorySpanExporter) -> None:
    client.post("/products/")

    span = only(exporter)
    assert (span.attributes or {})["http.status_code"] == 400
    assert (span.attributes or {})["e2edebug.operation"] == "create"
    assert (span.status.status_code, span.events) == (StatusCode.UNSET, ())


@pytest.mark.usefixtures("traced")
def test_an_unhandled_exception_is_recorded_once(client: Client, exporter: InMemorySpanExporter) -> None:
    client.get("/products/7/")

    span = only(exporter)
    assert [(event.attributes or {})["exception.type"] for event in span.events] == ["KeyError"]
    assert span.status.description == "KeyError: '7'"


@pytest.mark.parametrize(
    ("address", "route"),
    [
        ("/products/", "products/"),
        ("/products/7/", "products/<pk>/"),
        ("/api/products/7/", "api/products/<pk>/"),
        ("/api/products.json", "api/products.<format>"),
        ("/api/products/7.json", "api/products/<pk>.<format>"),
    ],
)
@pytest.mark.usefixtures("traced")
def test_the_regular_expressions_of_a_router_become_readable_routes(
    client: Client, exporter: InMemorySpanExporter, address: str, route: str
) -> None:
    client.get(address)

    span = only(exporter)
    assert (span.name, dict(span.attributes or {})["http.route"]) == (f"GET {route}", route)
