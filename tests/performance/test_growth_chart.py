"""The chart of growth is drawn from its table."""

import re
from xml.etree import ElementTree

from benchmarks.harness.growth_chart import draw_growth

ROWS = [
    {"rows": 10_000, "one workflow, ms": 0.5, "latest sessions, ms": 1.0},
    {"rows": 1_000_000, "one workflow, ms": 1.0, "latest sessions, ms": 4.0},
]


def test_each_column_is_a_chart_with_a_dot_for_each_row() -> None:
    chart = ElementTree.fromstring(draw_growth(ROWS))

    names = [text.text for text in chart.iter() if text.get("class") == "name"]
    dots = [dot for dot in chart.iter() if dot.get("class") == "dot"]
    assert names == ["one workflow, ms", "latest sessions, ms"]
    assert len(dots) == 4


def test_a_larger_value_stands_higher() -> None:
    heights = [float(found) for found in re.findall(r'class="dot" cx="[\d.]+" cy="([\d.]+)"', draw_growth(ROWS))]

    assert heights[1] < heights[0]
    assert heights[3] < heights[2]
