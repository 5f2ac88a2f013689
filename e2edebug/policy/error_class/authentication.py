"""Nobody knows who is asking."""

from typing import Final

from e2edebug.policy.error_class.evidence import Raised

NAME: Final = "authentication"

_NAMES: Final = (
    "AuthenticationFailed", "NotAuthenticated", "InvalidToken", "TokenError", "ExpiredSignatureError", "DecodeError",
    "InvalidSignatureError", "InvalidTokenError", "InvalidAudienceError", "InvalidIssuerError", "ExpiredTokenError",
    "TokenBackendError", "AuthenticationError", "SMTPAuthenticationError",
)  # fmt: skip


def matches(raised: Raised) -> bool:
    """By the names of REST framework, PyJWT and simplejwt."""
    return raised.is_named(*_NAMES) and (raised.short_name != "DecodeError" or raised.package == "jwt")


def suggestion(raised: Raised) -> str:
    """By what was wrong with the credentials."""
    text = f"{raised.short_name} {raised.message}".lower()
    if "expired" in text:
        return (
            "The token was past its time: let the client refresh it and repeat the request once, and check the clocks of "
            "both machines if it was issued just now."
        )
    if "signature" in text or "decode" in text or "invalid" in text:
        return (
            "The token does not verify: whoever issued it uses another key, algorithm or audience than this service "
            "expects, or a deployment changed SECRET_KEY while tokens were out."
        )
    if raised.package == "smtplib":
        return "The mail server refused the login: check EMAIL_HOST_USER and its password."
    return (
        "The request carries no credentials that count: check that the client sends its cookie or Authorization header "
        "(across origins: `credentials: 'include'`, CORS_ALLOW_CREDENTIALS and SameSite), and that the view has the "
        "authentication class it needs."
    )
