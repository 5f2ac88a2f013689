"""The cart of whoever sends a request."""

from rest_framework.request import Request

from cart.models import Cart


def cart_of(request: Request) -> Cart:
    """Return the cart of the customer or of the anonymous session, made on first use."""
    if request.user.is_authenticated:
        return Cart.objects.get_or_create(customer=request.user)[0]
    if not request.session.session_key:
        request.session.create()
    return Cart.objects.get_or_create(session_key=request.session.session_key)[0]
