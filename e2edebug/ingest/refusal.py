"""Why a request, or one thing in it, is not taken."""

from collections.abc import Mapping


class Refusal(Exception):  # noqa: N818 # an answer, not a mistake of ours
    """The whole request is refused. The text is told to the sender: it quotes nothing that the sender wrote."""

    def __init__(
        self,
        status: int,
        text: str,
        *,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = dict(headers or {})
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(retry_after_s)


class BadItem(Exception):  # noqa: N818 # likewise
    """One span is refused, and the others of its request are not. The text completes "3 spans: …"."""


def too_large(limit_bytes: int) -> Refusal:
    """Return the refusal of a body beyond its limit."""
    return Refusal(413, f"the body is larger than {limit_bytes} bytes")


def malformed(what: str) -> Refusal:
    """Return the refusal of a body that cannot be read: it will not be better the next time."""
    return Refusal(400, what)
