"""How categories, products and reviews look as JSON."""

from typing import Any

from rest_framework import serializers

from catalogue.models import Category, Product, Review


class CategorySerializer(serializers.ModelSerializer):
    class Meta:
        model = Category
        fields = ["id", "name", "slug"]


class ProductListSerializer(serializers.ModelSerializer):
    category = serializers.SerializerMethodField()
    review_count = serializers.SerializerMethodField()

    class Meta:
        model = Product
        fields = ["id", "sku", "name", "price", "stock", "category", "review_count"]

    def get_category(self, product: Product) -> str:
        return product.category.name

    def get_review_count(self, product: Product) -> int:
        counted = getattr(product, "counted_reviews", None)
        return product.reviews.count() if counted is None else counted


class ProductSerializer(serializers.ModelSerializer):
    category = CategorySerializer()
    dimensions = serializers.SerializerMethodField()
    latest_reviews = serializers.SerializerMethodField()

    class Meta:
        model = Product
        fields = ["id", "sku", "name", "description", "price", "stock", "category", "dimensions", "latest_reviews"]

    def get_dimensions(self, product: Product) -> dict[str, int]:
        length, width, height = product.dimensions.split("x")
        return {"length_mm": int(length), "width_mm": int(width), "height_mm": int(height)}

    def get_latest_reviews(self, product: Product) -> list[dict[str, Any]]:
        newest = product.reviews.select_related("customer").order_by("-id")[:5]
        return ReviewSerializer(newest, many=True).data


class ReviewSerializer(serializers.ModelSerializer):
    customer = serializers.CharField(source="customer.first_name", read_only=True)

    class Meta:
        model = Review
        fields = ["id", "product", "customer", "rating", "body", "created_at"]
        read_only_fields = ["product", "created_at"]
