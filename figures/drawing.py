"""What the figures draw with: panels, fixed styles, legends."""

import string

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cbnet.results import plotting

CENTIMETRE, NARROW, WIDE = plotting.CENTIMETRE, plotting.NARROW, plotting.WIDE
# Lightness, stroke and marker change together, so that nothing rests on colour alone.
STROKES = (
    "-",
    (0, (4, 1.5)),
    (0, (1, 1.2)),
    (0, (4, 1.2, 1, 1.2)),
    (0, (6, 1, 1, 1, 1, 1)),
    (0, (2, 0.8)),
)
MARKERS = ("o", "s", "^", "D", "v", "P")
STANDARD_ERRORS = 2  # that error bars show
TOGETHER = 30  # Fano factor in 1 ms above which the report does not call a population asynchronous


def colour(model):
    """The fixed colour of a model."""
    return plotting.colour(model)


def canvas(rows, columns, width=WIDE, row_height=4.4, legend=1.4, **options):
    """A figure and its axes, with letters."""
    height = (legend + row_height * rows) * CENTIMETRE
    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, grid


def letter(axes):
    """Letters on axes in reading order."""
    for character, one in zip(string.ascii_lowercase, axes, strict=False):
        one.text(-0.06, 1.05, character, transform=one.transAxes, weight="bold", ha="right")


def points(axes, x, y, error, shade, position=0, filled=True, **options):
    """Markers of a simulation with their error bars."""
    x, y, error = (np.asarray(v, float) for v in (x, y, error))
    seen = np.isfinite(y)
    axes.errorbar(
        x[seen],
        y[seen],
        yerr=STANDARD_ERRORS * np.nan_to_num(error[seen]),
        **{
            "fmt": MARKERS[position % len(MARKERS)],
            "color": shade,
            "mfc": shade if filled else "white",
            "mew": 0.8,
            "ms": 3.6,
            "elinewidth": 0.8,
            "zorder": 3,
            **options,
        },
    )


def key(label, shade="0.2", position=None, marker=False, filled=True, lw=1.2):
    """An entry of a legend: a line if it has a position among strokes, a marker, or both."""
    return Line2D(
        [],
        [],
        color=shade,
        lw=lw,
        ls=STROKES[(position or 0) % len(STROKES)] if position is not None else "",
        marker=MARKERS[(position or 0) % len(MARKERS)] if marker else "",
        ms=3.6,
        mew=0.8,
        mfc=shade if filled else "white",
        label=label,
    )


def time_constant_keys(data):
    """The legend of figures against synaptic time constants."""
    constants = (
        key(rf"$\tau_S$ = {tau:g} ms", "0.2", i, True) for i, tau in enumerate(data.tau_S.values)
    )
    return [*model_keys(), *constants, *theory_and_simulation("filtered jumps")]


def model_keys(models=("conductance", "current")):
    """Entries for models: their colours, and their markers filled or not."""
    return [
        Line2D(
            [],
            [],
            color=colour(model),
            lw=2,
            marker="o",
            ms=3.6,
            mew=0.8,
            mfc=colour(model) if model == "conductance" else "white",
            label=f"{model} synapses",
        )
        for model in models
    ]


def theory_and_simulation(noise=None):
    """Entries that say what lines and markers are."""
    line = "lines: theory" + (f" ({noise})" if noise else "")
    marker = f"markers: simulation ±{STANDARD_ERRORS} s.e."
    return [
        Line2D([], [], color="0.2", lw=1.2, label=line),
        Line2D([], [], color="0.2", ls="", marker="o", ms=3.6, label=marker),
    ]


def together_key():
    """The entry for markers crossed by :func:`cross_together`."""
    return Line2D(
        [],
        [],
        ls="",
        marker="x",
        color="0.1",
        ms=3,
        mew=0.6,
        label=f"crossed: Fano factor above {TOGETHER}",
    )


def cross_together(axes, x, y, fano):
    """Cross the markers of networks that fire together, which theory does not describe."""
    y = np.where(np.asarray(fano) > TOGETHER, y, np.nan)
    axes.plot(x, y, ls="", marker="x", color="0.1", ms=3, mew=0.6, zorder=4)


def smoothed(frequency, power, per_decade=12):
    """A simulated spectrum, averaged in equal parts of a decade; where and what.

    Its values scatter by their own size, and high frequencies have too many to be told apart.
    """
    frequency, power = (np.asarray(values, float) for values in (frequency, power))
    part = np.floor(np.log10(frequency) * per_decade)
    parts = [part == one for one in np.unique(part)]
    return tuple(np.array([values[one].mean() for one in parts]) for values in (frequency, power))


def a_few(K):
    """At most four of these in-degrees, so that their strokes can be told apart."""
    return K[:: -(-len(K) // 4)]


def legend(figure, handles, columns=4):
    """One legend above all panels; lines are so long that their dashes show beside a marker."""
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=columns,
        handlelength=3.6,
        columnspacing=1.4,
    )


def in_degrees(axes, K):
    """A logarithmic axis of in-degrees with ticks at these."""
    axes.set(xscale="log", xlabel="in-degree $K$")
    axes.set_xticks(K, [f"{k:g}" if k < 1e4 else power(k) for k in K])
    axes.minorticks_off()


def power(K):
    """A power of ten for a label."""
    exponent = np.log10(K)
    return f"$10^{{{exponent:.0f}}}$" if abs(exponent - round(exponent)) < 1e-9 else f"{K:g}"
