"""Another service failed, or could not be reached."""

import re
from typing import Final

from e2edebug.policy.error_class.evidence import Raised

NAME: Final = "external"

_PACKAGES: Final = frozenset(
    {
        "requests", "httpx", "httpcore", "urllib", "urllib3", "aiohttp", "http", "smtplib", "imaplib", "poplib", "ftplib",
        "redis", "pymemcache", "kombu", "amqp", "botocore", "boto3", "stripe", "grpc", "elasticsearch", "ssl",
        "twilio", "sendgrid",
    }
)  # fmt: skip
_NAMES: Final = (
    "ConnectionError", "ConnectionRefusedError", "ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError",
    "gaierror", "herror", "SSLError", "SSLCertVerificationError", "HTTPError", "URLError", "RemoteDisconnected",
    "BadGatewayError", "ServiceUnavailable",
)  # fmt: skip
_ENDINGS: Final = ("ServerError", "ServiceError", "GatewayError", "ProviderError", "UnavailableError")
_STATUS: Final = re.compile(r"\b([45]\d\d)\b")


def matches(raised: Raised) -> bool:
    """By the library that made the call, and by the sockets below it."""
    return raised.package in _PACKAGES or raised.is_named(*_NAMES) or raised.short_name.endswith(_ENDINGS)


def suggestion(raised: Raised) -> str:
    """By how far the call came."""
    text = f"{raised.short_name} {raised.message}"
    lowered = text.lower()
    if "gaierror" in lowered or "name or service not known" in lowered or "name resolution" in lowered:
        return "The host's name could not be resolved: check it for a typing error, and the DNS of this machine or container."
    if "ssl" in lowered or "certificate" in lowered:
        return (
            "The certificate was refused: check its host name and date, and that the CA bundle of this machine is current. "
            "Do not switch verification off."
        )
    if "refused" in lowered:
        return (
            "Nothing listens at that address: check host and port, and whether the service runs; nothing was sent, so "
            "repeating is safe."
        )
    status = _STATUS.search(raised.message)
    if status is not None and _is_of_mail(raised):
        return _suggestion_for_mail(status.group(1))
    if status is not None and status.group(1) in ("401", "403"):
        return (
            f"The other service answered {status.group(1)}: our key or token for it is wrong, expired or lacks the right; "
            f"it is not this user's login."
        )
    if status is not None and status.group(1) == "429":
        return (
            "The other service limits how often it is called: honour its Retry-After header, and spread or cache the "
            "calls."
        )
    if status is not None and status.group(1).startswith("4"):
        return (
            f"The other service refused what we sent ({status.group(1)}): compare the request with its documentation; "
            f"repeating it as it is will not help."
        )
    if status is not None:
        return (
            f"The other service failed ({status.group(1)}): repeat what is safe to do twice, after a pause that grows, and "
            f"decide what the user sees meanwhile."
        )
    return (
        "The connection to another service broke: whether it acted is not known, so repeat only what is safe to do twice, "
        "and decide what the user sees while it is away."
    )


def _is_of_mail(raised: Raised) -> bool:
    return raised.package == "smtplib" or "mail" in raised.short_name.lower() or "smtp" in raised.short_name.lower()


def _suggestion_for_mail(code: str) -> str:
    # In SMTP, 4 says "not now" and 5 "never" (RFC 5321, 4.2.1): the other way round than in HTTP.
    if code.startswith("4"):
        return f"The mail server cannot take it now ({code}): try again later, after a pause that grows, in a task of its own."
    return f"The mail server refused it for good ({code}): check address, sender and login; repeating it will not help."
