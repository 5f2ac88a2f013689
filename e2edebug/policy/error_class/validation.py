"""What came in is not as it must be."""

from typing import Final

from e2edebug.policy.error_class.evidence import Raised

NAME: Final = "validation"

_NAMES: Final = (
    "ParseError", "BadRequest", "SuspiciousOperation", "SuspiciousFileOperation", "SuspiciousMultipartForm",
    "DisallowedHost", "RequestDataTooBig", "TooManyFieldsSent", "TooManyFilesSent", "MultiPartParserError",
    "UnsupportedMediaType", "MultiValueDictKeyError", "rest_framework.exceptions.NotAcceptable",
)  # fmt: skip


def matches(raised: Raised) -> bool:
    """Every library calls it a ValidationError; Django has names for what no form sees."""
    return raised.short_name.endswith("ValidationError") or raised.is_named(*_NAMES)


def suggestion(raised: Raised) -> str:
    """By who should have checked."""
    if raised.is_named("DisallowedHost"):
        return (
            "The request names a host that is not in ALLOWED_HOSTS. If the host is yours, add it; if not, let the proxy "
            "refuse it, and it never gets here."
        )
    if raised.is_named("MultiValueDictKeyError"):
        return (
            "A field that the view reads was not sent: read it through a form or serializer, or by `.get()` with an answer "
            "of 400."
        )
    if raised.is_named("django.core.exceptions.ValidationError"):
        return (
            "A model or form refused a value outside of a form's own handling: call `is_valid()` or catch "
            "ValidationError where the data comes in and answer with 400 and its messages; REST framework turns its own "
            "ValidationError into that answer, but not Django's."
        )
    return (
        "The data does not have the form that the code asks for: answer with 400 and the messages, and compare what "
        "the client sends with what the serializer expects, field by field."
    )
