"""Is the asynchronous state stable, and what does a simulated population do where it is not?"""

import numpy as np
from matplotlib.colors import SymLogNorm
from scipy.signal import welch

import cbnet
from cbnet.errors import ConvergenceError, ParameterError
from cbnet.results import plotting

from . import drawing, shared
from .drawing import colour, key
from .shared import gathered, hertz, leading_mode, milliseconds

TITLE = "Stability of the asynchronous state"
MODELS = ("conductance", "current")
# Where the population's spectrum is looked at: longest delay (ms) and g.
MARKED = ((10.0, 20.0), (3.0, 20.0), (10.0, 15.0))
SETTINGS = {
    "quick": {
        "delays": [1.0, 2.0, 4.0, 7.0, 12.0, 20.0],
        "g": [13.0, 15.0, 20.0, 27.0, 36.0],
        "nu_X": 30.0,
        "K": 1000,
        "sizes": [5000, 10_000, 20_000],
        "duration": "0.7s",
        "storage": "stored",
        "seeds": [10, 11],
    },
    "full": {
        "delays": [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.5, 7.0, 9.0, 12.0, 15.0, 20.0],
        "g": [13.0, 14.0, 15.0, 17.0, 20.0, 23.0, 27.0, 31.0, 36.0],
        "nu_X": 30.0,
        "K": 1000,
        "sizes": [5000, 10_000, 20_000, 40_000],
        "duration": "4s",
        "storage": "auto",
        "seeds": [10, 11, 12],
    },
}
MINUTES = {"quick": 1.3, "full": 8}
CAPTION = (
    "Asynchronous state of the network (K = 1000, a = 0.0015, ν_X = 30 Hz, delays uniform from 0.1 "
    "ms to the longest). (a, c) Growth rate and (b, d) frequency of the leading mode against the "
    "longest delay and the relative strength g of inhibition, conductance and current synapses; "
    "the black line is where the state loses stability, and letters mark the networks whose "
    "spectra are shown; colours of growth rates are linear between ±30/s, logarithmic beyond. "
    "(e-g) Power spectrum of the excitatory population per neuron, divided by the rate: linear "
    "theory (lines, where the state is stable) and simulation (markers, averaged over a twelfth of "
    "a decade). (h) Fano factor of the population's count in 1 ms against the number of neurons at "
    "point A ({GRAPHS}); the relative fluctuation it means falls as 1/√N if it is "
    "flat. Theory: white noise."
)
_SEGMENT = 256
_TICKS = [-1000, -30, 0, 30, 1000]  # linear between ±30, logarithmic beyond


def _params(model, delay, g, nu_X, K):
    return shared.base(model).replace(g=g, D_max=milliseconds(delay), nu_X=hertz(nu_X), K=K)


def _spectrum(item):
    params, N = item
    nothing = {"fano": np.nan, "spectrum": np.full(_FREQUENCIES.size, np.nan)}
    try:
        found = cbnet.stability(params, noise="diffusion", N=N)
        power = np.asarray(found.spectrum(hertz(_FREQUENCIES)), float) / float(found.rate_E)
        return {"fano": float(found.fano), "spectrum": power}
    except (ConvergenceError, ParameterError):
        return nothing


_FREQUENCIES = np.fft.rfftfreq(_SEGMENT, 1e-3)[1:]


def compute(progress, *, delays, g, nu_X, K, sizes, duration, storage, seeds):
    """Modes over the plane, spectra at the marked points, Fano factor against size.

    Returns
    -------
    xarray.Dataset
    """
    settings = {k: v for k, v in locals().items() if k != "progress"}
    items = [_params(m, d, x, nu_X, K) for m in MODELS for d in delays for x in g]
    states = shared.each(leading_mode, items, progress, "modes of the asynchronous state")
    marked = [_params(m, d, x, nu_X, K) for m in MODELS for d, x in MARKED]
    N = 10_000 if 10_000 in sizes else sizes[0]
    points = [(p, {"N": N}) for p in marked]
    for model in MODELS:
        points += [(_params(model, *MARKED[0], nu_X, K), {"N": n}) for n in sizes]
    theory = [_spectrum((p, o["N"])) for p, o in points]
    at_marks = [leading_mode(p) for p in marked]
    modes = {p.fingerprint: one["frequency"] for p, one in zip(marked, at_marks, strict=True)}
    spectra, _ = shared.simulate_graphs(
        points,
        lambda run: _power(run, modes[run.parameters.fingerprint]),
        progress,
        seeds=seeds,
        duration=duration,
        transient="0.3s",
        storage=storage,
    )
    plane, dims = (len(MODELS), len(delays), len(g)), ("model", "delay", "g")
    count, n = len(marked), (len(MODELS), len(MARKED))
    marks, by_size = ("model", "point"), ("model", "N")
    variables = {
        "model": ("model", list(MODELS)),
        "delay": ("delay", delays, "ms", "longest delay"),
        "g": ("g", g, "1", "relative strength of inhibition"),
        "growth": (dims, gathered(states, "growth", plane), "1/s", "growth rate"),
        "frequency": (dims, gathered(states, "frequency", plane), "Hz", "frequency"),
        "rate": (dims, gathered(states, "rate", plane), "Hz", "rate, theory"),
        "point": ("point", list("ABC"[: len(MARKED)])),
        "point_delay": ("point", [d for d, _ in MARKED], "ms", "longest delay"),
        "point_g": ("point", [x for _, x in MARKED], "1", "g"),
        "point_frequency": (marks, gathered(at_marks, "frequency", n), "Hz", "of the mode"),
        "point_growth": (marks, gathered(at_marks, "growth", n), "1/s", "of the mode"),
        "f": ("f", _FREQUENCIES, "Hz", "frequency"),
        "N": ("N", sizes, "1", "neurons"),
    }
    for kind, answers in (("theory", theory), ("simulation", spectra)):
        power = np.reshape([a["spectrum"] for a in answers[:count]], (*n, -1))
        variables[f"spectrum_{kind}"] = ((*marks, "f"), power, "1", "power / rate")
        for name in ("fano", "fano_sem") if kind == "simulation" else ("fano",):
            values = np.reshape([a[name] for a in answers[count:]], (len(MODELS), len(sizes)))
            variables[f"{name}_{kind}"] = (by_size, values, "1", "Fano factor")
    for name, what in (("mode_power", "power / rate at the mode"), ("fano", "Fano factor")):
        for suffix in ("", "_sem"):
            values = np.reshape([a[name + suffix] for a in spectra[:count]], n)
            variables[f"point_{name}{suffix}"] = (marks, values, "1", f"{what}, simulation")
    parameters = {model: _params(model, 10.0, 20.0, nu_X, K) for model in MODELS}
    return shared.dataset(TITLE, parameters, settings, variables)


def _power(run, mode):
    """Spectrum, power at the frequency of the mode, and Fano factor."""
    counts = np.asarray(run.count_E_1ms, float)
    segment = min(_SEGMENT, counts.size)
    f, power = welch(counts, 1e3, nperseg=segment, detrend="constant")
    rate = float(run.in_units("rate_E"))
    spectrum = np.interp(_FREQUENCIES, f[1:], power[1:]) * 1e6 / 2 / (run.N_E * max(rate, 1e-9))
    near = np.argmin(np.abs(_FREQUENCIES - mode)) if np.isfinite(mode) else 0
    at_mode = spectrum[max(near - 1, 0) : near + 2]
    return {
        "spectrum": spectrum,
        "mode_power": at_mode.mean() if np.isfinite(mode) else np.nan,
        "mode_power_sem": at_mode.std(ddof=1) / np.sqrt(len(at_mode)),
        "fano": float(run.fano_1ms),
        "fano_sem": float(run.fano_1ms_sem),
    }


def draw(data):
    """The figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with plotting.style():
        figure, grid = drawing.canvas(2, 4, row_height=4.8, legend=1.7)
        for index, model in enumerate(MODELS):
            _draw_plane(figure, grid[0, 2 * index], data, model, "growth")
            _draw_plane(figure, grid[0, 2 * index + 1], data, model, "frequency")
        for axes, point in zip(grid[1], data.point.values, strict=False):
            _draw_spectrum(axes, data, point)
        _draw_sizes(grid[1, 3], data)
        drawing.letter(grid.flat)
        handles = [*drawing.model_keys(), *drawing.theory_and_simulation("diffusion, linear")]
        handles.append(key("a-d: stability is lost", "k", 0, lw=1))
        drawing.legend(figure, handles, 3)
    return figure


def _draw_plane(figure, axes, data, model, name):
    values = data[name].sel(model=model)
    if name == "growth":
        # linear near zero: most of what matters is near zero
        options = {"norm": SymLogNorm(30, vmin=-1000, vmax=1000), "cmap": "PuOr_r"}
    else:
        options = {"cmap": "cividis", "vmin": 0, "vmax": 250}
    image = axes.pcolormesh(data.delay, data.g, values.T, shading="nearest", **options)
    growth = data.growth.sel(model=model)
    if float(growth.min()) < 0 < float(growth.max()):
        axes.contour(data.delay, data.g, growth.T, levels=[0], colors="k", linewidths=1)
    axes.set(xscale="log", xlabel="longest delay (ms)", ylabel="$g$")
    axes.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    axes.minorticks_off()
    for point in data.point.values:
        at = data.sel(point=point)
        axes.text(
            float(at.point_delay),
            float(at.point_g),
            str(point),
            ha="center",
            va="center",
            size=7,
            weight="bold",
            bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": "0.2", "lw": 0.5},
        )
    label = {"growth": "growth rate (1/s)", "frequency": "frequency (Hz)"}[name]
    bar = figure.colorbar(image, ax=axes, location="top", pad=0.02, aspect=18)
    bar.set_label(f"{model}: {label}", size=7)
    if name == "growth":
        bar.set_ticks(_TICKS, labels=[f"{tick:g}".replace("-", "−") for tick in _TICKS])
        bar.ax.minorticks_off()


def _draw_spectrum(axes, data, point):
    for model in MODELS:
        at = {"model": model, "point": point}
        shade = colour(model)
        axes.plot(data.f, data.spectrum_theory.sel(at), color=shade)
        axes.plot(
            *drawing.smoothed(data.f, data.spectrum_simulation.sel(at)),
            ls="",
            marker="o",
            ms=2.6,
            mew=0.6,
            color=shade,
            mfc=shade if model == "conductance" else "white",
        )
    one = data.sel(point=point)
    axes.set(xscale="log", yscale="log", xlabel="frequency (Hz)", ylim=(0.1, None))
    axes.set_title(
        f"{point}: {float(one.point_delay):g} ms, $g$ = {float(one.point_g):g}", loc="left", x=0.06
    )
    if point == "A":
        axes.set_ylabel("power / rate")


def _draw_sizes(axes, data):
    for model in MODELS:
        axes.plot(data.N, data.fano_theory.sel(model=model), color=colour(model))
        value, error = (data[f"fano{s}_simulation"].sel(model=model) for s in ("", "_sem"))
        drawing.points(axes, data.N, value, error, colour(model), 0, model == "conductance")
    axes.set(xscale="log", yscale="log", xlabel="neurons (thousands)", ylabel="Fano factor, 1 ms")
    axes.set_xticks(data.N.values, [f"{n / 1000:g}" for n in data.N.values])
    axes.minorticks_off()
    plotting.plain_decades(axes)
