from django.urls import path
from rest_framework.routers import SimpleRouter

from orders.views import CheckoutView, OrderViewSet

# Routes that people can read: `products/<int:pk>/`, not a regular expression.
router = SimpleRouter(use_regex_path=False)
router.register("orders", OrderViewSet, basename="order")

urlpatterns = [path("checkout/", CheckoutView.as_view(), name="checkout"), *router.urls]
