"""What `path("api/v1/debugging/", include("e2edebug.django.urls"))` brings into a project."""

from django.urls import URLPattern, URLResolver

app_name = "debugging"

urlpatterns: list[URLPattern | URLResolver] = []
