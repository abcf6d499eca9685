"""A first look at a sweep: lines along one axis, or maps of two."""

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from ..errors import ParameterError
from ..model.units import unit
from ..results import plotting
from ..results.pooling import over_graphs

_SWEPT = (
    (("rate_E", "rate"), "firing rate (Hz)"),
    (("cv_E", "cv"), "CV of intervals"),
    (("V_sd",), "sd of voltage (mV)"),
)
_TICKS = 5
_LETTERS = 30  # of all the words below an axis, until they are slanted
_LINES = 6  # values of a second axis up to which it is lines rather than a map


def draw(found):
    """A first look at a sweep of one or two axes: rate, CV and sd of the voltage.

    Parameters
    ----------
    found : cbnet.sweeps.table.Results

    Returns
    -------
    matplotlib.figure.Figure
        Lines or, of many values of both axes, maps; theory is lines, simulation is markers with two
        standard errors over seeds (:func:`cbnet.results.pooling.over_graphs`).

    Raises
    ------
    ParameterError
        If it has more than two axes, or nothing that is finished.
    """
    dims = [axis.dimension for axis in found.grid.axes if len(axis) > 1]
    if len(dims) > 2:
        raise ParameterError(
            f"--plot: got a sweep of {len(dims)} axes ({', '.join(dims)}); expected one or two: "
            "select from .dataset, or draw .to_dataframe() with seaborn"
        )
    data = found.dataset.squeeze([d for d in found.dataset.dims if found.dataset.sizes[d] == 1])
    data = data.reset_coords([c for c in data.coords if not data[c].ndim], drop=True)
    panels = []
    for names, label in _SWEPT:
        for kind in ("theory", "simulation"):
            here = next((f"{kind}_{n}" for n in names if f"{kind}_{n}" in data), None)
            if here is not None and np.isfinite(data[here]).any():
                panels.append((label, kind, here))
    if not panels or not dims:
        raise ParameterError("--plot: got no finished point along an axis; nothing to draw")
    # lines need one axis of few values, or of words
    few = [d for d in dims if _is_words(data, d) or data.sizes[d] <= _LINES]
    mapped = len(dims) == 2 and not few
    with plotting.style():
        return _maps(data, panels, dims) if mapped else _curves(data, panels, dims, few)


def _along(data, dim):
    """Values along a dimension in the unit that is shown, a label, and whether they are words."""
    names = [c for c in data.coords if data[c].dims == (dim,)]
    name = next((c for c in names if data[c].dtype.kind in "if"), names[0] if names else None)
    if name is None:
        return np.arange(data.sizes[dim]), dim, False
    array, inside = data[name], data[name].attrs.get("shown_in", "")
    if array.dtype.kind not in "if":
        return np.arange(array.size), name, True
    factor = unit(inside)[0] if inside else 1.0
    label = f"{name} ({inside})" if inside else name
    return array.values / factor, label + "".join(f", {c}" for c in names if c != name), False


def _told(coordinate):
    """Name and value of one place along an axis."""
    found, inside = coordinate.values[()], coordinate.attrs.get("shown_in", "")
    if not isinstance(found, str):
        found = f"{found / _factor(coordinate):g}"
    return f"{coordinate.name} = {found} {inside}".strip()


def _is_words(data, dim):
    return _along(data, dim)[2]


def _spaced_by_factors(x):
    if len(x) < 3 or np.any(x <= 0):
        return False
    steps, ratios = np.diff(x), np.diff(np.log(x))
    return bool(np.ptp(ratios) / abs(ratios.mean()) < np.ptp(steps) / abs(steps.mean()))


def _logarithmic(axis, x):
    """A logarithmic axis with some of the values themselves as ticks."""
    getattr(axis.axes, f"set_{axis.axis_name}scale")("log")
    axis.set_minor_locator(NullLocator())
    some = x[:: -(-len(x) // _TICKS)]
    axis.set_ticks(some, [f"{value:.{4 if value >= 1 else 3}g}" for value in some])


def _curves(data, panels, dims, few):
    labels = list(dict.fromkeys(label for label, _, _ in panels))
    lines = min(few, key=lambda d: data.sizes[d]) if len(dims) == 2 else None
    (along,) = [d for d in dims if d != lines]
    x, x_label, words = _along(data, along)
    figure = Figure(figsize=(plotting.WIDE, 0.42 * plotting.WIDE), layout="constrained")
    grid = figure.subplots(1, len(labels), squeeze=False)[0]
    count = 1 if lines is None else data.sizes[lines]
    shades = (
        [plotting.COLOURS["conductance"]] if count == 1 else sns.color_palette("viridis", count)
    )
    for label, kind, name in panels:
        axes = grid[labels.index(label)]
        for k, shade in enumerate(shades):
            mine = data if lines is None else data.isel({lines: k})
            if kind == "theory":
                _theory_line(axes, mine, name, x, along, shade, "" if words else "-")
            else:
                _simulated(axes, mine, name, x, along, shade)
        axes.set(xlabel=x_label, ylabel=label)
    for axes in grid:
        if words:
            names = data[x_label].values
            axes.set_xticks(x, names, rotation=30 * (sum(map(len, names)) > _LETTERS))
        elif _spaced_by_factors(x):
            _logarithmic(axes.xaxis, x)
        top = axes.dataLim.y1
        axes.set_ylim(0, 1.05 * top if top > 0 else None)
    _sweep_legend(figure, data, lines, shades, {kind for _, kind, _ in panels})
    return figure


def _factor(array):
    shown = array.attrs.get("shown_in")
    return unit(shown)[0] if shown else 1.0


def _theory_line(axes, data, name, x, along, shade, style):
    array = data[name] / _factor(data[name])
    stable = data.get("theory_stable")
    one = "fixed_point" not in array.dims
    if not one and stable is not None and (stable.sum("fixed_point") == 1).all():
        array, one = array.where(stable == 1).max("fixed_point"), True
    if one:
        marker = "" if style else "_"  # between words there is nothing to join
        axes.plot(x, array.transpose(along).values, color=shade, ls=style, marker=marker, ms=12)
        if stable is None or "fixed_point" not in stable.dims:
            return
        array, stable = data[name] / _factor(data[name]), stable.where(stable != 1)
    for state in range(array.sizes["fixed_point"]):
        y = array.isel(fixed_point=state).transpose(along).values
        holds = fails = np.ones(y.shape, bool)
        if stable is not None:
            mine = stable.isel(fixed_point=state).transpose(along).values
            holds, fails = mine == 1, mine == 0
        # states are numbered by their rate: a line would join those of different branches
        axes.plot(x[holds], y[holds], ls="", marker=".", ms=3, color=shade)
        axes.plot(x[fails], y[fails], ls="", marker=".", ms=3, color=shade, mfc="white")


def _simulated(axes, data, name, x, along, shade):
    array, error = (
        data[n] / _factor(data[n]) if n in data else None for n in (name, f"{name}_sem")
    )
    sem = 0 * array if error is None else error
    if "seed" in array.dims:
        import xarray as xr

        array, sem = xr.apply_ufunc(
            over_graphs, array, sem, input_core_dims=[["seed"]] * 2, output_core_dims=[[], []]
        )
    axes.errorbar(
        x,
        array.transpose(along).values,
        yerr=2 * sem.transpose(along).values,
        ls="",
        marker="o",
        color=shade,
        elinewidth=0.8,
        zorder=3,
    )


def _sweep_legend(figure, data, lines, shades, kinds):
    handles = []
    if lines is not None:
        names = [c for c in data.coords if data[c].dims == (lines,)]
        handles += [
            Line2D([], [], color=shade, lw=2.5, label=", ".join(_told(data[c][k]) for c in names))
            for k, shade in enumerate(shades)
        ]
    if "theory" in kinds:
        label = "theory (open: unstable)" if _some_unstable(data) else "theory"
        handles.append(Line2D([], [], color="0.2", label=label))
    if "simulation" in kinds:
        handles.append(Line2D([], [], ls="", marker="o", color="0.2", label="simulation ±2 s.e."))
    figure.legend(handles=handles, loc="outside upper center", ncols=4)


def _some_unstable(data):
    return "theory_stable" in data and bool((data["theory_stable"] == 0).any())


def _maps(data, panels, dims):
    rows = list(dict.fromkeys(kind for _, kind, _ in panels))
    labels = list(dict.fromkeys(label for label, _, _ in panels))
    figure = Figure(
        figsize=(plotting.WIDE, (0.08 + 0.3 * len(rows)) * plotting.WIDE), layout="constrained"
    )
    grid = figure.subplots(len(rows), len(labels), squeeze=False, sharex=True, sharey=True)
    (x, x_label, _), (y, y_label, _) = (_along(data, d) for d in dims)
    for label, kind, name in panels:
        axes = grid[rows.index(kind), labels.index(label)]
        array = data[name] / _factor(data[name])
        if "seed" in array.dims:
            array = array.mean("seed")
        if "fixed_point" in array.dims:
            stable = data.get("theory_stable", 1)
            array = array.where(stable == 1).max("fixed_point")
        image = axes.pcolormesh(x, y, array.transpose(dims[1], dims[0]).values, rasterized=True)
        figure.colorbar(image, ax=axes, label=label)
        axes.set_title(kind, loc="left")
        if _spaced_by_factors(x):
            _logarithmic(axes.xaxis, x)
        if _spaced_by_factors(y):
            _logarithmic(axes.yaxis, y)
    for axes in grid[-1]:
        axes.set_xlabel(x_label)
    for axes in grid[:, 0]:
        axes.set_ylabel(y_label)
    return figure
