"""Which names (attribute keys, header names, form fields) say that their value is a secret.

The list is the union of what Django's SafeExceptionReporterFilter, sentry-python's DEFAULT_DENYLIST, Relay and Logfire
mask, less the parts that would blind a debugger: Django's bare `API` and `KEY` would mask `cache.key` and every layer
called api, Logfire's `session` the digest in `session.id`.
"""

import re
from functools import lru_cache
from typing import Final

_KEY_OF: Final = (
    "api|access|private|secret|signing|encryption|master|stripe|aws|ssh|auth|license|client|service|deploy|hmac|jwt|rsa|pgp|gpg"
    "|sendgrid|mailgun|twilio|openai|anthropic|azure|webhook|admin|root|shared|crypt|storage"
)
_OF_LOGIN: Final = "db|database|smtp|user|usr|root|admin|mysql|my|new|old|login|ftp|mail|app|http|proxy|redis"
_COUNTED_TOKENS: Final = (
    "input_", "output_", "prompt_", "completion_", "total_", "max_", "num_", "n_", "cached_", "reasoning_", "usage.",
    "used_", "min_", "thinking_", "audio_", "text_", "image_",
)  # fmt: skip
"""Language models count tokens."""

SECRET_NAME: Final = re.compile(
    r"passw(?:or)?d|passphrase|passcode|secret|credential|authorization|authentication_info|authenticat|cookie|signature"
    r"|(?:^|[._])(?:pass|pwd|pw|pin|otp|totp|pan|sid|sess|jwt|csrf|xsrf|ssn|cvv2?|cvc2?|iban|sig|hmac|creds|authz|oauth2?|bearer)"
    r"\d{0,3}(?:$|[._])"
    rf"|(?:^|[._])(?:{_OF_LOGIN})_?(?:pass|pwd|pw|pin)\d{{0,3}}(?:$|[._])|mysql_pwd|pin_?code"
    rf"|(?:^|[._])auth$|auth_header|(?:{_KEY_OF})_?key(?:$|[._\d])|(?:{_KEY_OF})_?keys$|(?:^|[._])e2e_key(?:$|[._])"
    rf"|token(?!s)|{''.join(f'(?<!{re.escape(word)})' for word in _COUNTED_TOKENS)}tokens(?:$|[.])|jwt_|csrf|xsrf"
    r"|sess(?:ion)?_?(?:id|key|token)|connect\.sid|_session$|aiohttp_session"
    r"|two_factor|one_time_code|(?:recovery|backup|verification)_?codes?(?:$|[._])|social_?security"
    r"|credit_?card|card_?(?:number|no|num)(?:$|[._])|(?:^|\.)card$|(?:^|[._])cc_?(?:n|no|num|number)(?:$|[._])"
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


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Tell whether *name*, in any spelling, is that of a secret: the grammar of attributes and of free text."""
    comparable = comparable_name(name)
    return comparable not in HARMLESS_NAMES and SECRET_NAME.search(comparable) is not None


_WORD_START: Final = re.compile(r"([a-z0-9])([A-Z])")
