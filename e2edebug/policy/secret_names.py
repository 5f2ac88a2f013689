"""Which names (attribute keys, header names, form fields) say that their value is a secret.

The list is the union of what Django's SafeExceptionReporterFilter, sentry-python's DEFAULT_DENYLIST, Relay and Logfire
mask, less the parts that would blind a debugger: Django's bare `API` and `KEY` would mask `cache.key` and every layer
called api, Logfire's `session` the digest in `session.id`.
"""

import re
from typing import Final

SECRET_NAME: Final = re.compile(
    r"passw(?:or)?d|passphrase|passcode|(?:^|[._])(?:pass|pwd|pw|pin|otp|totp|pan|sid|jwt|csrf|xsrf|ssn|cvv2?|cvc2?|iban|sig|creds)(?:$|[._])"
    r"|mysql_pwd|secret|credential|authorization|authentication_info|(?:^|[._])auth$|authenticat"
    r"|api_?key|access_?key|private_?key|secret_?key|signing_?key|encryption_?key|(?:^|[._])e2e_key(?:$|[._])"
    r"|token(?!s)|jwt_|csrf|xsrf|cookie|set_cookie|signature"
    r"|session_?(?:id|key|token)|phpsessid|connect\.sid|_session$|aiohttp_session"
    r"|two_factor|one_time_code|social_?security|credit_?card|card_?(?:number|no|num)(?:$|[._])|(?:^|\.)card$"
    r"|security_code|bank_?account|account_?number",
)
"""Searched in the name after `comparable_name`."""

HARMLESS_NAMES: Final = frozenset(
    {
        "session.id",  # a digest when it is ours, a random number of the browser SDK otherwise; never a session key
        "session.previous_id",
        "enduser.id",
        "messaging.message.id",
    }
)

PRIVATE_NAMES: Final = re.compile(
    r"x_forwarded_for|x_real_ip|remote_addr|(?:^|\.)ip_address$"
    r"|^db\.(?:query|operation)\.parameter|^db\.statement\.parameters|^http\.(?:request|response)\.body(?!\.size)"
)
"""Not secrets, but never stored either: addresses of people, SQL parameters, bodies."""

HEADER_PREFIXES: Final = (
    "http.request.header.",
    "http.response.header.",
    "rpc.request.metadata.",
    "rpc.response.metadata.",
)

PLAIN_HEADERS: Final = frozenset(
    {
        "accept", "accept_encoding", "accept_language", "accept_ranges", "age", "allow", "cache_control", "connection",
        "content_disposition", "content_encoding", "content_language", "content_length", "content_range", "content_type",
        "date", "etag", "expires", "host", "if_modified_since", "if_none_match", "last_modified", "location", "origin",
        "range", "referer", "retry_after", "sec_fetch_dest", "sec_fetch_mode", "sec_fetch_site", "sec_fetch_user",
        "server", "server_timing", "te", "traceparent", "transfer_encoding", "upgrade_insecure_requests", "user_agent",
        "vary", "via", "x_correlation_id", "x_frame_options", "x_request_id", "x_requested_with",
    }
)  # fmt: skip
"""Headers whose values are shown once somebody captures headers; of every other one only the name is kept."""


def comparable_name(name: str) -> str:
    """Return *name* lower-cased, `accessToken` as `access_token`, and with blanks and dashes as underscores."""
    return _WORD_START.sub(r"\1_\2", name).lower().replace("-", "_").replace(" ", "_")


_WORD_START: Final = re.compile(r"([a-z0-9])([A-Z])")
