"""A value could not be written as text or bytes, or read from them."""

from typing import Final

from e2edebug.policy.error_class.evidence import Raised

NAME: Final = "serialization"

_NAMES: Final = (
    "JSONDecodeError", "UnicodeDecodeError", "UnicodeEncodeError", "PicklingError", "UnpicklingError", "EncodeError",
    "DecodeError", "ContentDecodingError", "ParserError", "ScannerError", "SerializationError", "DeserializationError",
    "RepresenterError",
)  # fmt: skip
_WORDS: Final = (
    "not JSON serializable",
    "cannot be pickled",
    "cannot pickle",
    "Can't pickle ",
    "Circular reference detected",
)


def matches(raised: Raised) -> bool:
    """By name, by what json and pickle say in a TypeError, and by REST framework's complaint about a field."""
    if raised.is_named(*_NAMES):
        return True
    if raised.is_named("TypeError", "ValueError", "AttributeError") and any(w in raised.message for w in _WORDS):
        return True
    return _is_of_serializer(raised)


def _is_of_serializer(raised: Raised) -> bool:
    return "when attempting to get a value for field" in raised.message


def suggestion(raised: Raised) -> str:
    """By direction."""
    if _is_of_serializer(raised):
        return (
            "A field of the serializer asks its object for something that it does not have; the message names both: mend "
            "the field's `source`, or pass an instance instead of a dictionary or queryset (`many=True`)."
        )
    if raised.is_named("JSONDecodeError"):
        return (
            "The text is no JSON. Where it came from another service, look at its status and content type first: an error "
            "page is HTML, and an empty body is nothing. Where it came from a client, answer with 400."
        )
    if "JSON serializable" in raised.message:
        return (
            "An object has no form in JSON: hand over a serializer's `.data`, use `DjangoJSONEncoder` for dates, decimals "
            "and UUIDs, or convert it before; arguments of tasks should be ids, not objects."
        )
    if raised.short_name.startswith("Unicode"):
        return (
            "Bytes and text were mixed up: name the encoding where the file or response is opened (`encoding='utf-8'`), and "
            "let `errors=` decide about the rest."
        )
    if "pickl" in f"{raised.short_name} {raised.message}".lower():
        return (
            "An object cannot be pickled: cache or queue plain values and ids in place of objects with connections, locks "
            "or lambdas; after a deployment, old entries may not load any more: version the keys."
        )
    return "A value could not be converted: compare what was sent with the format that is expected."
