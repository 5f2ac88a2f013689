"""From an address to its channel."""

from e2edebug.alerts.channels import django_email, webhook
from e2edebug.alerts.channels.addresses import AddressPolicy
from e2edebug.alerts.channels.apprise_channel import AppriseChannel
from e2edebug.alerts.channels.channel import Channel, PermanentDeliveryError
from e2edebug.alerts.channels.django_email import DjangoEmailChannel
from e2edebug.alerts.channels.webhook import WebhookChannel
from e2edebug.alerts.routes import Route, RouteError, with_environment


def open_channel(route: Route, policy: AddressPolicy) -> Channel:
    """Return the channel of *route*. Raises PermanentDeliveryError when its address cannot be used."""
    try:
        url, secret = with_environment(route.url), with_environment(route.secret)
    except RouteError as error:
        raise PermanentDeliveryError(str(error)) from error
    scheme = url.partition(":")[0].lower()
    if scheme in webhook.SCHEMES:
        return WebhookChannel(url, secret=secret, policy=policy)
    if scheme == django_email.SCHEME:
        return DjangoEmailChannel(url)
    return AppriseChannel(url, policy=policy)
