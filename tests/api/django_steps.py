"""Run in a process of its own: `@step` on what Django and REST framework call, and what became a step."""

import asyncio
import json
import sys
from typing import Any

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    SECRET_KEY="not secret", ROOT_URLCONF="__main__", USE_TZ=True,
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {"builtins": ["__main__"]}}],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "DEFAULT_PERMISSION_CLASSES": []},
)  # fmt: skip
django.setup()

from django import template  # noqa: E402
from django.db import models  # noqa: E402
from django.db.models.signals import pre_init  # noqa: E402
from django.dispatch import Signal, receiver  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.template import engines  # noqa: E402
from django.test import RequestFactory  # noqa: E402
from django.utils.functional import cached_property  # noqa: E402
from django.views import View  # noqa: E402
from opentelemetry import trace  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402
from rest_framework.decorators import action  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.routers import SimpleRouter  # noqa: E402
from rest_framework.viewsets import ViewSet  # noqa: E402

from e2edebug import step  # noqa: E402

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
register = template.Library()
sys.modules["django_steps_tags"] = sys.modules["__main__"]


order_paid = Signal()


class BaseView(View):
    def get(self, request: Any) -> HttpResponse:
        return HttpResponse(self.text())

    def text(self) -> str:
        return "cart"


@step(layer="api")
class CartView(BaseView):
    def post(self, request: Any) -> HttpResponse:
        return HttpResponse(self.text())


@step
class AsyncView(View):
    async def get(self, request: Any) -> HttpResponse:
        return HttpResponse("async")


class PlainView(View):
    def get(self, request: Any) -> HttpResponse:
        return HttpResponse("plain")


@step
class OrderViewSet(ViewSet):
    def list(self, request: Any) -> Response:
        return Response([])

    @action(detail=False, methods=["post"])
    def reorder(self, request: Any) -> Response:
        return Response({})


class InvoiceViewSet(ViewSet):
    @action(detail=False)
    @step
    def below(self, request: Any) -> Response:
        return Response({})

    @step
    @action(detail=False)
    def above(self, request: Any) -> Response:
        return Response({})


class OrderManager(models.Manager):  # type: ignore[type-arg]
    @step
    def open(self) -> int:
        return 1


class Order(models.Model):
    objects = OrderManager()

    class Meta:
        app_label = "auth"

    @step
    def total(self) -> int:
        return 17

    @step
    @property
    def label(self) -> str:
        return "order"

    @step
    @cached_property
    def weight(self) -> int:
        return 3

    @step
    @classmethod
    def parse(cls, text: str) -> "Order":
        return cls()


@receiver(order_paid)
@step
def when_paid(sender: Any, **kwargs: Any) -> None:
    pass


@receiver(pre_init, sender=Order)
@step(layer="system")
def before_order(sender: Any, **kwargs: Any) -> None:
    pass


@register.simple_tag(takes_context=True)
@step
def cart_total(context: Any, currency: str = "EUR") -> str:
    return f"17 {currency}"


@register.filter
@step
def shout(value: str) -> str:
    return value.upper()


router = SimpleRouter()
router.register("orders", OrderViewSet, "order")
router.register("invoices", InvoiceViewSet, "invoice")
urlpatterns = router.urls


def call(path: str, method: str = "get") -> None:
    from django.urls import resolve

    request = getattr(RequestFactory(), method)(path)
    found = resolve(path)
    assert found.func(request, *found.args, **found.kwargs).status_code == 200, path


ACTIONS: dict[str, Any] = {
    "view": lambda: CartView.as_view()(RequestFactory().post("/")),
    "inherited handler": lambda: CartView.as_view()(RequestFactory().get("/")),
    "base class": lambda: BaseView.as_view()(RequestFactory().get("/")),
    "async view": lambda: asyncio.run(AsyncView.as_view()(RequestFactory().get("/"))),
    "as_view": lambda: step(PlainView.as_view())(RequestFactory().get("/")),
    "view set": lambda: call("/orders/"),
    "action of a view set": lambda: call("/orders/reorder/", "post"),
    "action above": lambda: call("/invoices/below/"),
    "action below": lambda: call("/invoices/above/"),
    "manager": lambda: Order.objects.open(),
    "model": lambda: Order().total(),
    "property": lambda: Order().label,
    "cached property": lambda: [one.weight + one.weight for one in [Order()]],
    "class method": lambda: Order.parse("x"),
    "signal": lambda: order_paid.send(None),
    "tag and filter": lambda: engines["django"].from_string("{% cart_total 'USD' %} {{ 'x'|shout }}").render({}),
}

found = {}
for name, run in ACTIONS.items():
    exporter.clear()
    run()
    found[name] = [span.name for span in exporter.get_finished_spans() if span.name != "django_steps.before_order"
                   and span.name != "__main__.before_order"]  # fmt: skip
print(json.dumps(found))
