"""Draws how reads and writes change while the store grows: small multiples on a common, logarithmic axis of rows.

Rows come from the table "Growth": `rows` and one number a column. Each column has a little chart of its own with a
linear axis from zero, since milliseconds, rows a second and bytes share no axis.
"""

import math
from html import escape
from typing import Any

from benchmarks.harness.wording import number

WIDTH, GAP, COLUMNS = 290, 20, 3
HEIGHT, HEAD, FOOT, LEFT, RIGHT = 190, 44, 34, 48, 0
INSET = 30
"""Between the lines' ends and the outer dots, so that a dot's number and an axis' do not meet."""

# A background of its own: the page that shows the picture may be dark while the reader's system is light.
STYLE = """\
.ground { fill: #ffffff } .name, .value { fill: #1f2328 } .label { fill: #59636e }
.grid { stroke: #d1d9e0; stroke-width: 1 } .value { paint-order: stroke; stroke: #ffffff; stroke-width: 3px }
.line { stroke: #0969da; stroke-width: 2; fill: none } .dot { fill: #0969da }
text { font-family: system-ui, sans-serif; font-size: 11px } .name { font-size: 13px; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  .ground { fill: #0d1117 } .name, .value { fill: #f0f6fc } .label { fill: #9198a1 }
  .value { stroke: #0d1117 } .grid { stroke: #3d444d } .line { stroke: #4493f8 } .dot { fill: #4493f8 }
}"""


def draw_growth(rows: list[dict[str, Any]]) -> str:
    """Return an SVG; *rows* in ascending order of their `rows`."""
    names = [key for key in rows[0] if key != "rows" and _is_number(rows[0][key])]
    lines = math.ceil(len(names) / COLUMNS)
    width = GAP + min(COLUMNS, len(names)) * (WIDTH + GAP)
    height = GAP + lines * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        "<title>How reading and writing change while the store grows</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{width}" height="{height}" rx="6"/>',
    ]
    for position, name in enumerate(names):
        x = GAP + position % COLUMNS * (WIDTH + GAP)
        y = GAP + position // COLUMNS * (HEIGHT + GAP)
        points = [(float(row["rows"]), float(row[name])) for row in rows if _is_number(row.get(name))]
        parts.append(f'<g transform="translate({x} {y})">{_panel(name, points)}</g>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(name: str, points: list[tuple[float, float]]) -> str:
    first, last = math.log10(points[0][0]), math.log10(points[-1][0])
    top = _round_up(max(value for _, value in points))
    across, down = WIDTH - LEFT - RIGHT - 2 * INSET, HEIGHT - HEAD - FOOT

    def at_x(count: float) -> float:
        share = (math.log10(count) - first) / (last - first) if last > first else 0.5
        return round(LEFT + INSET + share * across, 1)

    def at_y(value: float) -> float:
        return round(HEAD + down - value / top * down, 1)

    parts = [f'<text class="name" x="0" y="16">{escape(name)}</text>']
    for mark in (0.0, top / 2, top):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at_y(mark)}" y2="{at_y(mark)}"/>')
        parts.append(f'<text class="label" x="{LEFT - 6}" y="{at_y(mark) + 4}" text-anchor="end">{number(mark)}</text>')
    path = " ".join(f"{at_x(count)},{at_y(value)}" for count, value in points)
    parts.append(f'<polyline class="line" points="{path}"/>')
    for count, value in points:
        parts.append(
            f'<circle class="dot" cx="{at_x(count)}" cy="{at_y(value)}" r="3"/>'
            f'<text class="value" x="{at_x(count)}" y="{at_y(value) - 8}" text-anchor="middle">{number(value)}</text>'
            f'<text class="label" x="{at_x(count)}" y="{HEIGHT - FOOT + 18}" text-anchor="middle">{_short(count)}</text>'
        )
    return "".join(parts)


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 5 times a power of ten, above *value*, so that the highest dot has room for its number."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _short(count: float) -> str:
    """Return `10k`, `5M`."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:g}{letter}"
    return f"{count:g}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
