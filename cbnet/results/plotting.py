"""Draw results; compute nothing. Theory is lines, simulation is markers with error bars."""

import importlib.resources
from contextlib import contextmanager

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..errors import ParameterError

CENTIMETRE = 1 / 2.54
NARROW, WIDE = 8.6 * CENTIMETRE, 17.8 * CENTIMETRE

# Colour-blind safe, and of different lightness so that they survive in grey.
_PALETTE = sns.color_palette("colorblind")
COLOURS = {"current": _PALETTE[0], "conductance": _PALETTE[3]}
_STROKES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (4, 1.2, 1, 1.2)))
_MARKERS = ("o", "s", "^", "D")  # one for each stroke
SYNCHRONOUS = 30  # Fano factor from which a figure says that the population fires together
SCALING_NAMES = {
    "sqrt": r"$a \propto 1/\sqrt{K}$",
    "inverse": r"$a \propto 1/K$",
    "log": r"$a \propto 1/\log K$",
    "preserving": "response-preserving $a(K)$",
}


@contextmanager
def style():
    """Matplotlib settings of all figures, for the duration of a ``with`` block."""
    file = importlib.resources.files("cbnet.figures") / "style" / "cbnet.mplstyle"
    with importlib.resources.as_file(file) as path, mpl.rc_context(fname=str(path)):
        yield


def drawing(figure, ending):
    """What writes a figure into a binary file, as PDF, PNG or another kind that an ending names."""

    def fill(file):
        with style():  # also says how fonts and pixels are written
            figure.savefig(file, format=ending)

    return fill


def colour(model):
    """The fixed colour of a model; another model than cbnet's own has the third one."""
    return COLOURS.get(model, _PALETTE[2])


def _quantities(result):
    """(label, theory, simulation, error, scale) of the columns of a comparison's figure."""
    balance = result.in_units("balance_line")
    return (
        (
            r"rate / balance line, $\nu/\nu_{\mathrm{bal}}$",
            result.in_units("theory_rate_E") / balance,
            result.in_units("simulation_rate_E") / balance,
            result.in_units("simulation_rate_E_sem") / balance,
        ),
        (
            "CV of intervals",
            result.theory_cv_E,
            result.simulation_cv_E,
            result.simulation_cv_E_sem,
        ),
        (
            "sd of voltage (mV)",
            result.in_units("theory_V_sd"),
            result.in_units("simulation_V_sd"),
            result.in_units("simulation_V_sd_sem"),
        ),
    )


def against_K(axes, result, model, scaling, quantity):
    """One quantity of a comparison against the in-degree, a stroke for each input rate.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    result : Comparison
    model, scaling : str
        Which rows.
    quantity : int
        Which of rate over balance line, CV, and sd of the voltage.
    """
    _, theory, simulation, error = _quantities(result)[quantity]
    rates = result.in_units("nu_X")
    for position, rate in enumerate(np.unique(rates)):
        rows = (result.model == model) & (result.scaling == scaling) & (rates == rate)
        rows = np.flatnonzero(rows)[np.argsort(result.K[rows])]
        stroke = _STROKES[position % len(_STROKES)]
        axes.plot(result.K[rows], theory[rows], ls=stroke, color=colour(model))
        seen = rows[np.isfinite(simulation[rows])]
        axes.errorbar(
            # side by side, or they hide each other
            result.K[seen] * 1.09 ** (position - (len(np.unique(rates)) - 1) / 2),
            simulation[seen],
            yerr=2 * error[seen],
            fmt=_MARKERS[position % len(_MARKERS)],
            color=colour(model),
            mfc=_fill(model),
            mew=0.8,
            elinewidth=0.8,
            zorder=3,
        )


def _fill(model):
    return "white" if model == "current" else colour(model)


def _say_synchronous(axes, result, scaling):
    """Name the models whose population fires together, which the theory does not allow for."""
    lines = []
    for model in dict.fromkeys(result.model.tolist()):
        rows = (result.model == model) & (result.scaling == scaling)
        fano = result.simulation_fano_1ms[rows]
        if np.any(fano > SYNCHRONOUS):
            lines.append((f"{model}: Fano up to {np.nanmax(fano):.0f}", colour(model)))
    for height, (text, shade) in enumerate(lines):
        axes.text(
            0.98,
            1.02 + 0.09 * height,  # above the axes: no CV is in the way
            text,
            color=shade,
            ha="right",
            size=6.5,
            transform=axes.transAxes,
        )


def comparison(result):
    """Rate against the balance line, CV, and sd of the voltage, against the in-degree.

    Parameters
    ----------
    result : Comparison

    Returns
    -------
    matplotlib.figure.Figure
        A row for each scaling of the efficacy; 17.8 cm wide.
    """
    models = list(dict.fromkeys(result.model.tolist()))
    scalings = list(dict.fromkeys(result.scaling.tolist()))
    with style():
        height = (2.2 + 4.3 * len(scalings)) * CENTIMETRE
        figure = Figure(figsize=(WIDE, height), layout="constrained")
        grid = figure.subplots(len(scalings), 3, sharex=True, sharey="col", squeeze=False)
        for line, scaling in zip(grid, scalings, strict=True):
            for column, axes in enumerate(line):
                for model in models:
                    against_K(axes, result, model, scaling, column)
                axes.set_xscale("log")
                axes.set_ylabel(_quantities(result)[column][0])
            _say_synchronous(line[1], result, scaling)
            line[0].axhline(1, color="0.6", lw=0.8, zorder=0)
            line[0].set_title(SCALING_NAMES.get(scaling, scaling), loc="left", weight="bold")
            line[2].set_yscale("log")
            plain_decades(line[2])
        for axes in grid[:, :2].flat:
            axes.set_ylim(bottom=0)  # after everything is drawn: setting one end fixes the other
        for axes in grid[-1]:
            axes.set_xlabel("in-degree $K$")
            axes.set_xticks(np.unique(result.K), [f"{k}" for k in np.unique(result.K)])
            axes.minorticks_off()
        for letter, axes in zip("abcdefghi", grid.flat, strict=False):
            axes.text(-0.02, 1.04, letter, transform=axes.transAxes, weight="bold", ha="right")
        _legend(figure, result, models)
    return figure


def quick(result):
    """A first look at a result that holds more than a few numbers.

    Parameters
    ----------
    result : Simulation or Solution
        Voltage density, and a raster if spikes were recorded; or the fixed points.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If the result is a few numbers, which a table shows better.
    """
    kind = type(result).__name__
    draw = {"Simulation": _simulation, "Solution": _fixed_points}.get(kind)
    if draw is None:
        raise ParameterError(
            f"result: got a {kind}, a few numbers that a table shows better; expected a "
            "Simulation, Solution or Comparison"
        )
    with style():
        figure = Figure(figsize=(NARROW, 0.75 * NARROW), layout="constrained")
        draw(figure, result, colour(result.parameters.model.name))
        figure.suptitle(f"{result.parameters.model.name} synapses")
    return figure


def _simulation(figure, result, shade):
    rastered = len(result.recorded) > 0
    panels = np.atleast_1d(figure.subplots(1 + rastered))
    panels[0].plot(result.in_units("V_grid"), result.in_units("V_density") / 1e3, color=shade)
    panels[0].set(xlabel="membrane potential (mV)", ylabel="density (1/mV)", ylim=(0, None))
    if rastered:
        rows = np.searchsorted(result.recorded, result.spike_neurons)
        panels[1].plot(result.in_units("spike_times"), rows, ls="", marker="|", color=shade)
        panels[1].set(xlabel="time (s)", ylabel="recorded neuron")


def _fixed_points(figure, result, shade):
    axes = figure.subplots()
    stable = np.asarray(result.stable, bool)
    for kind, fill in ((stable, shade), (~stable, "white")):
        label = "stable" if fill == shade else "unstable"
        rates = [result.in_units(f"rate_{p}")[kind] for p in "EI"]
        axes.plot(*rates, ls="", marker="o", color=shade, mfc=fill, label=label)
    line = result.in_units("balance_line")
    if np.isfinite(line):
        axes.axvline(line, color="0.6", lw=0.8, zorder=0, label="balance line, E")
    axes.set(xlabel="rate, E (Hz)", ylabel="rate, I (Hz)")
    axes.legend()


def plain_decades(axes):
    """Ticks 1, 2, 3, 5, 10 in plain numbers: an axis shorter than a decade would have one label."""
    axes.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 3, 5)))
    axes.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())


def _legend(figure, result, models):
    handles = [Line2D([], [], color=colour(m), lw=2.5, label=f"{m} synapses") for m in models]
    handles.append(Line2D([], [], color="0.6", lw=0.8, label="balance line"))
    for position, rate in enumerate(np.unique(result.in_units("nu_X"))):
        stroke, marker = _STROKES[position % len(_STROKES)], _MARKERS[position % len(_MARKERS)]
        label = rf"$\nu_X$ = {rate:g} Hz"
        handles.append(Line2D([], [], color="0.2", ls=stroke, marker=marker, label=label))
    handles.append(Line2D([], [], color="0.2", lw=1.2, label=f"lines: theory ({result.noise})"))
    handles.append(
        Line2D([], [], ls="", marker="o", color="0.2", label="markers: simulation ±2 s.e.")
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
