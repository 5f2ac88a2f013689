"""What the routes answer with: five queries each, of the kinds that an application makes."""

import os
import urllib.request
from typing import Any

from benchmarks.recorded_requests.shop import FAILS_EVERY
from django.core.cache import cache
from django.db import connection, models
from django.db.models import Avg, Count, F, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse


class _Shop(models.Model):
    class Meta:
        abstract = True
        app_label = "shop"
        managed = False


class Customer(_Shop):
    name = models.CharField(max_length=80)
    city = models.CharField(max_length=40)


class Category(_Shop):
    name = models.CharField(max_length=80)


class Product(_Shop):
    category = models.ForeignKey(Category, on_delete=models.CASCADE)
    name = models.CharField(max_length=80)
    price = models.IntegerField()
    stock = models.IntegerField()


class Review(_Shop):
    product = models.ForeignKey(Product, on_delete=models.CASCADE)
    stars = models.IntegerField()
    body = models.TextField()


class Order(_Shop):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)
    product = models.ForeignKey(Product, on_delete=models.CASCADE)
    amount = models.IntegerField()
    state = models.CharField(max_length=20)


class PaymentDeclined(Exception):  # as an application would call it
    """What the failing request raises."""


_asked_to_pay = 0


def _answer(*found: Any) -> HttpResponse:
    return JsonResponse({"found": [str(one) for one in found]})


def home(request: HttpRequest) -> HttpResponse:
    cache.get("front-page")
    cache.set("front-page", "three tents", 60)
    return _answer(
        list(Category.objects.order_by("name")),
        list(Product.objects.order_by("-price")[:10]),
        list(Review.objects.filter(stars=5).order_by("-id")[:3]),
        Product.objects.count(),
        Order.objects.filter(state="paid").aggregate(Sum("amount")),
    )


def product(request: HttpRequest, pk: int) -> HttpResponse:
    found = Product.objects.get(pk=pk)
    return _answer(
        found,
        Category.objects.get(pk=found.category_id),
        list(Review.objects.filter(product_id=pk).order_by("-id")[:5]),
        Review.objects.filter(product_id=pk).aggregate(Avg("stars"), Count("id")),
        list(Product.objects.filter(category_id=found.category_id).exclude(pk=pk)[:5]),
    )


def reviews(request: HttpRequest, pk: int) -> HttpResponse:
    found = Product.objects.select_related("category").get(pk=pk)
    return _answer(
        found,
        list(Review.objects.filter(product_id=pk).order_by("stars")),
        Review.objects.filter(product_id=pk).values("stars").annotate(Count("id")).order_by("stars").first(),
        Review.objects.filter(product_id=pk, stars__gte=4).exists(),
        Review.objects.filter(product_id=pk, stars__lte=1).count(),
    )


def category(request: HttpRequest, pk: int) -> HttpResponse:
    return _answer(
        Category.objects.get(pk=pk),
        list(Product.objects.filter(category_id=pk).order_by("price")),
        Product.objects.filter(category_id=pk).aggregate(Avg("price")),
        Product.objects.filter(category_id=pk, stock__gt=0).count(),
        list(Category.objects.exclude(pk=pk).order_by("name")),
    )


def search(request: HttpRequest) -> HttpResponse:
    words = request.GET["q"]
    return _answer(
        list(Product.objects.filter(name__icontains=words)[:20]),
        Product.objects.filter(name__icontains=words).count(),
        list(Category.objects.filter(name__istartswith=words)),
        list(Product.objects.filter(id__in=range(1, 1 + len(words)))),
        list(Review.objects.filter(body__contains=words).values_list("product_id", flat=True)[:50]),
    )


def customer(request: HttpRequest, pk: int) -> HttpResponse:
    cache.get_many([f"customer:{pk}:cart", f"customer:{pk}:wishes"])
    return _answer(
        Customer.objects.get(pk=pk),
        Order.objects.filter(customer_id=pk).count(),
        list(Order.objects.filter(customer_id=pk, state="new").select_related("product")[:5]),
        Order.objects.filter(customer_id=pk).aggregate(Sum("amount")),
        list(Customer.objects.filter(city="city 3").order_by("name")[:10]),
    )


def orders_of_customer(request: HttpRequest, pk: int) -> HttpResponse:
    found = Customer.objects.get(pk=pk)
    orders = list(Order.objects.filter(customer_id=pk).order_by("-id")[:3])
    return _answer(found, *(Product.objects.get(pk=order.product_id) for order in orders))


def order(request: HttpRequest, pk: int) -> HttpResponse:
    found = Order.objects.get(pk=pk)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT state, COUNT(*) FROM shop_order WHERE customer_id = %s GROUP BY state", [found.customer_id]
        )
        states = cursor.fetchall()
    return _answer(
        found,
        Customer.objects.get(pk=found.customer_id),
        Product.objects.get(pk=found.product_id),
        states,
        Order.objects.filter(product_id=found.product_id).count(),
    )


def pay(request: HttpRequest, pk: int) -> HttpResponse:
    global _asked_to_pay
    found = Order.objects.select_related("customer").get(pk=pk)
    Product.objects.filter(pk=found.product_id).update(stock=F("stock") - 1)
    call = urllib.request.Request(
        f"{os.environ['BENCHMARK_SINK_URL']}/v1/charges?order={pk}", data=b'{"amount": 1200}', method="POST"
    )
    with urllib.request.urlopen(call) as answered:
        status = answered.status
    _asked_to_pay += 1
    if _asked_to_pay % (FAILS_EVERY // 10) == 0:  # one route of ten
        raise PaymentDeclined(f"card of customer {found.customer_id} was declined for order {pk}")
    Order.objects.filter(pk=pk).update(state="paid")
    return _answer(
        status,
        Order.objects.filter(state="paid").count(),
        list(Order.objects.filter(customer_id=found.customer_id)[:3]),
    )


def stock(request: HttpRequest) -> HttpResponse:
    return _answer(
        Product.objects.filter(stock=0).count(),
        list(Product.objects.filter(stock__lt=5).order_by("stock")[:20]),
        Product.objects.aggregate(Sum("stock")),
        list(Product.objects.values("category_id").annotate(Sum("stock"))),
        list(Review.objects.values("product_id").annotate(Count("id")).order_by("-id__count")[:5]),
    )
