"""Checkout and the customer's orders."""

from django.db.models import QuerySet
from rest_framework import serializers, status, viewsets
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cart.current import cart_of
from catalogue.bestsellers import bestsellers
from orders import payment
from orders.checkout import EmptyCartError, OutOfStockError, check_out
from orders.models import Order, OrderLine


class OrderLineSerializer(serializers.ModelSerializer):
    name = serializers.CharField(source="product.name")

    class Meta:
        model = OrderLine
        fields = ["product", "name", "quantity", "price"]


class OrderSerializer(serializers.ModelSerializer):
    lines = OrderLineSerializer(many=True)

    class Meta:
        model = Order
        fields = ["id", "reference", "status", "total", "created_at", "lines"]


class CheckoutSerializer(serializers.Serializer):
    card_token = serializers.CharField(max_length=64)


class OrderViewSet(viewsets.ReadOnlyModelViewSet):
    lookup_value_converter = "int"
    serializer_class = OrderSerializer
    permission_classes = [IsAuthenticated]

    def get_queryset(self) -> QuerySet[Order]:
        return Order.objects.filter(customer=self.request.user).prefetch_related("lines__product")


class CheckoutView(APIView):
    permission_classes = [IsAuthenticated]

    def post(self, request: Request) -> Response:
        form = CheckoutSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            order = check_out(
                customer=request.user, cart=cart_of(request), card_token=form.validated_data["card_token"]
            )
        except EmptyCartError:
            return Response({"detail": "The cart is empty."}, status=status.HTTP_400_BAD_REQUEST)
        except OutOfStockError as sold_out:
            return Response({"detail": f"{sold_out} is sold out."}, status=status.HTTP_409_CONFLICT)
        except payment.PaymentTimeoutError:
            return Response({"detail": "The payment is taking too long."}, status=status.HTTP_504_GATEWAY_TIMEOUT)
        except payment.PaymentError:
            return Response({"detail": "The payment failed."}, status=status.HTTP_502_BAD_GATEWAY)
        if order.status == Order.Status.DECLINED:
            return Response({"detail": "The card was declined."}, status=status.HTTP_402_PAYMENT_REQUIRED)
        return Response({**OrderSerializer(order).data, "others_bought": bestsellers()}, status=status.HTTP_201_CREATED)
