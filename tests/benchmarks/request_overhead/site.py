"""The Django site of this benchmark: one DRF endpoint that makes five ORM queries on MariaDB."""

import os
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

PRODUCTS = 50
QUERIES = 5


def site_settings() -> dict[str, Any]:
    """Return Django's settings; each case adds to them before they are configured."""
    # PyMySQL for every case: it installs without a compiler, so that the run repeats anywhere.
    pymysql.install_as_MySQLdb()
    url = urlsplit(os.environ["BENCHMARK_DATABASE_URL"])
    return {
        "SECRET_KEY": "for a benchmark",
        "ALLOWED_HOSTS": ["*"],
        "ROOT_URLCONF": __name__,
        "USE_TZ": True,
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "INSTALLED_APPS": [
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "rest_framework",
        ],
        "MIDDLEWARE": [
            "django.middleware.security.SecurityMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
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
        "REST_FRAMEWORK": {
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "DEFAULT_PERMISSION_CLASSES": [],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        },
        "LOGGING_CONFIG": None,
    }


def make_tables() -> None:
    """Create and fill the tables of the endpoint."""
    from django.db import connection

    statements = [
        "CREATE TABLE category (id BIGINT PRIMARY KEY, name VARCHAR(80))",
        "CREATE TABLE product (id BIGINT PRIMARY KEY, category_id BIGINT, name VARCHAR(80), price INT, KEY (category_id))",
        "CREATE TABLE review (id BIGINT PRIMARY KEY, product_id BIGINT, stars INT, body TEXT, KEY (product_id))",
        *(f"INSERT INTO category VALUES ({n}, 'category {n}')" for n in range(5)),
        *(f"INSERT INTO product VALUES ({n}, {n % 5}, 'product {n}', {n * 7})" for n in range(PRODUCTS)),
        *(f"INSERT INTO review VALUES ({n}, {n % PRODUCTS}, {n % 6}, 'body {n}')" for n in range(PRODUCTS * 4)),
    ]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _urlpatterns() -> list[Any]:
    from benchmarks.request_overhead.product_view import ProductView
    from django.urls import path

    return [path("products/<int:pk>/", ProductView.as_view())]


def __getattr__(name: str) -> Any:
    # Django reads it once the settings are configured; the view's models cannot be imported before.
    if name == "urlpatterns":
        return _urlpatterns()
    raise AttributeError(name)
