"""Session login, logout, and who is asking."""

from typing import Any

from django.contrib.auth import authenticate, login, logout
from django.middleware.csrf import get_token
from rest_framework import serializers, status
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cart.models import Cart


class CredentialsSerializer(serializers.Serializer):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=128)


class SessionLoginView(APIView):
    """Log in with a cookie; what was put into the cart before belongs to the customer afterwards."""

    permission_classes = [AllowAny]
    authentication_classes: list[Any] = []

    def post(self, request: Request) -> Response:
        credentials = CredentialsSerializer(data=request.data)
        credentials.is_valid(raise_exception=True)
        user = authenticate(request, **credentials.validated_data)
        if user is None:
            return Response({"detail": "Unknown user or wrong password."}, status=status.HTTP_401_UNAUTHORIZED)
        anonymous_cart = Cart.objects.filter(session_key=request.session.session_key or "-").first()
        login(request._request, user)
        if anonymous_cart is not None:
            anonymous_cart.hand_over_to(user)
        return Response({"username": user.get_username(), "csrf_token": get_token(request._request)})


class LogoutView(APIView):
    permission_classes = [IsAuthenticated]

    def post(self, request: Request) -> Response:
        logout(request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request: Request) -> Response:
        return Response({"username": request.user.get_username(), "name": request.user.get_full_name()})
