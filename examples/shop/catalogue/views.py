"""Browsing: categories, products, search and reviews."""

from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from catalogue.models import Category, Product, Review
from catalogue.search import search_products
from catalogue.serializers import CategorySerializer, ProductListSerializer, ProductSerializer, ReviewSerializer
from shop import fault_switches

SEARCH_RESULTS = 24
LATEST_REVIEWS = 12


class CategoryViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = Category.objects.all()
    serializer_class = CategorySerializer
    lookup_value_converter = "int"
    pagination_class = None


class ProductViewSet(viewsets.ReadOnlyModelViewSet):
    lookup_value_converter = "int"
    permission_classes = [IsAuthenticatedOrReadOnly]

    def get_queryset(self) -> QuerySet[Product]:
        products = Product.objects.all()
        if category := self.request.query_params.get("category"):
            products = products.filter(category__slug=category)
        if self.action != "list":
            return products.select_related("category")
        if fault_switches.is_on("n_plus_one"):
            return products
        return products.select_related("category").annotate(counted_reviews=_count_of_reviews())

    def get_serializer_class(self) -> type[BaseSerializer]:
        return ProductListSerializer if self.action == "list" else ProductSerializer

    @action(detail=False)
    def search(self, request: Request) -> Response:
        found = search_products(request.query_params.get("q", ""))[:SEARCH_RESULTS]
        return Response([{"id": product.pk, "name": product.name, "price": product.price} for product in found])

    @action(detail=True, methods=["get", "post"])
    def reviews(self, request: Request, pk: Any = None) -> Response:
        product = self.get_object()
        if request.method == "GET":
            newest = product.reviews.select_related("customer").order_by("-id")[:SEARCH_RESULTS]
            return Response(ReviewSerializer(newest, many=True).data)
        serializer = ReviewSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save(product=product, customer=request.user, created_at=timezone.now())
        return Response(serializer.data, status=status.HTTP_201_CREATED)


class LatestReviewsView(APIView):
    """What the front page shows: the newest reviews of the whole shop."""

    def get(self, request: Request) -> Response:
        # prefetch, not select_related: MariaDB begins that join at the customers and sorts every review there is.
        newest = Review.objects.prefetch_related("customer").order_by("-created_at")[:LATEST_REVIEWS]
        return Response(ReviewSerializer(newest, many=True).data)


def _count_of_reviews() -> Coalesce:
    # A subquery runs for the 24 products of the page; Count() over a join groups all products first.
    reviews = Review.objects.filter(product=OuterRef("pk")).order_by().values("product")
    return Coalesce(Subquery(reviews.annotate(how_many=Count("pk")).values("how_many")), 0)
