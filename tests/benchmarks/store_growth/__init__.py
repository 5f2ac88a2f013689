"""What a store costs while it grows to five million steps: reading, writing and disk, in one load that pauses."""

from benchmarks.result import Result


def measure(*, quick: bool) -> list[Result]:
    """Return what reading costs at the largest size, where the bytes are, and how both grow."""
    from benchmarks.store_growth.measure import measure_growth

    return measure_growth(quick=quick)
