"""What is done after the customer has the answer."""

from django.conf import settings
from django.core.mail import send_mail

from orders.models import Order
from shop import fault_switches
from shop.celery import app

MOST_ATTEMPTS = 2


class MailServerError(Exception):
    """The mail server does not take the mail."""


@app.task(bind=True, name="orders.send_confirmation", max_retries=MOST_ATTEMPTS - 1, ignore_result=True)
def send_confirmation(self, order_id: int) -> None:
    """Send the customer what was ordered; tried twice."""
    order = Order.objects.select_related("customer").prefetch_related("lines__product").get(pk=order_id)
    lines = [f"{line.quantity} x {line.product.name}" for line in order.lines.all()]
    try:
        _send(order, "\n".join([*lines, "", f"Total: {order.total}"]))
    except MailServerError as refusal:
        raise self.retry(exc=refusal, countdown=0) from refusal


def _send(order: Order, text: str) -> None:
    if fault_switches.is_on("mail_failure"):
        raise MailServerError("the mail server says: 451 try again later")
    send_mail(
        f"Your order {order.reference}", text, settings.DEFAULT_FROM_EMAIL, [order.customer.email or "nobody@shop.test"]
    )
