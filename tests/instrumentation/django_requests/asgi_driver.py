"""Speaks ASGI to Django's own handler, as a server would, in this process."""

import asyncio
from typing import Any

from django.core.handlers.asgi import ASGIHandler


class Exchange:
    """One request and what the application sent for it."""

    def __init__(self, path: str, *, query: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self.client_is_gone = asyncio.Event()
        self.got_body = asyncio.Event()
        self._body_was_read = False
        named = {"host": "testserver", **(headers or {})}
        self.scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "query_string": query,
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
            "server": ("testserver", 80),
            "client": ("203.0.113.9", 4711),
        }

    async def run(self) -> None:
        """Let a new handler answer, to the end or until the client is gone."""
        await self.run_on(ASGIHandler())

    async def run_on(self, handler: ASGIHandler) -> None:
        """Let *handler* answer, to the end or until the client is gone."""
        await handler(self.scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if not self._body_was_read:
            self._body_was_read = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.client_is_gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if message.get("body"):
            self.got_body.set()

    @property
    def status(self) -> int:
        """The status code that was sent."""
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        """The body that was sent."""
        return b"".join(message.get("body", b"") for message in self.sent)
