"""Which threshold decides about which target, for many targets at once."""

from collections.abc import Iterable, Iterator

from e2edebug.alerts.states import Target
from e2edebug_schema.thresholds import Threshold


class ThresholdBook:
    """Thresholds by layer and metric, and within these by component."""

    def __init__(self, thresholds: Iterable[Threshold]) -> None:
        self._pages: dict[tuple[str, str], dict[str, Threshold]] = {}
        for threshold in thresholds:
            page = self._pages.setdefault((threshold.layer, threshold.metric_name), {})
            page[threshold.component] = threshold

    def threshold_for(self, target: Target) -> Threshold | None:
        """Return the component's own threshold, else that of its layer; None when neither holds.

        One of the component's own that is switched off leaves it without any.
        """
        page = self._pages.get((target.layer, target.metric_name))
        if page is None:
            return None
        chosen = page.get(target.component) or page.get("")
        return chosen if chosen is not None and chosen.enabled else None

    def metrics(self) -> list[tuple[str, str]]:
        """Return every layer and metric of which a threshold is switched on, in order."""
        return sorted(key for key, page in self._pages.items() if any(one.enabled for one in page.values()))

    def window_lengths_s(self) -> list[int]:
        """Return the lengths of the windows that are looked at, shortest first."""
        return sorted({one.window_s for page in self._pages.values() for one in page.values() if one.enabled})

    def enabled(self) -> Iterator[Threshold]:
        """Yield every threshold that is switched on."""
        for page in self._pages.values():
            yield from (one for one in page.values() if one.enabled)

    def expecting_data(self) -> Iterator[Threshold]:
        """Return the thresholds for which silence is an alert of its own."""
        return (one for one in self.enabled() if one.no_data_s > 0)
