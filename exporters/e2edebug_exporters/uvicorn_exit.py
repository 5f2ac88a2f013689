"""uvicorn ends by the signal that stopped it, and no exit handler of Python runs then: what waits is written before.

From 0.29 on it puts the handlers that were there before its own back in place, and raises the signals it has caught once
more (`Server.capture_signals`). SIGTERM's is the default action: the process is gone in the middle of that call.
"""

import signal
from collections.abc import Callable
from typing import Any

import wrapt


def hook(module: Any, end: Callable[[], None]) -> None:
    """Have *end* called once SIGTERM has shut a server down. module: `uvicorn.server`.

    Not around capture_signals: with `--workers` the application, and e2edebug with it, is imported within that.
    """

    async def shutdown(wrapped: Any, server: Any, args: Any, kwargs: Any) -> Any:
        result = await wrapped(*args, **kwargs)
        if signal.SIGTERM in getattr(server, "_captured_signals", ()):
            end()
        return result

    wrapt.wrap_function_wrapper(module.Server, "shutdown", shutdown)
