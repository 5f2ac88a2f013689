"""A thread of ours that computes gives the interpreter away every half millisecond, without being asked.

Asked, Python does so after 5 ms (`sys.getswitchinterval`), and a request asks after each wait for its own database: while
a batch was mapped and written, every query of a request could cost it 5 ms more.
"""

import math
import threading
import time
from typing import Final

TURN_S: Final = 0.0005
_REST_S: Final = 0.00005
"""Long enough for a thread that waits for the interpreter to wake up and take it; time.sleep(0) gives it to nobody."""


class _Turn(threading.local):
    ends_at = math.inf
    """Of time.perf_counter(). A thread that was not told to take turns never rests: it is the application's."""


_turn = _Turn()


def take_turns(is_wanted: bool) -> None:
    """Have the calling thread rest between turns from now on, or no longer."""
    _turn.ends_at = time.perf_counter() + TURN_S if is_wanted else math.inf


def give_way() -> None:
    """Let other threads run, if this one had its turn. To be called between two rows, where no lock is held."""
    if time.perf_counter() >= _turn.ends_at:
        time.sleep(_REST_S)
        _turn.ends_at = time.perf_counter() + TURN_S
