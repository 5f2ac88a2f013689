"""What the shop recommends: worked out from every review there is, and kept in the cache."""

from typing import Any

from django.core.cache import cache
from django.db.models import Avg, Count, F

from catalogue.models import Product
from shop import fault_switches

HOW_MANY = 6
KEPT_FOR_S = 300


def bestsellers() -> list[dict[str, Any]]:
    """Return the best-liked products, from the cache if it has them."""
    # A time to live of zero: what a deployment with an empty setting does to every cache there is.
    keep_s = 0 if fault_switches.is_on("cold_cache") else KEPT_FOR_S
    key = "catalogue:bestsellers:cold" if not keep_s else "catalogue:bestsellers"
    found: list[dict[str, Any]] = cache.get_or_set(key, _work_out, keep_s)
    return found


def _work_out() -> list[dict[str, Any]]:
    liked = Product.objects.annotate(reviewed=Count("reviews"), rating=Avg("reviews__rating"))
    best = liked.filter(reviewed__gt=0).order_by(F("rating") * F("reviewed") * -1, "id")[:HOW_MANY]
    return [{"id": product.pk, "name": product.name} for product in best]
