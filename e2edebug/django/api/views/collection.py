"""A list of rows, and one of them."""

from typing import Any

from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response
from rest_framework.viewsets import ViewSetMixin

from e2edebug.django.api.endpoint import Endpoint
from e2edebug.django.api.keyset_pagination import KeysetPagination
from e2edebug.django.api.query_parameters import PAGE_PARAMETERS


class Collection(ViewSetMixin, Endpoint, GenericAPIView):
    """Lists with filters, an allow-listed order and pages by key."""

    model: Any = None
    orderings: dict[str, str] = {"id": "id"}
    """What may be ordered by: the name in the API -> the model's field. The first, downwards, is the default."""
    filter_backends = [DjangoFilterBackend]
    filterset_class: Any = None
    pagination_class = KeysetPagination
    lookup_value_regex = "[^/]+"
    reference_description = "Its id."

    def get_queryset(self) -> Any:
        """Return every row."""
        return self.model.objects.all()

    def accepted_parameters(self) -> set[str]:
        """The list takes filters and pages, everything else nothing."""
        if self.action != "list":
            return set()
        return {*self.filterset_class.base_filters, *PAGE_PARAMETERS}

    def get_serializer_context(self) -> dict[str, Any]:
        """Tell serializers what the user may see."""
        return {**super().get_serializer_context(), "shows_personal_data": self.shows_personal_data}

    def list(self, request: Any) -> Response:  # noqa: ARG002  # the signature of an action
        """Return one page."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def shown(self, row: Any, *, is_new: bool = False) -> Response:
        """Return *row* as it is stored."""
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(self.shown_serializer(row).data, status=code)

    def shown_serializer(self, row: Any) -> Any:
        """Return the serializer of a single row."""
        return self.get_serializer_class()(row, context=self.get_serializer_context())

    def validated(self, serializer_class: Any) -> dict[str, Any]:
        """Return what the request says. Raises ValidationError (400) with the fields that are wrong."""
        serializer = serializer_class(data=self.request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


def who(request: Any) -> str:
    """Return the name that stands beside a decision."""
    return str(request.user.get_username())[:150]
