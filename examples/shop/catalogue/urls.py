from django.urls import path
from rest_framework.routers import SimpleRouter

from catalogue.views import CategoryViewSet, LatestReviewsView, ProductViewSet

router = SimpleRouter()
router.register("categories", CategoryViewSet, basename="category")
router.register("products", ProductViewSet, basename="product")

urlpatterns = [path("reviews/latest/", LatestReviewsView.as_view(), name="latest-reviews"), *router.urls]
