"""The OpenAPI document and a page to read and try it, served from the wheel: no CDN, and a strict policy."""

from importlib import resources
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path
from django.utils.html import format_html
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer
from drf_spectacular.settings import patched_settings
from drf_spectacular.views import SpectacularAPIView
from rest_framework.response import Response

from e2edebug.django.api.endpoint import answer_to_failure
from e2edebug.django.api.openapi import SETTINGS
from e2edebug.django.api.permissions import StaffWithModelPermissions, permission_classes
from e2edebug.django.api.urls import endpoints

# React sets styles through the object model, which 'self' allows; the page's icons are data.
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_ASSETS: Final = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
}
_START: Final = """\
window.addEventListener("load", () => {
  const page = document.getElementById("swagger-ui");
  SwaggerUIBundle({
    url: page.dataset.schema,
    domNode: page,
    deepLinking: true,
    validatorUrl: null,
    requestInterceptor: (request) => {
      const token = document.cookie.split("; ").find((one) => one.startsWith(page.dataset.csrfCookie + "="));
      if (token) request.headers["X-CSRFToken"] = token.slice(token.indexOf("=") + 1);
      return request;
    },
  });
});
"""


class StaffOnly(StaffWithModelPermissions):
    """The document names no data, so it needs no permission on a model."""

    def required(self, request: Any, view: Any) -> list[str]:  # noqa: ARG002  # the signature of the base class
        """Return nothing."""
        return []


class SchemaView(SpectacularAPIView):
    """The document, with the paths under which the API stands in this project."""

    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer]
    throttle_classes: list[Any] = []
    versioning_class = None
    schema = None
    custom_settings = SETTINGS

    def get_permissions(self) -> list[Any]:
        """Return the permission that the setting names, else: staff."""
        named = permission_classes()
        return [StaffOnly()] if named == [StaffWithModelPermissions] else [one() for one in named]

    def get_exception_handler(self) -> Any:
        """Answer as the other endpoints do."""
        return answer_to_failure

    def get(self, request: Any, *_arguments: Any, **_named: Any) -> Response:
        """Return the document."""
        prefix = request.path.removesuffix("schema/").lstrip("/")
        self.patterns = [path(prefix, include((endpoints, "debugging")))]
        self.urlconf = None
        with patched_settings(SETTINGS):
            return self._get_schema_response(request)


def swagger_page(request: HttpRequest) -> HttpResponse:
    """Return the page; what it shows asks for permissions by itself."""
    from django.conf import settings

    base = request.path.removesuffix("docs/")
    page = format_html(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>e2edebug: REST API</title>'
        '<link rel="stylesheet" href="{base}docs/swagger-ui.css">'
        '<script src="{base}docs/swagger-ui-bundle.js"></script><script src="{base}docs/start.js"></script></head>'
        '<body><div id="swagger-ui" data-schema="{base}schema/" data-csrf-cookie="{cookie}"></div></body></html>',
        base=base,
        cookie=settings.CSRF_COOKIE_NAME,
    )
    return _with_policy(HttpResponse(page))


def asset(_request: HttpRequest, name: str) -> HttpResponse:
    """Return a file of Swagger UI from the package drf-spectacular-sidecar."""
    if name == "start.js":
        return _with_policy(HttpResponse(_START, content_type="text/javascript; charset=utf-8"))
    content_type = _ASSETS.get(name)
    if content_type is None:
        raise Http404
    folder = resources.files("drf_spectacular_sidecar") / "static" / "drf_spectacular_sidecar" / "swagger-ui-dist"
    response = _with_policy(HttpResponse((folder / name).read_bytes(), content_type=content_type))
    response["Cache-Control"] = "public, max-age=86400"
    return response


def _with_policy(response: HttpResponse) -> HttpResponse:
    response["Content-Security-Policy"] = PAGE_POLICY
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "no-referrer"
    return response
