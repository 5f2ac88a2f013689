"""From a full cart to a paid order."""

import secrets

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from cart.models import Cart, CartLine
from catalogue.models import Product
from e2edebug import step, workflow
from orders import payment, tasks
from orders.models import Order, OrderLine


class EmptyCartError(Exception):
    """There is nothing to buy."""


class OutOfStockError(Exception):
    """Somebody else was faster."""


@workflow("checkout")
def check_out(*, customer: AbstractBaseUser, cart: Cart, card_token: str) -> Order:
    """Turn *cart* into an order, charge the card, and return the order (status paid or declined).

    Raises EmptyCartError, OutOfStockError (nothing has changed), or payment.PaymentError: the order is kept
    with status payment_unknown, since the money may have been taken.
    """
    order = open_order(customer, cart)
    try:
        order.payment_reference = payment.charge(
            order_reference=order.reference, amount=order.total, card_token=card_token
        )
        order.status = Order.Status.PAID
    except payment.PaymentDeclinedError:
        order.status = Order.Status.DECLINED
    except payment.PaymentError:
        order.status = Order.Status.PAYMENT_UNKNOWN
        raise
    finally:
        settle(order, cart)
    if order.status == Order.Status.PAID:
        tasks.send_confirmation.delay(order.pk)
    return order


@step(layer="api", component="Checkout", operation="open_order")
@transaction.atomic
def open_order(customer: AbstractBaseUser, cart: Cart) -> Order:
    """Reserve the goods and write the order down, both or neither."""
    lines = list(cart.lines.select_related("product").order_by("product_id"))
    if not lines:
        raise EmptyCartError
    for line in lines:
        reserve(line)
    order = Order.objects.create(
        customer=customer,
        reference=f"SO-{secrets.token_hex(6)}",
        total=sum(line.product.price * line.quantity for line in lines),
        created_at=timezone.now(),
    )
    OrderLine.objects.bulk_create(
        OrderLine(order=order, product=line.product, quantity=line.quantity, price=line.product.price) for line in lines
    )
    return order


def reserve(line: CartLine) -> None:
    """Take the goods of *line* off the shelf. In order of product ids, so that two checkouts cannot deadlock."""
    product = Product.objects.select_for_update().get(pk=line.product_id)
    if product.stock < line.quantity:
        raise OutOfStockError(product.name)
    Product.objects.filter(pk=product.pk).update(stock=F("stock") - line.quantity)


@step(layer="api", component="Checkout", operation="settle")
@transaction.atomic
def settle(order: Order, cart: Cart) -> None:
    """Write down how the payment ended; goods of a declined order go back on the shelf."""
    order.save(update_fields=["status", "payment_reference"])
    if order.status == Order.Status.DECLINED:
        for line in order.lines.order_by("product_id"):
            Product.objects.filter(pk=line.product_id).update(stock=F("stock") + line.quantity)
    else:
        cart.lines.all().delete()
