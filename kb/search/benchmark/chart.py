"""How the time of a suggestion grows with the documents, as a picture: SVG with a title, for light and dark."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from kb.search.benchmark.peers import OURS, PEERS
from kb.search.benchmark.questions import SUGGESTION
from kb.search.benchmark.results import Results, short

WIDTH, HEIGHT = 800, 440
LEFT, RIGHT, TOP, BOTTOM = 88, 230, 62, 56
LINE = 17  # pixels between two names
STYLE = """
  .ink { fill: #141d27; } .muted { fill: #53606e; } .grid { stroke: #dce1e8; } .ground { fill: #ffffff; }
  .line { fill: none; stroke: #7d8896; stroke-width: 1.5; } .dot { fill: #7d8896; }
  .ours .line { stroke: #1c4fa8; stroke-width: 3; } .ours .dot, .ours text { fill: #1c4fa8; }
  .ours text { font-weight: 650; }
  text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
  .head { font-size: 16px; font-weight: 650; }
  @media (prefers-color-scheme: dark) {
    .ink { fill: #e7ecf1; } .muted { fill: #a0acb8; } .grid { stroke: #2a323b; } .ground { fill: #161b21; }
    .line { stroke: #8a96a3; } .dot { fill: #8a96a3; }
    .ours .line { stroke: #8bb8ff; } .ours .dot, .ours text { fill: #8bb8ff; }
  }
"""


class Curve(NamedTuple):
    engine: str
    points: Sequence[tuple[int, float]]  # documents, milliseconds


class Axis(NamedTuple):
    """Logarithmic, over whole powers of ten."""

    low: int
    high: int
    start: float
    end: float

    def at(self, value: float) -> float:
        return self.start + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]


def svg(results: Results) -> str:
    """Empty axes are never drawn: there is at least one engine in a run, or a ValueError."""
    curves = list(_curves(results))
    across = _axis([x for curve in curves for x, _ in curve.points], LEFT, WIDTH - RIGHT)
    up = _axis([y for curve in curves for _, y in curve.points], HEIGHT - BOTTOM, TOP)
    content = [*_grid(across, up), *_lines(curves, across, up)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            'aria-labelledby="title desc">',
            '<title id="title">Time of a suggestion against the number of documents</title>',
            f'<desc id="desc">{escape(_said(curves))}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
            f'<text class="ink head" x="{LEFT}" y="28">A suggestion for 200 words</text>',
            f'<text class="muted" x="{LEFT}" y="47">milliseconds (median) by documents, both logarithmic</text>',
            *content,
            "</svg>\n",
        ]
    )


def _curves(results: Results) -> Iterator[Curve]:
    for engine in results.engines:
        found = [outcome for outcome in results.outcomes if outcome.engine == engine]
        points = [(outcome.documents, outcome.answers.timings[SUGGESTION].p50) for outcome in found]
        yield Curve(engine, sorted(points))


def _said(curves: Sequence[Curve]) -> str:
    """The same in words, for whoever cannot see it."""
    return " ".join(
        f"{PEERS[curve.engine].title}: " + ", ".join(f"{short(y)} ms at {x:,}" for x, y in curve.points) + "."
        for curve in curves
    )


def _axis(values: Sequence[float], start: float, end: float) -> Axis:
    if not values:
        raise ValueError("no engine was measured: there is nothing to draw")
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return Axis(low, max(high, low + 1), start, end)


def _grid(across: Axis, up: Axis) -> Iterator[str]:
    for value in up.ticks:
        y = up.at(value)
        yield f'<line class="grid" x1="{across.start}" x2="{across.end}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="muted" x="{across.start - 10}" y="{y + 4:.1f}" text-anchor="end">{value:,g} ms</text>'
    for value in across.ticks:
        x = across.at(value)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{up.start}" y2="{up.end}"/>'
        yield f'<text class="muted" x="{x:.1f}" y="{up.start + 22}" text-anchor="middle">{value:,.0f}</text>'


def _lines(curves: Sequence[Curve], across: Axis, up: Axis) -> Iterator[str]:
    places = _apart([up.at(curve.points[-1][1]) for curve in curves])
    for curve, label in sorted(zip(curves, places, strict=True), key=lambda pair: pair[0].engine == OURS):
        points = [(across.at(x), up.at(y)) for x, y in curve.points]
        yield f'<g class="{"ours" if curve.engine == OURS else "peer"}">'
        yield f'<polyline class="line" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
        yield from (f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in points)
        name = f"{PEERS[curve.engine].title} {short(curve.points[-1][1])} ms"
        yield f'<text class="ink" x="{points[-1][0] + 12:.1f}" y="{label + 4:.1f}">{escape(name)}</text>'
        yield "</g>"


def _apart(heights: Sequence[float]) -> list[float]:
    """Near these heights, and none so near to another that the names cover each other."""
    placed: dict[int, float] = {}
    last = -math.inf
    for number in sorted(range(len(heights)), key=heights.__getitem__):
        last = placed[number] = max(heights[number], last + LINE)
    return [placed[number] for number in range(len(heights))]
