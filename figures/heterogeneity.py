"""Distributions of rates when neurons have unequal in-degrees."""

import warnings

import numpy as np

import cbnet
from cbnet.errors import CbnetWarning, ConvergenceError
from cbnet.results import plotting

from . import drawing, shared
from .drawing import colour, key
from .shared import hertz

TITLE = "Rates in networks with unequal in-degrees"
MODELS, SCALINGS = ("conductance", "current"), ("sqrt", "log")
SHOWN = 0.1  # CV_K of the distributions that are drawn
_SPREADS = [0.0, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4]
_QUICK = {"duration": "0.8s", "transient": "0.3s"}
_LONG = {"duration": "5s", "transient": "0.3s"}
SETTINGS = {
    "quick": {
        "K": [1000, 2500, 10_000, 100_000],
        "CV_K": _SPREADS,
        "simulated": [
            {"K": 1000, "CV_K": [0.0, SHOWN], **_QUICK},
            {"K": 2500, "CV_K": [0.0, 0.025, 0.05, SHOWN, 0.15, 0.3], **_QUICK},
        ],
        "nu_X": 50.0,
        "N": 10_000,
        "storage": "stored",
        "seeds": [5, 6],
    },
    "full": {
        "K": [1000, 10_000, 100_000],
        "CV_K": sorted([*_SPREADS, 0.075, 0.25, 0.35]),
        "simulated": [
            {"K": K, "CV_K": [0.0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4], **_LONG}
            for K in (1000, 10_000)
        ]
        # 3e10 synapses, computed again at each of 2e7 spikes
        + [{"K": 100_000, "CV_K": [0.0, 0.05, 0.1, 0.2], "duration": "0.3s", "transient": "0.2s"}],
        "nu_X": 50.0,
        "N": None,
        "storage": "auto",
        "seeds": [5, 6, 7],
    },
}
MINUTES = {"quick": 3.3, "full": 1200}
CAPTION = (
    "Networks whose recurrent and external in-degrees have a coefficient of variation CV_K "
    "(independent, Gaussian), ν_X = 50 Hz, efficacy falling as 1/√K or as 1/log K from a = 0.0015 "
    "at K = 1000. (a-d) Distribution of the excitatory rates at CV_K = 0.1: theory at each K (dash "
    "patterns), simulated neurons at the largest simulated K (markers; five spikes or more, with "
    "the noise of counting them). Against CV_K: (e) share of neurons that did not fire in the time "
    "of the simulation, (f) that are silent (below 0.01 Hz: theory; no simulation is long enough), "
    "(g) saturated (above 0.8/τ_rp); (h) coefficient of variation of rates over neurons; (i) CV of "
    "intervals, averaged over neurons with at least ten in the time of the simulation; (j) largest "
    "distance between the distribution of log rates, silent neurons left out, and a normal one (0: "
    "log-normal). Thick lines: theory at the largest simulated K, thin ones at the largest K "
    "(white noise, independent neurons). Under 1/√K against K: (k) CV of intervals with equal "
    "in-degrees (solid, circles) and with CV_K = 0.1 (dotted, triangles), (l) share of silent "
    "neurons with CV_K = 0.1. Markers: simulation of {GRAPHS}; crossed "
    "where the population fires together (Fano factor in 1 ms above 30), which no theory of an "
    "asynchronous state describes."
)
_EDGES = np.geomspace(0.02, 480, 34)  # Hz, of the bins of distributions
_RATES = np.sqrt(_EDGES[1:] * _EDGES[:-1])
_WIDTH = np.log10(_EDGES[1] / _EDGES[0])
_INTERVALS = 10  # that a neuron must have for a CV, as in simulations
_NEURONS = 1000  # drawn for the mean CV of theory


def _point(model, scaling, K, nu_X):
    return shared.base(model).scaled(scaling, int(K)).replace(nu_X=hertz(nu_X))


def _law(params, CV_K):
    return params.replace(law="gaussian", CV_K=CV_K) if CV_K > 0 else params


def _theory(item):
    params, CV_K, seconds = item
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CbnetWarning)
        try:
            found = cbnet.heterogeneity(params, CV_K=CV_K, noise="diffusion", rtol=1e-2)
        except ConvergenceError as error:
            found = error.best
    if found is None:
        return {**dict.fromkeys(_MEASURES, np.nan), "density": np.full(_RATES.size, np.nan)}
    rates = np.asarray(found.quantile((np.arange(4000) + 0.5) / 4000), float)
    spread = CV_K > 0 and float(found.rate_sd[0]) > 0
    return {
        "rate": float(found.rate_mean[0]),
        "rate_cv": float(found.rate_cv[0]),
        "silent": float(found.fraction_silent[0]),
        # of a neuron of a low rate spikes are rare, and hence Poissonian
        "quiet": float(np.mean(np.exp(-rates * seconds))),
        "saturated": float(found.fraction_saturated[0]),
        "distance": float(found.lognormal_distance[0]),
        "cv": _irregularity(params, CV_K, found, seconds),
        "density": _heights(rates) if spread else np.full(_RATES.size, np.nan),
    }


def _irregularity(params, CV_K, found, seconds):
    """Mean CV of the neurons that fire often enough to have one measured."""
    values = params.resolve("E")
    K, K_I = values["K"], values["gamma"] * values["K"]
    draws = np.random.default_rng(0).standard_normal((5, _NEURONS))
    k_E, k_X, k_I = np.maximum(1 + CV_K * draws[:3], 0) * np.array([[K], [K], [K_I]])
    mean, sd = (np.asarray(v, float) for v in (found.rate_mean, found.rate_sd))
    R_E = k_E * mean[0] + k_X * values["nu_X"] + np.sqrt(k_E) * sd[0] * draws[3]
    R_I = k_I * mean[1] + np.sqrt(k_I) * sd[1] * draws[4]
    inputs = (np.maximum(R / k, 0) for R, k in ((R_E, K), (R_I, K_I)))
    neurons = shared.respond((params, *inputs, "diffusion"))
    awake = neurons["rate"] * seconds >= _INTERVALS + 1
    return float(neurons["cv"][awake].mean()) if awake.any() else np.nan


def _heights(rates):
    counts, _ = np.histogram(rates, _EDGES)
    return counts / (len(rates) * _WIDTH)


_MEASURES = ("rate", "rate_cv", "silent", "quiet", "saturated", "distance", "cv")
_SIMULATED = ("rate", "rate_cv", "quiet", "saturated", "distance", "cv", "fano")
_MEANINGS = {
    "rate": "mean rate",
    "rate_cv": "CV of rates over neurons",
    "silent": "share of neurons below 0.01 Hz",
    "quiet": "share of neurons that did not fire in the time of the simulation",
    "saturated": "share of neurons above 0.8/tau_rp",
    "distance": "distance to a log-normal distribution",
    "cv": "CV of intervals",
    "fano": "Fano factor of the population in 1 ms",
}


def compute(progress, *, K, CV_K, simulated, nu_X, N, storage, seeds):
    """Distributions by theory and by simulation.

    A simulation that is not among `simulated` is NaN in what is returned.

    Returns
    -------
    xarray.Dataset
    """
    settings = {k: v for k, v in locals().items() if k != "progress"}
    cases = [(m, s) for m in MODELS for s in SCALINGS]
    K_simulated = [one["K"] for one in simulated]
    CV_K_simulated = sorted({c for one in simulated for c in one["CV_K"]})
    duration = shared.base("current").model.entry("tau_L", "duration")
    seconds = np.array([duration.parse(one["duration"], "duration") for one in simulated])
    as_long = {k: seconds[np.argmin(np.abs(np.log(np.divide(K_simulated, k))))] for k in K}
    items = [(_point(m, s, k, nu_X), c, as_long[k]) for m, s in cases for k in K for c in CV_K]
    found = shared.each(_theory, items, progress, "distributions of rates")
    wanted = [(m, s, one, c) for m, s in cases for one in simulated for c in one["CV_K"]]
    points = [
        (
            _law(_point(model, scaling, one["K"], nu_X), c),
            {
                "N": N or shared.network_size(one["K"]),
                "duration": one["duration"],
                "transient": one["transient"],
            },
        )
        for model, scaling, one, c in wanted
    ]
    runs, _ = shared.simulate_graphs(points, _measured, progress, seeds=seeds, storage=storage)
    known = {
        (model, scaling, one["K"], c): run
        for (model, scaling, one, c), run in zip(wanted, runs, strict=True)
    }
    measured = [
        known.get((m, s, k, c), _UNKNOWN)
        for m, s in cases
        for k in K_simulated
        for c in CV_K_simulated
    ]
    shape = (len(MODELS), len(SCALINGS), len(K), len(CV_K))
    many = (len(MODELS), len(SCALINGS), len(K_simulated), len(CV_K_simulated))
    dims = ("model", "scaling", "K", "CV_K")
    seen = ("model", "scaling", "K_simulated", "CV_K_simulated")
    variables = {
        "model": ("model", list(MODELS)),
        "scaling": ("scaling", list(SCALINGS)),
        "K": ("K", K, "1", "in-degree"),
        "CV_K": ("CV_K", CV_K, "1", "coefficient of variation of in-degrees"),
        "K_simulated": ("K_simulated", K_simulated, "1", "in-degree, simulations"),
        "CV_K_simulated": ("CV_K_simulated", CV_K_simulated, "1", "the same, simulations"),
        "seconds": ("K_simulated", seconds, "s", "time measured in simulations"),
        "nu": ("nu", _RATES, "Hz", "rate of a neuron"),
    }
    for name in _MEASURES:
        unit = "Hz" if name == "rate" else "1"
        values = shared.gathered(found, name, shape)
        variables[f"{name}_theory"] = (dims, values, unit, f"{_MEANINGS[name]}, theory")
    for name in _SIMULATED:
        unit = "Hz" if name == "rate" else "1"
        for suffix in ("", "_sem"):
            values = shared.gathered(measured, name + suffix, many)
            variables[name + suffix] = (seen, values, unit, f"{_MEANINGS[name]}, simulation")
    values = np.reshape([one["density"] for one in found], (*shape, -1))
    variables["density_theory"] = ((*dims, "nu"), values, "1", "density of log10 of the rate")
    values = np.reshape([one["density"] for one in measured], (*many, -1))
    variables["density"] = ((*seen, "nu"), values, "1", "density of log10 of the rate")
    parameters = {model: shared.base(model).replace(nu_X=hertz(nu_X)) for model in MODELS}
    return shared.dataset(TITLE, parameters, settings, variables)


_UNKNOWN = {
    **dict.fromkeys([n + s for n in _SIMULATED for s in ("", "_sem")], np.nan),
    "density": np.full(_RATES.size, np.nan),
}


def _measured(run):
    """Statistics of the excitatory neurons' rates, with errors over the neurons of one graph."""
    seconds = float(run.duration)
    spikes = run.spike_counts[: run.N_E]
    rates = spikes / seconds
    n, mean = len(rates), rates.mean()
    quiet = np.mean(spikes == 0)
    # counting adds its own variance, that of a Poisson process at most
    own = float(run.cv_E) if np.isfinite(run.cv_E) else 1.0
    variance = max(rates.var(ddof=1) - own**2 * mean / seconds, 0.0)
    awake = np.log(rates[rates > 0])
    distance = np.nan
    if len(awake) > 20 and awake.std() > 0:
        from scipy.stats import kstest

        distance = kstest((awake - awake.mean()) / awake.std(), "norm").statistic
    saturated = np.mean(rates > 0.8 / run.parameters.resolve("E")["tau_rp"])
    cv = np.sqrt(variance) / mean if mean > 0 else np.nan
    return {
        "rate": float(run.in_units("rate_E")),
        "rate_sem": float(run.in_units("rate_E_sem")),
        "rate_cv": cv,
        "rate_cv_sem": cv / np.sqrt(2 * n) * np.sqrt(1 + 2 * cv**2),
        "quiet": quiet,
        "quiet_sem": _share_sem(quiet, n),
        "saturated": saturated,
        "saturated_sem": _share_sem(saturated, n),
        "distance": distance,
        "distance_sem": 0.26 / np.sqrt(n),  # sd of Kolmogorov's statistic
        "cv": float(run.cv_E),
        "cv_sem": float(run.cv_E_sem),
        "fano": float(run.fano_1ms),
        "fano_sem": float(run.fano_1ms_sem),
        "density": _heights(rates),
    }


def _share_sem(share, n):
    return np.sqrt(max(share * (1 - share), 1 / n) / n)


def draw(data):
    """The figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with plotting.style():
        figure, grid = drawing.canvas(3, 4, row_height=4.2, legend=2.4)
        places = [(m, s) for m in MODELS for s in SCALINGS]
        for axes, (model, scaling) in zip(grid[0], places, strict=True):
            _draw_distributions(axes, data, model, scaling)
        drawn = (
            data.density_theory.sel(CV_K=_nearest(data.CV_K.values, SHOWN)),
            data.density.sel(CV_K_simulated=_nearest(data.CV_K_simulated.values, SHOWN)),
        )
        top = 1.05 * max(float(one.max()) for one in drawn)
        for axes in grid[0]:
            axes.set_ylim(0, top)
        for axes in grid[0, 1:]:
            axes.set_ylabel("")
        measures = (
            ("quiet", "share that did not fire"),
            ("silent", "share below 0.01 Hz"),
            ("saturated", r"share above 0.8/$\tau_{\mathrm{rp}}$"),
            ("rate_cv", "CV of rates"),
            ("cv", "CV of intervals"),
            ("distance", "distance to log-normal"),
        )
        for axes, (name, label) in zip(grid.flat[4:], measures, strict=False):
            for model in MODELS:
                for position, scaling in enumerate(SCALINGS):
                    _draw_against_spread(axes, data, name, model, position, scaling)
            axes.set(xlabel="CV of in-degrees, $CV_K$", ylabel=label, ylim=(0, None))
        for axes in grid[1, :2]:
            axes.set_ylim(-0.02, 1.02)
        _draw_against_K(grid[2, 2], data, "cv", (0.0, SHOWN))
        grid[2, 2].set(ylabel="CV of intervals", ylim=(0, 1))
        _draw_against_K(grid[2, 3], data, "silent", (SHOWN,))
        grid[2, 3].set(ylabel="share below 0.01 Hz", ylim=(-0.02, 1.02))
        for axes in grid[2, 2:]:
            axes.set_title(plotting.SCALING_NAMES["sqrt"], loc="left", x=0.1, size=7.5)
        grid[2, 0].set_ylim(0, 1.2)
        drawing.letter(grid.flat)
        handles = [
            *drawing.model_keys(),
            key("e-j: " + plotting.SCALING_NAMES["sqrt"], "0.2", 0, True),
            key("e-j: " + plotting.SCALING_NAMES["log"], "0.2", 1, True),
            *(key(f"a-d: $K$ = {drawing.power(k)}", "0.2", i) for i, k in enumerate(data.K.values)),
            *(key(f"e-j: $K$ = {drawing.power(k)}", "0.2", 0, lw=w) for k, w in _shown(data)),
            key("k: equal in-degrees", "0.2", 0, True),
            key(f"k, l: $CV_K$ = {SHOWN:g}", "0.2", 2, True),
            *drawing.theory_and_simulation("diffusion"),
            drawing.together_key(),
        ]
        drawing.legend(figure, handles, 4)
    return figure


def _shown(data):
    """In-degrees that are drawn against CV_K, and their line widths."""
    same = _nearest(data.K.values, data.K_simulated.values[-1])
    last = data.K.values[-1]
    return ((same, 1.4),) if same == last else ((same, 1.4), (last, 0.5))


def _nearest(values, wanted):
    return values[np.argmin(np.abs(np.asarray(values) - wanted))]


def _draw_distributions(axes, data, model, scaling):
    at = {"model": model, "scaling": scaling}
    spread = _nearest(data.CV_K.values, SHOWN)
    for position, k in enumerate(data.K.values):
        line = data.density_theory.sel(at).sel(K=k, CV_K=spread)
        axes.plot(data.nu, line, color=colour(model), ls=drawing.STROKES[position], lw=1)
    seen = data.density.sel(at).isel(K_simulated=-1)
    seen = seen.sel(CV_K_simulated=_nearest(data.CV_K_simulated.values, SHOWN))
    seen = seen.where(seen.nu > 5 / data.seconds[-1])[::2]
    filled = model == "conductance"
    drawing.points(axes, seen.nu, seen, 0 * seen, colour(model), 0, filled, ms=2.6)
    axes.set(xscale="log", xlabel="rate of a neuron (Hz)")
    axes.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    axes.minorticks_off()
    axes.set_ylabel(r"density of $\log_{10}$ rate")
    axes.set_title(f"{model}, {plotting.SCALING_NAMES[scaling]}", loc="left", x=0.02, size=7.5)


def _draw_against_spread(axes, data, name, model, position, scaling):
    at, shade = {"model": model, "scaling": scaling}, colour(model)
    theory = data[f"{name}_theory"].sel(at)
    for k, width in _shown(data):
        axes.plot(data.CV_K, theory.sel(K=k), color=shade, ls=drawing.STROKES[position], lw=width)
    if name not in data:
        return
    value, error = (data[f"{name}{s}"].sel(at).isel(K_simulated=-1) for s in ("", "_sem"))
    x = data.CV_K_simulated + 0.004 * (position - 0.5)
    drawing.points(axes, x, value, error, shade, position, model == "conductance")
    drawing.cross_together(axes, x, value, data.fano.sel(at).isel(K_simulated=-1))


def _draw_against_K(axes, data, name, spreads):
    at = data.sel(scaling="sqrt")
    for model in MODELS:
        for spread in spreads:
            position = 2 if spread else 0
            line = at[f"{name}_theory"].sel(model=model).sel(CV_K=spread, method="nearest")
            axes.plot(data.K, line, color=colour(model), ls=drawing.STROKES[position])
            if name not in data:
                continue
            seen = at.sel(model=model).sel(CV_K_simulated=spread, method="nearest")
            value, error = seen[name], seen[f"{name}_sem"]
            filled = model == "conductance"
            drawing.points(axes, data.K_simulated, value, error, colour(model), position, filled)
            drawing.cross_together(axes, data.K_simulated, value, seen.fano)
    axes.set(xscale="log", xlabel="in-degree $K$")
