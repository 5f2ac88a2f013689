"""A story: what was measured, what happened to clocks and processes, and what a person would want to be told.

Times are those of a clock on the wall that never jumps. Every minute one snapshot covers the minute before and is stored
a second after its end; evaluation looks five seconds after each minute.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from e2edebug.alerts.evaluator import evaluate
from e2edebug.alerts.progress import Progress, plan_evaluation
from e2edebug.alerts.states import AlertState, Target, Transition
from e2edebug.alerts.threshold_book import ThresholdBook
from e2edebug.alerts.windows import windows_at
from e2edebug_schema.histogram import Histogram
from e2edebug_schema.queries.metric_series import MetricSeries, SeriesRow
from e2edebug_schema.thresholds import Threshold

FOLDER = Path(__file__).parent / "corpus"
DAY = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LOOK = timedelta(seconds=5)

_LINE = re.compile(r"(?P<at>(?:day \d+ )?\d\d:\d\d)\s+(?P<shape>.+)")
_STEADY = re.compile(r"(?P<value>[\d.]+)(?: ms|%)?(?: x(?P<count>\d+))?(?: with (?P<tail>\d+) of (?P<high>[\d.]+) ms)?")
_RAMP = re.compile(r"rising from (?P<low>[\d.]+) to (?P<high>[\d.]+) (?:ms|%)(?: x(?P<count>\d+))?")
_WAVE = re.compile(
    r"(?P<form>switching|waving) between (?P<low>[\d.]+) and (?P<high>[\d.]+) (?:ms|%) every (?P<period>\d+)m(?: x(?P<count>\d+))?"
)


class Arrival(NamedTuple):
    at: datetime
    row: SeriesRow


@dataclass(frozen=True)
class Story:
    name: str
    title: str
    thresholds: list[Threshold]
    starts: datetime
    ends: datetime
    arrivals: list[Arrival]
    jumps: list[tuple[datetime, timedelta]]
    pauses: list[tuple[datetime, datetime]]
    expected: list[str]

    def clock(self, wall: datetime) -> datetime:
        """What the machines' clocks say."""
        return wall + sum((by for at, by in self.jumps if wall >= at), timedelta())

    def looks(self) -> Iterator[datetime]:
        """The moments, on the wall, at which an evaluator runs."""
        wall = self.starts + LOOK
        while wall <= self.ends:
            if not any(begin <= wall < end for begin, end in self.pauses):
                yield wall
            wall += MINUTE


def stories() -> list[Story]:
    return [read_story(path) for path in sorted(FOLDER.glob("*.yaml"))]


def read_story(path: Path) -> Story:
    told = yaml.safe_load(path.read_text())
    happens = told.get("happens", [])
    jumps = [
        (_wall(match[1]), _length(match[2]))
        for line in happens
        if (match := re.match(r"(.+?) the clocks jump (.+)", line))
    ]
    pauses = [
        (_wall(match[1]), _wall(match[2]))
        for line in happens
        if (match := re.match(r"(.+?) nobody evaluates until (.+)", line))
    ]
    late = [
        (_wall(match[1]), _wall(match[2]), _length(match[3]))
        for line in happens
        if (match := re.match(r"(.+?) to (.+?) data comes (.+) late", line))
    ]
    story = Story(
        name=path.stem,
        title=told["story"],
        thresholds=[_threshold(one) for one in told.get("thresholds", [told.get("threshold", {})])],
        starts=_wall(told["starts"]),
        ends=_wall(told["ends"]),
        arrivals=[],
        jumps=jumps,
        pauses=pauses,
        expected=[re.sub(r"\s+", " ", line.split("  #")[0]).strip() for line in told["expected"] or []],
    )
    arrivals = []
    for component, lines in told["measured"].items():
        for minute, histogram in _minutes(lines, story):
            delay = next((by for begin, end, by in late if begin <= minute < end), timedelta())
            arrivals.append((minute + MINUTE + timedelta(seconds=1) + delay, minute, component, histogram))
    arrivals.sort(key=lambda one: one[0])
    metric = story.thresholds[0]
    for number, (at, minute, component, histogram) in enumerate(arrivals, start=1):
        story.arrivals.append(Arrival(at, _row(number, story.clock(minute), component, histogram, metric)))
    return story


def tell(story: Story) -> list[Transition]:
    """Run *story* with a restart at every look, and return what was found; `at` is the time on the wall."""
    book = ThresholdBook(story.thresholds)
    memory: dict[str, Any] = {}
    progress = Progress()
    found = []
    for wall in story.looks():
        now = story.clock(wall)
        arrived = [arrival.row for arrival in story.arrivals if arrival.at <= wall]
        plan = plan_evaluation(
            progress,
            now=now,
            newest_id=arrived[-1].id if arrived else 0,
            every_s=60,
            longest_window_s=max(book.window_lengths_s()),
        )
        progress = plan.progress
        oldest = plan.ticks[0] - timedelta(hours=1)
        series = MetricSeries(row for row in arrived if row.id > plan.min_id and oldest <= row.timestamp < now)
        for tick in plan.ticks:
            if tick != now and not series.has_rows(start=tick - MINUTE, end=tick):
                continue
            verdict = evaluate(
                book, windows_at(series, book, tick), _restored(memory), tick, longest_credit_s=plan.step_s
            )
            memory = _stored(verdict.states)
            found += [replace(one, at=wall - (now - tick)) for one in verdict.transitions]
    return found


def as_told(transition: Transition) -> str:
    """`12:21 fired warning Checkout`, as the stories write it."""
    days = (transition.at - DAY).days
    day = f"day {days + 1} " if days else ""
    level = (
        f" {transition.level}"
        if transition.kind in ("pending", "fired", "escalated", "deescalated", "steadied")
        else ""
    )
    return f"{day}{transition.at:%H:%M} {transition.target.component or 'the layer'} {transition.kind}{level}"


def _stored(states: dict[Target, AlertState]) -> dict[str, Any]:
    text = json.dumps([[*state.target, state.state, state.level, state.as_json()] for state in states.values()])
    return {"text": text}


def _restored(memory: dict[str, Any]) -> dict[Target, AlertState]:
    rows = json.loads(memory.get("text", "[]"))
    return {
        Target(*target): AlertState.from_json(Target(*target), state, level, kept)
        for *target, state, level, kept in rows
    }


def _threshold(told: dict[str, Any]) -> Threshold:
    return Threshold(
        **{"layer": "api", "metric_name": "response_time", "warning": 500, "critical": 2000, "min_samples": 5} | told
    )


def _row(number: int, start: datetime, component: str, histogram: Histogram, threshold: Threshold) -> SeriesRow:
    is_time = threshold.metric_name == "response_time"
    total = sum(count * 2 ** ((index + 0.5) / 8) for index, count in histogram.counts.items())
    return SeriesRow(
        id=number,
        layer=threshold.layer,
        metric_name=threshold.metric_name,
        component=component,
        timestamp=start,
        interval_s=60.0,
        metric_value=histogram.percentile(95),
        samples=histogram.count,
        sum=total if is_time else (histogram.maximum or 0.0) * histogram.count,
        min=histogram.minimum,
        max=histogram.maximum,
        error_count=0,
        buckets=histogram.encode() if is_time else None,
        correlation_id=f"worst-{component}-{start:%H%M}",
    )


def _minutes(lines: list[str], story: Story) -> Iterator[tuple[datetime, Histogram]]:
    parsed = []
    for line in lines:
        match = _LINE.match(line)
        assert match, line
        parsed.append((_wall(match["at"]), match["shape"].split("  #")[0].strip()))
    for (begin, shape), (end, _) in zip(parsed, [*parsed[1:], (story.ends, "")], strict=True):
        minute = begin
        while minute < end:
            histogram = _shaped(shape, minute - begin, end - begin)
            if histogram is not None:
                yield minute, histogram
            minute += MINUTE


def _shaped(shape: str, since: timedelta, length: timedelta) -> Histogram | None:
    if shape == "nothing":
        return None
    histogram = Histogram()
    if match := _RAMP.fullmatch(shape):
        share = since / length
        histogram.add(
            float(match["low"]) + share * (float(match["high"]) - float(match["low"])), int(match["count"] or 40)
        )
    elif match := _WAVE.fullmatch(shape):
        low, high, period = float(match["low"]), float(match["high"]), timedelta(minutes=int(match["period"]))
        phase = (since % period) / period
        if match["form"] == "switching":
            value = high if phase < 0.5 else low
        else:
            value = low + (high - low) * (1 - math.cos(2 * math.pi * phase)) / 2
        histogram.add(value, int(match["count"] or 40))
    else:
        match = _STEADY.fullmatch(shape)
        assert match, shape
        histogram.add(float(match["value"]), int(match["count"] or 40))
        if match["tail"]:
            histogram.add(float(match["high"]), int(match["tail"]))
    return histogram


def _wall(text: str) -> datetime:
    match = re.fullmatch(r"(?:day (\d+) )?(\d\d):(\d\d)", text.strip())
    assert match, text
    return DAY + timedelta(days=int(match[1] or 1) - 1, hours=int(match[2]), minutes=int(match[3]))


def _length(text: str) -> timedelta:
    match = re.fullmatch(r"(?:(an hour)|(\d+) minutes)( back| forward)?", text.strip())
    assert match, text
    length = timedelta(hours=1) if match[1] else timedelta(minutes=int(match[2]))
    return -length if match[3] == " back" else length
