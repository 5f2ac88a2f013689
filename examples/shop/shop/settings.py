"""Settings of the example shop."""

import os
from datetime import timedelta
from pathlib import Path

import e2edebug.auto  # noqa: F401  # the one line that a project adds
from shop.broker import broker_settings
from shop.database import database_from_url

BASE_DIR = Path(__file__).resolve().parent.parent
WORK_FOLDER = Path(os.environ.get("SHOP_WORK_FOLDER", BASE_DIR / ".demo"))
WORK_FOLDER.mkdir(parents=True, exist_ok=True)

SECRET_KEY = os.environ.get("SHOP_SECRET_KEY", "an example, not a secret: nothing real is ever signed with it")
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "e2edebug.django",  # models, migrations, REST API, commands and checks over what is recorded
    "accounts",
    "catalogue",
    "cart",
    "orders",
]
MIDDLEWARE = [
    "e2edebug.django.middleware.CorrelationIdMiddleware",
    "e2edebug.django.middleware.DebuggingMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
DATABASES = {"default": database_from_url(os.environ.get("DATABASE_URL"), folder=WORK_FOLDER)}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",  # one for all processes, and no server
        "LOCATION": WORK_FOLDER / "cache",
    }
}
if "SHOP_REDIS_URL" in os.environ:
    CACHES["default"] = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": os.environ["SHOP_REDIS_URL"],
    }
globals().update(broker_settings(os.environ.get("CELERY_BROKER_URL"), folder=WORK_FOLDER))
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = WORK_FOLDER / "mail"
DEFAULT_FROM_EMAIL = "orders@shop.test"
PASSWORD_HASHERS = ["accounts.hashers.QuickPasswordHasher"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 24,
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": timedelta(hours=2)}

PAYMENT_PROVIDER_URL = os.environ.get("PAYMENT_PROVIDER_URL", "http://127.0.0.1:8091")
PAYMENT_TIMEOUT_S = float(os.environ.get("PAYMENT_TIMEOUT_S", "1.5"))

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}

# Which requests belong to which workflow; "checkout" names itself, with a decorator in orders/checkout.py.
E2EDEBUG = {
    "EXCLUDED_URLS": "/admin/,/static/",  # whoever looks at what happened is not what happened
    # The payment provider is another company: it learns nothing of our workflows.
    "PROPAGATE_TO": "*.shop.internal",
    "WORKFLOW_RULES": "POST /api/checkout/=checkout; POST /api/accounts/login/=login; POST /api/accounts/token/=login; "
    "GET /api/products/search/=search; POST /api/products/*=review; GET /api/products/*=browse; "
    "GET /api/reviews/*=browse; * /api/cart/*=cart; GET /api/orders/*=orders",
}
