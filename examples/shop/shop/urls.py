"""Every address of the shop."""

from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.http import HttpRequest, JsonResponse
from django.urls import include, path


async def health(request: HttpRequest) -> JsonResponse:
    """Answer without touching the database."""
    return JsonResponse({"status": "ok"})


urlpatterns = [
    path("api/health/", health, name="health"),
    path("api/accounts/", include("accounts.urls")),
    path("api/", include("catalogue.urls")),
    path("api/", include("cart.urls")),
    path("api/", include("orders.urls")),
    path("admin/", admin.site.urls),
    # Gunicorn alone serves the demo; a real shop leaves its static files to its web server.
    path("static/<path:path>", serve, {"insecure": True}),
    path("api/v1/debugging/", include("e2edebug.django.urls")),
]
