"""The call to the payment provider, another company's service as far as the shop knows."""

import json
import urllib.error
import urllib.request
from decimal import Decimal

from django.conf import settings

from e2edebug import step


class PaymentError(Exception):
    """The provider could not be asked; whether it took the money is not known."""


class PaymentTimeoutError(PaymentError):
    """The provider did not answer in time."""


class PaymentDeclinedError(Exception):
    """The provider answered, and the answer is no."""


@step(layer="external", component="payment-provider", operation="charge")
def charge(*, order_reference: str, amount: Decimal, card_token: str) -> str:
    """Charge the card and return the provider's reference.

    Raises PaymentDeclinedError, PaymentTimeoutError after PAYMENT_TIMEOUT_S seconds, or PaymentError.
    """
    request = urllib.request.Request(
        f"{settings.PAYMENT_PROVIDER_URL}/charges",
        data=json.dumps({"order": order_reference, "amount": str(amount), "card": card_token}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=settings.PAYMENT_TIMEOUT_S) as answer:
            return str(json.load(answer)["reference"])
    except urllib.error.HTTPError as refusal:
        if refusal.code == 402:
            raise PaymentDeclinedError("the card was declined") from refusal
        raise PaymentError(f"the payment provider answered {refusal.code}") from refusal
    except TimeoutError as late:
        raise PaymentTimeoutError(
            f"no answer from the payment provider within {settings.PAYMENT_TIMEOUT_S} s"
        ) from late
    except urllib.error.URLError as unreachable:
        if isinstance(unreachable.reason, TimeoutError):
            raise PaymentTimeoutError("the payment provider could not be reached in time") from unreachable
        raise PaymentError(f"the payment provider cannot be reached: {unreachable.reason}") from unreachable
