"""Run in a process of its own: raises errors of Django and REST framework for real, and prints what is recorded of them."""

import json
import sys
import traceback
from typing import Any

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    SECRET_KEY="not secret, and long enough for its signatures",
    ROOT_URLCONF="urls",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
)
django.setup()
sys.modules["urls"] = type(sys)("urls")
sys.modules["urls"].urlpatterns = []  # type: ignore[attr-defined]

from django.contrib.auth.decorators import permission_required  # noqa: E402
from django.contrib.auth.models import AnonymousUser, Group  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.validators import validate_email  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.shortcuts import get_object_or_404, render  # noqa: E402
from django.template import engines  # noqa: E402
from django.test import RequestFactory  # noqa: E402
from django.urls import reverse  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework_simplejwt.tokens import AccessToken  # noqa: E402


class Amount(serializers.Serializer):  # type: ignore[type-arg]
    amount = serializers.IntegerField()


class Private(APIView):
    permission_classes = [IsAuthenticated]


def of_a_view() -> None:
    view = Private()
    view.check_permissions(view.initialize_request(RequestFactory().get("/")))


def denied() -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    permission_required("auth.add_user", raise_exception=True)(lambda _request: None)(request)


def of_a_broken_transaction() -> None:
    with transaction.atomic():
        try:
            Group.objects.create(name=None)
        except django.db.IntegrityError:
            Group.objects.count()


def of_a_tag() -> None:
    engines["django"].from_string("{{ items|slice:size }}{% widthratio a b c %}").render({"items": 1, "a": object()})


def rendered_code() -> None:
    class Cart:
        def total(self) -> int:
            return 1 // 0

    engines["django"].from_string("{{ cart.total }}").render({"cart": Cart()})


def without_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM no_such_table")


def without_sense() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELEKT 1")


ACTIONS: dict[str, Any] = {
    "no such table": without_table,
    "form validation": lambda: validate_email("nobody"),
    "serializer validation": lambda: Amount(data={"amount": "x"}).is_valid(raise_exception=True),
    "not authenticated": of_a_view,
    "token": lambda: AccessToken("rubbish"),
    "permission": denied,
    "no row": lambda: Group.objects.get(name="managers"),
    "no page": lambda: get_object_or_404(Group, name="managers"),
    "template syntax": lambda: engines["django"].from_string("{% endif %}"),
    "no template": lambda: render(RequestFactory().get("/"), "missing.html"),
    "no url": lambda: reverse("nowhere"),
    "code below a template": rendered_code,
    "not null": lambda: Group.objects.create(name=None),
    "broken transaction": of_a_broken_transaction,
    "field of a serializer": lambda: Amount(object()).data,
    "statement": without_sense,
    "setting": lambda: settings.NO_SUCH_SETTING,
}

call_command("migrate", verbosity=0)
found = {}
for name, action in ACTIONS.items():
    try:
        action()
    except Exception as error:
        kind = type(error)
        found[name] = {
            "error_type": f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."),
            "error_message": str(error),
            "stack_trace": traceback.format_exc(),
        }
print(json.dumps(found))
