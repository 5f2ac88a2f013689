"""A thread of ours that computes gives the interpreter away every half millisecond, to others that want it.

Unasked, Python takes it away after 5 ms (`sys.getswitchinterval`), and a request asks after each wait for its own
database: while a batch was mapped and written, every query of a request could cost it 5 ms more.

To rest costs some 50 us of processor time, a tenth of a turn, and where nobody waits it is for nothing. Nobody tells
whether a thread waits for the interpreter; but one that does has come back from somewhere, which took processor time.
"""

import math
import threading
import time
from typing import Final

TURN_S: Final = 0.0005
_REST_S: Final = 0.00005
"""Long enough for a thread that waits for the interpreter to wake up and take it; time.sleep(0) gives it to nobody."""
_SIGN_OF_LIFE_NS: Final = 5_000
"""Of all other threads, within a turn. Two looks at the clocks differ by less than 1 us in 98 of 100."""


class _Turn(threading.local):
    ends_at = math.inf
    """Of time.perf_counter(). A thread that was not told to take turns never rests: it is the application's."""
    is_greenlet = False
    """The others run in the same thread as this one, so that its clock is theirs."""
    of_others_ns = 0


_turn = _Turn()


def take_turns(is_wanted: bool) -> None:
    """Have the calling thread rest between turns from now on, or no longer."""
    if not is_wanted:
        _turn.ends_at = math.inf
        return
    _turn.is_greenlet = threading.get_native_id() == threading.main_thread().native_id
    _turn.of_others_ns = _of_others_ns()
    _turn.ends_at = time.perf_counter() + TURN_S


def give_way() -> None:
    """Let others run, if this thread had its turn. To be called between two rows, where no lock is held."""
    if time.perf_counter() >= _turn.ends_at:
        if _have_others_run():
            time.sleep(_REST_S)
        _turn.ends_at = time.perf_counter() + TURN_S


def _have_others_run() -> bool:
    before, now = _turn.of_others_ns, _of_others_ns()
    _turn.of_others_ns = now
    return now - before > _SIGN_OF_LIFE_NS or _turn.is_greenlet


def _of_others_ns() -> int:
    return time.process_time_ns() - time.thread_time_ns()
