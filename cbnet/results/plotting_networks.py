"""Draw networks of named populations: theory is dashes, simulation is markers with error bars."""

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..errors import ParameterError
from .plotting import CENTIMETRE, NARROW, WIDE, style


def comparison(result):
    """Rate, CV, and potential of every population: theory as dashes, simulation as markers.

    Parameters
    ----------
    result : NetworkComparison

    Returns
    -------
    matplotlib.figure.Figure
        17.8 cm wide.
    """
    panels = (
        ("rate (Hz)", "rate"),
        ("CV of intervals", "cv"),
        ("mean potential (mV)", "V_mean"),
    )
    names = [str(name) for name in result.populations]
    with style():
        size = (WIDE, 6.5 * CENTIMETRE + 0.1 * max(map(len, names)) * CENTIMETRE)
        figure = Figure(figsize=size, layout="constrained")
        for axes, letter, (label, name) in zip(
            figure.subplots(1, len(panels)), "abc", panels, strict=True
        ):
            _by_population(
                axes,
                names,
                result.in_units(f"simulation_{name}"),
                result.in_units(f"simulation_{name}_sem"),
                result.in_units(f"theory_{name}"),
            )
            axes.set_ylabel(label)
            axes.text(-0.02, 1.04, letter, transform=axes.transAxes, weight="bold", ha="right")
            if name != "V_mean":
                axes.set_ylim(0, 1.08 * axes.dataLim.y1)
        _theory_and_simulation(figure, not result.noise.startswith("no theory"), result.noise)
    return figure


def simulation(result, solution=None):
    """A simulated network at a glance: raster, rates and CVs by population, theory beside them.

    Parameters
    ----------
    result : NetworkSimulation
        With recorded spikes, or there is no raster.
    solution : NetworkSolution, optional
        Its stable state of the highest summed rate is drawn beside the simulation.

    Returns
    -------
    matplotlib.figure.Figure
        17.8 cm wide.
    """
    names = [str(name) for name in result.populations]
    states = [] if solution is None else solution.fixed_points
    states = [s for s in states if s.stable] or states
    shown = max(states, key=lambda s: float(np.sum(np.asarray(s.rate))), default=None)
    with style():
        figure = Figure(figsize=(WIDE, 7.5 * CENTIMETRE), layout="constrained")
        rastered = len(result.recorded) > 0
        ratios = [1.6, 1, 1] if rastered else [1, 1]
        panels = figure.subplots(1, len(ratios), width_ratios=ratios)
        if rastered:
            raster(result, panels[0])
        for axes, name, label in zip(
            panels[-2:], ("rate", "cv"), ("rate (Hz)", "CV of intervals"), strict=True
        ):
            theory = None if shown is None else np.asarray(getattr(shown, name))
            _by_population(
                axes, names, result.in_units(name), result.in_units(f"{name}_sem"), theory
            )
            axes.set_ylabel(label)
            axes.set_ylim(0, 1.08 * axes.dataLim.y1)
        for letter, axes in zip("abc", panels, strict=False):
            axes.text(-0.02, 1.04, letter, transform=axes.transAxes, weight="bold", ha="right")
        _theory_and_simulation(figure, shown is not None, solution.noise if shown else "")
    return figure


def population_colours(count):
    """One colour a population: blues to reds in their order, of different lightness."""
    return sns.color_palette("colorblind", count) if count <= 10 else sns.husl_palette(count)


def _by_population(axes, names, seen, error, theory):
    """Markers with two standard errors, and the theory as a dash of the same colour."""
    for k, shade in enumerate(population_colours(len(names))):
        if theory is not None and np.isfinite(theory[k]):
            axes.plot([k - 0.35, k + 0.35], [theory[k]] * 2, color=shade, lw=1.8)
        if np.isfinite(seen[k]):
            axes.errorbar(
                k,
                seen[k],
                yerr=2 * np.nan_to_num(error[k]),
                fmt="o",
                color=shade,
                mec="0.1",
                mew=0.5,
                zorder=3,
            )
    turned = {"rotation": 90} if max(map(len, names)) * len(names) > 18 else {}
    axes.set_xticks(range(len(names)), names, **turned)
    axes.set_xlim(-0.6, len(names) - 0.4)


def raster(result, ax=None):
    """Recorded spikes of a network, a row a neuron, populations from top to bottom.

    Parameters
    ----------
    result : NetworkSimulation
    ax : matplotlib.axes.Axes, optional
        By default one of a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        If no spikes were recorded.
    """
    recorded = np.asarray(result.recorded)
    if not len(recorded):
        raise ParameterError(
            "raster: got no recorded spikes; expected some: simulate with record={'spikes': 100}"
        )
    ax = Figure((NARROW, NARROW), layout="constrained").subplots() if ax is None else ax
    places = np.searchsorted(recorded, result.spike_neurons)
    owners = np.searchsorted(np.cumsum(result.sizes), recorded, side="right")
    names, times = [str(name) for name in result.populations], result.in_units("spike_times")
    ticks = []
    for k, shade in enumerate(population_colours(len(names))):
        mine = owners[places] == k
        ax.plot(times[mine], places[mine], ls="", marker=".", ms=1.5, mew=0, color=shade)
        if np.any(owners == k):
            ticks.append((np.flatnonzero(owners == k).mean(), names[k]))
    ax.set_yticks(*zip(*ticks, strict=True))
    ax.set(xlabel="time (s)", ylim=(len(recorded) - 0.5, -0.5))
    ax.tick_params(axis="y", length=0)
    return ax


def _theory_and_simulation(figure, theory, noise):
    handles = [
        Line2D([], [], ls="", marker="o", color="0.2", label="simulation, ±2 s.e. where known")
    ]
    if theory:
        handles.insert(0, Line2D([], [], color="0.2", lw=1.8, label=f"theory ({noise})"))
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
