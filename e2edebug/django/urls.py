"""What `path("api/v1/debugging/", include("e2edebug.django.urls"))` brings into a project."""

from django.urls import URLPattern, URLResolver, path

from e2edebug.django.api.pages import SchemaView, asset, swagger_page
from e2edebug.django.api.urls import endpoints, fallback
from e2edebug.django.ingest_view import not_received, receive

app_name = "debugging"

urlpatterns: list[URLPattern | URLResolver] = [
    *endpoints,
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", swagger_page, name="docs"),
    path("docs/<str:name>", asset, name="docs-asset"),
    path("ingest/v1/traces", receive, {"signal": "traces"}, name="ingest"),
    path("ingest/v1/<str:name>", not_received),
    fallback,
]
