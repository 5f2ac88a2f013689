"""A shop full of goods, customers and reviews: the same ones on every machine."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.text import slugify

from catalogue.models import Category, Product, Review
from orders.models import Order, OrderLine

PASSWORD = "correct horse"
STAFF = "staff"
FIRST_DAY = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
ROWS_PER_INSERT = 1000

CATEGORIES = {
    "Tents": ["Tunnel tent", "Dome tent", "Tarp", "Family tent"],
    "Sleeping bags": ["Down bag", "Summer bag", "Quilt", "Liner"],
    "Backpacks": ["Day pack", "Trekking pack", "Travel pack", "Hip pack"],
    "Stoves": ["Gas stove", "Spirit burner", "Wood stove", "Multi-fuel stove"],
    "Cookware": ["Pot set", "Kettle", "Titanium mug", "Pan"],
    "Boots": ["Hiking boot", "Approach shoe", "Winter boot", "Trail shoe"],
    "Jackets": ["Rain jacket", "Down jacket", "Softshell", "Windbreaker"],
    "Trousers": ["Trekking trousers", "Rain trousers", "Shorts", "Thermal tights"],
    "Lamps": ["Head torch", "Lantern", "Bicycle light", "String lights"],
    "Navigation": ["Compass", "Map case", "Altimeter", "GPS device"],
    "Climbing": ["Harness", "Rope", "Carabiner set", "Helmet"],
    "Water": ["Filter", "Bottle", "Hydration bladder", "Canister"],
}
MAKERS = ["Nordlicht", "Alpenglow", "Fjordal", "Pinecone", "Karst & Co", "Brennert", "Tundra", "Weissbach"]
COLOURS = ["moss", "slate", "rust", "sand", "ink", "fern", "amber", "snow"]
FIRST_NAMES = ["Ada", "Bo", "Chiara", "Deniz", "Elif", "Farah", "Goran", "Hana", "Ivo", "Jun", "Käthe", "Łucja", "Mira"]
LAST_NAMES = [
    "Abel",
    "Brandt",
    "Costa",
    "Dvořák",
    "Eriksen",
    "Fontaine",
    "García",
    "Huber",
    "Ito",
    "Jansen",
    "Kowalski",
]
OPINIONS = [
    "Used it for a week in the rain and it stayed dry.",
    "The zip feels cheap and jammed on the second day.",
    "Lighter than it looks, and it packs small.",
    "Arrived late, but the quality makes up for it.",
    "My second one: the first lasted nine years.",
    "Too small for me, the exchange went smoothly.",
    "Does what it should, no more and no less.",
    "The colour is nothing like the picture.",
    "Survived a storm at 2,000 metres without a scratch.",
    "Good value, though the instructions are a riddle.",
]


def make_sample_data(
    *, products: int, reviews: int, customers: int = 200, orders: int = 1500, say: Callable[[str], None]
) -> bool:
    """Fill an empty shop and return True; leave a shop that has products alone and return False.

    *say* is told what is being made, one short line at a time.
    """
    if Product.objects.exists():
        return False
    dice = random.Random(20260105)
    with transaction.atomic():
        say(f"{customers} customers")
        _make_customers(dice, customers)
        say(f"{products:,} products in {len(CATEGORIES)} categories")
        _make_products(dice, products)
        say(f"{reviews:,} reviews")
        _make_reviews(dice, reviews)
        say(f"{orders:,} orders")
        _make_orders(dice, orders)
    return True


def make_staff() -> None:
    """Make the one who may look into the admin, unless they are there."""
    if not User.objects.filter(username=STAFF).exists():
        User.objects.create_superuser(STAFF, password=PASSWORD)


def _make_customers(dice: random.Random, how_many: int) -> None:
    # One hash for all: a password hash is slow on purpose, and these people share a password anyway.
    password = make_password(PASSWORD)
    User.objects.bulk_create(
        User(
            username=f"customer{number}",
            first_name=dice.choice(FIRST_NAMES),
            last_name=dice.choice(LAST_NAMES),
            email=f"customer{number}@shop.example",
            password=password,
            date_joined=FIRST_DAY + timedelta(hours=dice.randrange(5000)),
        )
        for number in range(1, how_many + 1)
    )


def _make_products(dice: random.Random, how_many: int) -> None:
    categories = {name: Category.objects.create(name=name, slug=slugify(name)) for name in CATEGORIES}

    def products() -> Iterator[Product]:
        for number in range(1, how_many + 1):
            category = dice.choice(list(CATEGORIES))
            kind, maker, colour = dice.choice(CATEGORIES[category]), dice.choice(MAKERS), dice.choice(COLOURS)
            yield Product(
                category=categories[category],
                sku=f"{category[:3].upper()}-{number:05}",
                name=f"{maker} {kind} {dice.randrange(20, 99)} {colour}",
                description=f"{kind} by {maker}. " + " ".join(dice.sample(OPINIONS, 3)),
                price=Decimal(dice.randrange(490, 49900)) / 100,
                stock=dice.randrange(2_000, 20_000),
                dimensions=f"{dice.randrange(50, 900)}x{dice.randrange(50, 600)}x{dice.randrange(10, 400)}",
                added_at=FIRST_DAY + timedelta(hours=dice.randrange(6000)),
            )

    Product.objects.bulk_create(products(), batch_size=ROWS_PER_INSERT)


def _make_reviews(dice: random.Random, how_many: int) -> None:
    products = list(Product.objects.values_list("pk", flat=True))
    customers = list(User.objects.values_list("pk", flat=True))
    Review.objects.bulk_create(
        (
            Review(
                product_id=dice.choice(products),
                customer_id=dice.choice(customers),
                rating=dice.choices([1, 2, 3, 4, 5], weights=[1, 1, 2, 5, 6])[0],
                body=" ".join(dice.sample(OPINIONS, dice.randrange(1, 5))),
                created_at=FIRST_DAY + timedelta(seconds=dice.randrange(26_000_000)),
            )
            for _ in range(how_many)
        ),
        batch_size=ROWS_PER_INSERT,
    )


def _make_orders(dice: random.Random, how_many: int) -> None:
    prices = dict(Product.objects.values_list("pk", "price"))
    products = list(prices)
    customers = list(User.objects.values_list("pk", flat=True))
    baskets = [
        [(product, dice.randrange(1, 4)) for product in dice.sample(products, dice.randrange(1, 5))]
        for _ in range(how_many)
    ]
    Order.objects.bulk_create(
        (
            Order(
                customer_id=dice.choice(customers),
                reference=f"SO-{number:012x}",
                status=Order.Status.PAID,
                total=sum((prices[product] * quantity for product, quantity in basket), Decimal(0)),
                payment_reference=f"old-{number}",
                created_at=FIRST_DAY + timedelta(seconds=dice.randrange(26_000_000)),
            )
            for number, basket in enumerate(baskets, start=1)
        ),
        batch_size=ROWS_PER_INSERT,
    )
    # Read back rather than taken from bulk_create: MySQL does not return the ids of many rows.
    ids = dict(Order.objects.values_list("reference", "pk"))
    OrderLine.objects.bulk_create(
        (
            OrderLine(order_id=ids[f"SO-{number:012x}"], product_id=product, quantity=quantity, price=prices[product])
            for number, basket in enumerate(baskets, start=1)
            for product, quantity in basket
        ),
        batch_size=ROWS_PER_INSERT,
    )
