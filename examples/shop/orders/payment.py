"""The call to the payment provider, another company's service as far as the shop knows."""

from decimal import Decimal

import requests
from django.conf import settings

from e2edebug import step

DECLINED = 402


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
    try:
        answer = requests.post(
            f"{settings.PAYMENT_PROVIDER_URL}/charges",
            json={"order": order_reference, "amount": str(amount), "card": card_token},
            timeout=settings.PAYMENT_TIMEOUT_S,
        )
    except requests.Timeout as late:
        raise PaymentTimeoutError(
            f"no answer from the payment provider within {settings.PAYMENT_TIMEOUT_S} s"
        ) from late
    except requests.RequestException as unreachable:
        raise PaymentError(f"the payment provider cannot be reached: {unreachable}") from unreachable
    if answer.status_code == DECLINED:
        raise PaymentDeclinedError("the card was declined")
    if not answer.ok:
        raise PaymentError(f"the payment provider answered {answer.status_code}")
    return str(answer.json()["reference"])
