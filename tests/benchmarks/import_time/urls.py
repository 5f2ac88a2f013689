"""The one view of the project that is started."""

from typing import Any

from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView


class Answer(APIView):
    def get(self, request: Any) -> Response:
        """Answer."""
        return Response({})


urlpatterns = [path("", Answer.as_view())]
