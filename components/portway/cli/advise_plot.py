"""Cost against requests a day, drawn: one line for each target at its best region."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from portway.advice.advice import Advice
from portway.advice.lines import Crossing, Line, all_crossings, lines

_STYLES = (
    ("#1b4f8a", "-", 2.4),
    ("#c1531b", "--", 2.4),
    ("#2f2f2f", "-.", 2.0),
    ("#6b6b6b", ":", 2.4),
    ("#8a1b6a", (0, (5, 1, 1, 1, 1, 1)), 2.0),
)
"""Colour, dashes, width: each tells the lines apart also in grey."""

_INCHES = (9.6, 5.6)
_DOTS_PER_INCH = 150
_BELOW, _ABOVE = 0.55, 2.2
"""How much room is left under the cheapest and above the dearest point, as factors."""


def draw(found: Advice, file: Path) -> None:
    """Write the picture of ``found``, which has at least one priced place, to ``file``.

    Raises:
        OSError: it cannot be written.
    """
    drawn = lines(found.comparison.considered, found.traffic, found.rates)
    crossed = all_crossings(drawn, found.traffic)
    figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    axes = cast("_Axes", figure.add_subplot())
    axes.set_xscale("log")
    axes.set_yscale("log")
    for line, style in zip(drawn, _cycled(len(drawn)), strict=True):
        _draw_line(axes, line, style)
    for number, crossing in enumerate(crossed):
        _mark(axes, crossing, number)
    _draw_traffic(axes, found)
    _finish(axes, found)
    figure.savefig(file, format="png")  # pyright: ignore[reportUnknownMemberType] - its kwargs are open


_Style = tuple[str, object, float]


class _Axes(Protocol):
    """What is used here of ``matplotlib.axes.Axes``, whose own annotations leave ``kwargs`` open."""

    xaxis: Axis
    yaxis: Axis
    spines: Mapping[str, Artist]

    def set_xscale(self, value: str) -> None: ...
    def set_yscale(self, value: str) -> None: ...
    def plot(self, *args: object, **kwargs: object) -> object: ...
    def annotate(self, text: str, xy: tuple[float, float], **kwargs: object) -> object: ...
    def axvline(self, x: float, **kwargs: object) -> object: ...
    def set_title(self, label: str, **kwargs: object) -> object: ...
    def set_xlabel(self, xlabel: str) -> object: ...
    def set_ylabel(self, ylabel: str) -> object: ...
    def get_ylim(self) -> tuple[float, float]: ...
    def set_ylim(self, bottom: float, top: float) -> object: ...
    def grid(self, **kwargs: object) -> None: ...
    def set_axisbelow(self, b: bool) -> None: ...  # noqa: FBT001 - matplotlib's signature
    def legend(self, **kwargs: object) -> object: ...


def _cycled(count: int) -> list[_Style]:
    return [_STYLES[number % len(_STYLES)] for number in range(count)]


def _draw_line(axes: _Axes, line: Line, style: _Style) -> None:
    colour, dashes, width = style
    days, usd = zip(*line.points, strict=True)
    label = f"{line.target}, {line.region}"
    axes.plot(days, usd, color=colour, linestyle=dashes, linewidth=width, label=label)
    axes.plot(days[-1:], usd[-1:], color=colour, marker="|", markersize=11, markeredgewidth=2)


def _mark(axes: _Axes, crossing: Crossing, number: int) -> None:
    at, usd = crossing.requests_per_day, crossing.usd
    is_above = number % 2 == 0
    axes.plot([at], [usd], "o", markersize=8, color="white", markeredgecolor="black", zorder=5)
    axes.annotate(
        f"{_shown(at)} a day, {_shown(usd)} USD\n{crossing.dearer} is cheaper above",
        (at, usd),
        xytext=(-10, 28) if is_above else (14, -46),
        textcoords="offset points",
        ha="right" if is_above else "left",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5},
        arrowprops={"arrowstyle": "-", "color": "#555555", "linewidth": 0.8},
    )


def _draw_traffic(axes: _Axes, found: Advice) -> None:
    daily = found.traffic.requests_per_day
    if daily:
        axes.axvline(daily, color="#999999", linewidth=1.2, zorder=0)
        axes.annotate(
            f"declared: {daily:,} a day",
            (daily, 0.965),
            xycoords=("data", "axes fraction"),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=9,
            color="#555555",
        )


def _finish(axes: _Axes, found: Advice) -> None:
    spec = found.comparison.spec
    boundary = "" if spec.residency is None else f", inside {' and '.join(spec.residency)}"
    axes.set_title(f"{spec.name}: what a month is expected to cost{boundary}", loc="left")
    axes.set_xlabel("requests a day")
    axes.set_ylabel("USD a month")
    plain = FuncFormatter(_tick)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(plain)
        axis.set_minor_formatter(NullFormatter())
    low, high = axes.get_ylim()
    axes.set_ylim(low * _BELOW, high * _ABOVE)
    axes.grid(visible=True, which="major", color="#e0e0e0", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(loc="lower right", frameon=False, handlelength=3.6)


def _tick(value: float, _position: int) -> str:
    return _shown(value)


def _shown(value: float) -> str:
    """Whole numbers from ten on, else one digit or two."""
    if value >= 10:  # noqa: PLR2004 - as said
        return f"{value:,.0f}"
    return f"{value:.2g}"
