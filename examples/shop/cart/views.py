"""Looking into the cart and changing what is in it."""

from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cart.current import cart_of
from cart.models import Cart
from catalogue.bestsellers import bestsellers
from catalogue.models import Product


class NewLineSerializer(serializers.Serializer):
    product = serializers.IntegerField(min_value=1)
    quantity = serializers.IntegerField(min_value=1, max_value=20, default=1)


def cart_as_json(cart: Cart) -> dict[str, Any]:
    """Return the cart as the front end shows it."""
    lines = cart.lines.select_related("product").order_by("id")
    return {
        "lines": [{"product": line.product_id, "name": line.product.name, "quantity": line.quantity} for line in lines],
        "total": str(cart.total()),
    }


class CartView(APIView):
    def get(self, request: Request) -> Response:
        return Response({**cart_as_json(cart_of(request)), "others_bought": bestsellers()})

    def delete(self, request: Request) -> Response:
        cart_of(request).lines.all().delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class CartLinesView(APIView):
    def post(self, request: Request) -> Response:
        wanted = NewLineSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        product = get_object_or_404(Product, pk=wanted.validated_data["product"])
        cart = cart_of(request)
        cart.add(product, wanted.validated_data["quantity"])
        return Response(cart_as_json(cart), status=status.HTTP_201_CREATED)
