"""JSON in and out, as the standard says: no NaN, no body without a bound, no document that nests without end."""

import json
from typing import Any, Final

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer

MOST_BYTES: Final = 1 << 20


class BodyTooLarge(APIException):
    """413."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"The body is longer than {MOST_BYTES} bytes."
    default_code = "too_large"


class StrictJSONParser(BaseParser):
    """Reads one JSON document of at most 1 MiB."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:  # noqa: ARG002  # the signature of a parser
        """Return the document. Raises ParseError (400) or BodyTooLarge (413)."""
        body = stream.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise BodyTooLarge
        try:
            return json.loads(body.decode("utf-8"), parse_constant=_refused)
        except RecursionError:
            raise ParseError("The document nests too deeply.") from None
        except ValueError as error:  # of the decoder, too
            raise ParseError(f"This is not JSON: {error}") from None


class StrictJSONRenderer(JSONRenderer):
    """Writes JSON; the query and the Accept header do not change how."""

    charset = None
    strict = True

    def get_indent(self, accepted_media_type: str, renderer_context: Any) -> None:
        """Never indent: `Accept: application/json; indent=…` would cost us time for the asking."""


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")
