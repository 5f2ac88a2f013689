"""Every address of the shop."""

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
    path("api/v1/debugging/", include("e2edebug.django.urls")),
]
