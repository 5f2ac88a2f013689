"""Django's own e-mail back end: `django-email:ops@example.com,dev@example.com`, whatever EMAIL_BACKEND is."""

from email.utils import parseaddr
from smtplib import SMTPRecipientsRefused, SMTPSenderRefused
from typing import Final

from e2edebug.alerts.channels.channel import DeliveryError, OutgoingMessage, PermanentDeliveryError

SCHEME: Final = "django-email"


class DjangoEmailChannel:
    """Some recipients."""

    def __init__(self, url: str) -> None:
        listed = url.partition(":")[2].lstrip("/")
        self._recipients = [one.strip() for one in listed.split(",") if one.strip()]
        if not self._recipients or not all("@" in parseaddr(one)[1] for one in self._recipients):
            raise PermanentDeliveryError("the address is not of the form django-email:ops@example.com")

    def send(self, message: OutgoingMessage) -> None:
        """Send one e-mail from DEFAULT_FROM_EMAIL."""
        try:
            from django.conf import settings
            from django.core.mail import EmailMessage
        except ImportError as error:
            raise PermanentDeliveryError("django-email: needs Django") from error
        if not settings.configured:
            raise PermanentDeliveryError(
                "django-email: works where Django's settings are: `manage.py evaluate_thresholds`"
            )
        mail = EmailMessage(
            subject=message.subject.replace("\n", " "),
            body=message.text,
            to=self._recipients,
            headers={"X-E2Edebug-Delivery": str(message.notification_id)},
        )
        try:
            mail.send()
        except (SMTPRecipientsRefused, SMTPSenderRefused) as error:
            raise PermanentDeliveryError(f"the mail server refuses the address: {type(error).__name__}") from error
        except Exception as error:
            raise DeliveryError(f"the mail server did not take it: {type(error).__name__}: {error}"[:500]) from error
