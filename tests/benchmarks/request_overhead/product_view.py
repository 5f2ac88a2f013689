"""The endpoint that is measured, and its models."""

from typing import Any

from django.db import models
from django.db.models import Avg, Count
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.views import APIView


class Category(models.Model):
    name = models.CharField(max_length=80)

    class Meta:
        app_label = "benchmark"
        db_table = "category"
        managed = False


class Product(models.Model):
    category = models.ForeignKey(Category, on_delete=models.CASCADE)
    name = models.CharField(max_length=80)
    price = models.IntegerField()

    class Meta:
        app_label = "benchmark"
        db_table = "product"
        managed = False


class Review(models.Model):
    product = models.ForeignKey(Product, on_delete=models.CASCADE)
    stars = models.IntegerField()
    body = models.TextField()

    class Meta:
        app_label = "benchmark"
        db_table = "review"
        managed = False


class ProductSerializer(ModelSerializer[Product]):
    class Meta:
        model = Product
        fields = ("id", "name", "price", "category")


class ReviewSerializer(ModelSerializer[Review]):
    class Meta:
        model = Review
        fields = ("id", "stars", "body")


class ProductView(APIView):
    def get(self, request: Request, pk: int) -> Response:
        """Answer with five queries: the product, its category, its reviews, their mean, its neighbours."""
        product = Product.objects.get(pk=pk)
        category = Category.objects.get(pk=product.category_id)
        reviews = list(Review.objects.filter(product_id=pk).order_by("-id")[:5])
        mean: dict[str, Any] = Review.objects.filter(product_id=pk).aggregate(Avg("stars"), Count("id"))
        neighbours = list(Product.objects.filter(category_id=product.category_id).exclude(pk=pk)[:5])
        return Response(
            {
                "product": ProductSerializer(product).data,
                "category": category.name,
                "reviews": ReviewSerializer(reviews, many=True).data,
                "stars": mean,
                "neighbours": ProductSerializer(neighbours, many=True).data,
            }
        )
