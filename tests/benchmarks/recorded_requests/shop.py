"""The Django site whose requests are recorded: ten routes of a shop with five queries each, on MariaDB.

Two routes also ask a cache, one calls another service, and one request in a hundred fails.
"""

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

PRODUCTS = 60
ORDERS = 400
FAILS_EVERY = 100


def site_settings() -> dict[str, Any]:
    """Return Django's settings."""
    pymysql.install_as_MySQLdb()
    url = urlsplit(os.environ["BENCHMARK_DATABASE_URL"])
    return {
        "SECRET_KEY": "for a benchmark",
        "ALLOWED_HOSTS": ["*"],
        "ROOT_URLCONF": __name__,
        "USE_TZ": True,
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "INSTALLED_APPS": ["django.contrib.contenttypes", "django.contrib.auth"],
        "MIDDLEWARE": ["django.middleware.common.CommonMiddleware"],
        "DATABASES": {
            "default": {
                "ENGINE": "django.db.backends.mysql",
                "HOST": url.hostname,
                "PORT": url.port,
                "USER": url.username,
                "PASSWORD": unquote(url.password or ""),
                "NAME": url.path.lstrip("/"),
                "CONN_MAX_AGE": None,
            }
        },
        "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        "LOGGING_CONFIG": None,
    }


def make_tables() -> None:
    """Create and fill the tables."""
    from django.db import connection

    statements = [
        "CREATE TABLE shop_customer (id BIGINT PRIMARY KEY, name VARCHAR(80), city VARCHAR(40))",
        "CREATE TABLE shop_category (id BIGINT PRIMARY KEY, name VARCHAR(80))",
        "CREATE TABLE shop_product (id BIGINT PRIMARY KEY, category_id BIGINT, name VARCHAR(80), price INT, stock INT)",
        "CREATE TABLE shop_review (id BIGINT PRIMARY KEY, product_id BIGINT, stars INT, body TEXT)",
        "CREATE TABLE shop_order (id BIGINT PRIMARY KEY, customer_id BIGINT, product_id BIGINT, amount INT, state VARCHAR(20))",
        *(f"INSERT INTO shop_category VALUES ({n}, 'category {n}')" for n in range(6)),
        *(f"INSERT INTO shop_customer VALUES ({n}, 'customer {n}', 'city {n % 7}')" for n in range(50)),
        *(f"INSERT INTO shop_product VALUES ({n}, {n % 6}, 'product {n}', {n * 7}, 9)" for n in range(PRODUCTS)),
        *(f"INSERT INTO shop_review VALUES ({n}, {n % PRODUCTS}, {n % 6}, 'body {n}')" for n in range(PRODUCTS * 4)),
        *(
            f"INSERT INTO shop_order VALUES ({n}, {n % 50}, {n % PRODUCTS}, {n % 4}, '{'paid' if n % 3 else 'new'}')"
            for n in range(ORDERS)
        ),
    ]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def paths(number: int) -> list[str]:
    """Return the paths of one round of requests, one for each route; *number* varies what they ask for."""
    product, customer, order = number * 13 % PRODUCTS, number * 17 % 50, number * 29 % ORDERS
    return [
        "/",
        f"/products/{product}/",
        f"/products/{product}/reviews/?page={number % 9}",
        f"/categories/{number % 6}/?sort=price",
        f"/search/?q=product+{number}",
        f"/customers/{customer}/",
        f"/customers/{customer}/orders/",
        f"/orders/{order}/",
        f"/orders/{order}/pay/",
        "/stock/",
    ]


def _urlpatterns() -> list[Any]:
    from benchmarks.recorded_requests import views
    from django.urls import path

    routes: dict[str, Callable[..., Any]] = {
        "": views.home,
        "products/<int:pk>/": views.product,
        "products/<int:pk>/reviews/": views.reviews,
        "categories/<int:pk>/": views.category,
        "search/": views.search,
        "customers/<int:pk>/": views.customer,
        "customers/<int:pk>/orders/": views.orders_of_customer,
        "orders/<int:pk>/": views.order,
        "orders/<int:pk>/pay/": views.pay,
        "stock/": views.stock,
    }
    return [path(route, view) for route, view in routes.items()]


def __getattr__(name: str) -> Any:
    # Django reads it once the settings are configured; the views' models cannot be imported before.
    if name == "urlpatterns":
        return _urlpatterns()
    raise AttributeError(name)
