"""Distributions of rates when neurons have unequal in-degrees."""

import warnings

import numpy as np

import cbnet
from cbnet import plotting
from cbnet.errors import CbnetWarning, ConvergenceError

from . import shared
from .shared import colour, hertz, key

TITLE = "Rates in networks with unequal in-degrees"
MODELS, SCALINGS = ("conductance", "current"), ("sqrt", "log")
SILENT = 0.01  # Hz
SHOWN = 0.1  # CV_K of the distributions that are drawn
SETTINGS = {
    "quick": {
        "K": [1000, 2500],
        "CV_K": [0.0, 0.05, 0.1, 0.2, 0.4],
        "K_simulated": [2500],
        "CV_K_simulated": [0.0, 0.05, 0.1, 0.3],
        "nu_X": 50.0,
        "N": 10_000,
        "duration": "0.6s",
        "storage": "stored",
        "seed": 5,
    },
    "full": {
        "K": [1000, 10_000],
        "CV_K": [0.0, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4],
        "K_simulated": [1000, 10_000],
        "CV_K_simulated": [0.0, 0.05, 0.1, 0.2, 0.3, 0.4],
        "nu_X": 50.0,
        "N": None,
        "duration": "10s",
        "storage": "auto",
        "seed": 5,
    },
}
MINUTES = {"quick": 1.5, "full": 400}
CAPTION = (
    "Networks whose recurrent and external in-degrees have a coefficient of variation CV_K "
    "(independent, Gaussian), ν_X = 50 Hz, efficacy falling as 1/√K or as 1/log K from a = 0.0015 "
    "at K = 1000. (a, b) Distribution of the excitatory rates at CV_K = 0.1: theory at each K "
    "(dash patterns) and simulated neurons at the largest simulated K (markers; their rates "
    "include the counting noise of the measured time). (c) Share of neurons that did not fire in "
    "the time of the simulation and (d) coefficient of variation of rates against CV_K. (e) CV of "
    "intervals, averaged over neurons with at least ten, against CV_K (simulation only). (f) "
    "Largest distance between the distribution of log rates, silent neurons left out, and a "
    "normal one (0: log-normal). Thin lines: theory at the smallest K, thick ones at the largest "
    "(white noise, independent neurons); markers: simulation with two standard errors over "
    "neurons."
)
_RATES = np.geomspace(0.02, 400, 81)


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
    nothing = dict.fromkeys(_MEASURES, np.nan)
    if found is None:
        return {**nothing, "density": np.full(_RATES.size, np.nan)}
    density = np.full(_RATES.size, np.nan)
    if CV_K > 0 and float(found.rate_sd[0]) > 0 and float(found.fraction_silent[0]) < 1:
        density = np.asarray(found.density(hertz(_RATES)), float) * _RATES * np.log(10)
    return {
        "rate": float(found.rate_mean[0]),
        "rate_cv": float(found.rate_cv[0]),
        "silent": float(found.fraction_silent[0]),
        # of a neuron of a low rate spikes are rare, and hence Poissonian
        "quiet": float(np.mean(np.exp(-_evenly(found) * seconds))),
        "saturated": float(found.fraction_saturated[0]),
        "distance": float(found.lognormal_distance[0]),
        "density": density,
    }


def _evenly(found):
    """Rates of neurons at evenly spaced quantiles of the distribution, in Hz."""
    return np.asarray(found.quantile((np.arange(2000) + 0.5) / 2000), float)


_MEASURES = ("rate", "rate_cv", "silent", "quiet", "saturated", "distance")
_MEANINGS = {
    "rate": "mean rate",
    "rate_cv": "CV of rates over neurons",
    "silent": "share of neurons below 0.01 Hz",
    "quiet": "share of neurons that did not fire in the time of the simulation",
    "saturated": "share of neurons above 0.8/tau_rp",
    "distance": "distance to a log-normal distribution",
}


def compute(progress, *, K, CV_K, K_simulated, CV_K_simulated, nu_X, N, duration, storage, seed):
    """Distributions by theory and by simulation.

    Returns
    -------
    xarray.Dataset
    """
    settings = {k: v for k, v in locals().items() if k != "progress"}
    cases = [(m, s) for m in MODELS for s in SCALINGS]
    seconds = shared.base("current").model.entry("tau_L", "duration").parse(duration, "duration")
    items = [(_point(m, s, k, nu_X), c, seconds) for m, s in cases for k in K for c in CV_K]
    found = shared.each(_theory, items, progress, "distributions of rates")
    points = []
    for model, scaling in cases:
        for k in K_simulated:
            params = _point(model, scaling, k, nu_X)
            size = N or shared.network_size(k)
            options = {"N": size, "record": np.arange(min(2000, int(0.8 * size)))}
            points += [(_law(params, c), options) for c in CV_K_simulated]
    runs = shared.simulate_all(
        points, progress, duration=duration, transient="0.3s", seed=seed, storage=storage
    )
    measured = [_measured(run) for run in runs]
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
        "nu": ("nu", _RATES, "Hz", "rate of a neuron"),
    }
    for name in _MEASURES:
        unit = "Hz" if name == "rate" else "1"
        values = shared.gathered(found, name, shape)
        variables[f"{name}_theory"] = (dims, values, unit, f"{_MEANINGS[name]}, theory")
        if name in ("saturated", "silent"):
            continue
        for suffix in ("", "_sem"):
            values = shared.gathered(measured, name + suffix, many)
            variables[name + suffix] = (seen, values, unit, f"{_MEANINGS[name]}, simulation")
    for suffix in ("", "_sem"):
        values = shared.gathered(measured, f"cv{suffix}", many)
        variables[f"cv{suffix}"] = (seen, values, "1", "CV of intervals, simulation")
    values = np.reshape([one["density"] for one in found], (*shape, -1))
    variables["density_theory"] = ((*dims, "nu"), values, "1", "density of log10 of the rate")
    values = np.reshape([one["density"] for one in measured], (*many, -1))
    variables["density"] = ((*seen, "nu"), values, "1", "density of log10 of the rate")
    parameters = {model: shared.base(model).replace(nu_X=hertz(nu_X)) for model in MODELS}
    return shared.dataset(TITLE, parameters, settings, variables)


def _measured(run):
    """Statistics of the recorded excitatory neurons' rates, with errors over neurons."""
    seconds = float(run.duration)
    spikes = np.bincount(
        np.searchsorted(run.recorded, run.spike_neurons[run.in_si("spike_times") >= _start(run)]),
        minlength=len(run.recorded),
    )
    rates = spikes / seconds
    n, mean = len(rates), rates.mean()
    quiet = np.mean(spikes == 0)
    # counting adds its own variance, that of a Poisson process at most
    variance = max(rates.var(ddof=1) - float(run.cv_E or 1) ** 2 * mean / seconds, 0.0)
    awake = np.log(rates[rates > 0])
    distance = np.nan
    if len(awake) > 20 and awake.std() > 0:
        from scipy.stats import kstest

        distance = kstest((awake - awake.mean()) / awake.std(), "norm").statistic
    edges = np.geomspace(_RATES[0], _RATES[-1], 28)
    counts, _ = np.histogram(rates, edges)
    width = np.log10(edges[1] / edges[0])
    heights = np.interp(
        np.log(_RATES), np.log(np.sqrt(edges[1:] * edges[:-1])), counts / (n * width)
    )
    cv = np.sqrt(variance) / mean if mean > 0 else np.nan
    return {
        "rate": float(run.in_units("rate_E")),
        "rate_sem": float(run.in_units("rate_E_sem")),
        "rate_cv": cv,
        "rate_cv_sem": cv / np.sqrt(2 * n) * np.sqrt(1 + 2 * cv**2),
        "quiet": quiet,
        "quiet_sem": np.sqrt(max(quiet * (1 - quiet), 1 / n) / n),
        "distance": distance,
        "distance_sem": 0.26 / np.sqrt(n),  # sd of Kolmogorov's statistic
        "cv": float(run.cv_E),
        "cv_sem": float(run.cv_E_sem),
        "density": heights,
    }


def _start(run):
    return float(run.in_si("transient"))


def draw(data):
    """The figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with plotting.style():
        figure, grid = shared.canvas(2, 3, row_height=4.8, legend=1.8)
        for axes, scaling in zip(grid[0, :2], SCALINGS, strict=True):
            _draw_distributions(axes, data, scaling)
        for axes, name, label in (
            (grid[0, 2], "quiet", "share that did not fire"),
            (grid[1, 0], "rate_cv", "CV of rates over neurons"),
            (grid[1, 1], "cv", "CV of intervals"),
            (grid[1, 2], "distance", "distance to log-normal"),
        ):
            for model in MODELS:
                for position, scaling in enumerate(SCALINGS):
                    _draw_against_spread(axes, data, name, model, position, scaling)
            axes.set(xlabel="CV of in-degrees, $CV_K$", ylabel=label, ylim=(0, None))
        grid[0, 2].set_ylim(-0.02, 1.02)
        shared.letter(grid.flat)
        handles = [
            *shared.model_keys(),
            key(plotting.SCALING_NAMES["sqrt"], "0.2", 0, True),
            key(plotting.SCALING_NAMES["log"], "0.2", 1, True),
            *(key(f"a, b: $K$ = {shared.power(k)}", "0.2", i) for i, k in enumerate(data.K.values)),
            *shared.theory_and_simulation("diffusion"),
        ]
        shared.legend(figure, handles, 4)
    return figure


def _nearest(values, wanted):
    return values[np.argmin(np.abs(np.asarray(values) - wanted))]


def _draw_distributions(axes, data, scaling):
    at_theory = _nearest(data.CV_K.values, SHOWN)
    at_simulation = _nearest(data.CV_K_simulated.values, SHOWN)
    for model in MODELS:
        for position, k in enumerate(data.K.values):
            line = data.density_theory.sel(model=model, scaling=scaling, K=k, CV_K=at_theory)
            stroke = shared.STROKES[position % len(shared.STROKES)]
            axes.plot(data.nu, line, color=colour(model), ls=stroke)
        seen = data.density.sel(model=model, scaling=scaling, CV_K_simulated=at_simulation)
        seen = seen.isel(K_simulated=-1)[::3]
        axes.plot(
            seen.nu,
            seen,
            ls="",
            marker="o",
            ms=2.6,
            mew=0.6,
            color=colour(model),
            mfc=colour(model) if model == "conductance" else "white",
        )
    axes.set(xscale="log", xlabel="rate of a neuron (Hz)", ylim=(0, None))
    axes.set_ylabel(r"density of $\log_{10}$ rate")
    axes.set_title(plotting.SCALING_NAMES[scaling], loc="left", x=0.06)


def _draw_against_spread(axes, data, name, model, position, scaling):
    at = {"model": model, "scaling": scaling}
    if f"{name}_theory" in data:
        line = data[f"{name}_theory"].sel(at).isel(K=-1)
        axes.plot(data.CV_K, line, color=colour(model), ls=shared.STROKES[position], lw=1)
        if data.sizes["K"] > 1:
            line = data[f"{name}_theory"].sel(at).isel(K=0)
            axes.plot(data.CV_K, line, color=colour(model), ls=shared.STROKES[position], lw=0.5)
    value, error = (data[f"{name}{s}"].sel(at).isel(K_simulated=-1) for s in ("", "_sem"))
    shift = 0.004 * (position - 0.5)
    shared.points(
        axes,
        data.CV_K_simulated + shift,
        value,
        error,
        colour(model),
        position,
        model == "conductance",
    )
