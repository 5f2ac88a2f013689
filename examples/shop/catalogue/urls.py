from django.urls import path
from rest_framework.routers import SimpleRouter

from catalogue.views import CategoryViewSet, LatestReviewsView, ProductViewSet

# Routes that people can read: `products/<int:pk>/`, not a regular expression.
router = SimpleRouter(use_regex_path=False)
router.register("categories", CategoryViewSet, basename="category")
router.register("products", ProductViewSet, basename="product")

urlpatterns = [path("reviews/latest/", LatestReviewsView.as_view(), name="latest-reviews"), *router.urls]
