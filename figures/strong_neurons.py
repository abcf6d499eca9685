"""Neurons with strong synapses, a ∝ 1/√K: their theory and simulations."""

import numpy as np

import cbnet

from . import shared
from .shared import exact, gathered, hertz, inhibition_that_holds, respond

CONDITIONS = ("conductance", "current, mean held", "current, untuned")
MODELS = ("conductance", "current")
HELD = -60.0  # mV: the mean of the conductance neuron at this ratio for large K
R_E, RATIO = 40.0, 0.8  # Hz, r_I/r_E
IN_STEPS = 10_000  # in-degree from which current neurons are simulated in steps for their CV
SILENT_AT = 10_000  # in-degree at which silence below threshold is simulated for long
ABOVE = 0.4  # r_I/r_E at which the mean of the conductance neuron exceeds the threshold


def _params(K):
    return {model: shared.base(model).scaled("sqrt", int(K)) for model in MODELS}


def _inhibition(condition, params):
    if condition == "current, mean held":
        return float(inhibition_that_holds(params, R_E, HELD))
    return RATIO * R_E


def _at_potential(model, params, mu):
    """r_I at which the drift of the neuron vanishes at μ (mV); NaN where none does."""
    if model == "current":
        return float(inhibition_that_holds(params, R_E, mu))
    values = params.resolve("E")
    volts = mu * 1e-3
    aK = values["a"] * values["K"]
    excess = aK * R_E * (values["E_E"] - volts) - (volts - values["E_L"]) / values["tau_L"]
    r_I = excess / (values["g"] * values["gamma"] * aK * (volts - values["E_I"]))
    return r_I if r_I >= 0 else np.nan


def against_K(grid, progress, how, arrivals_silent=None):
    """Numbers of each neuron against K, by theory or by exact simulation.

    Parameters
    ----------
    grid : sequence of float
        In-degrees.
    progress : object
        With ``stage(name)`` and ``update(fraction)``.
    how : str or dict
        The noise of theory, or the options of simulations.
    arrivals_silent : float, optional
        How long to wait for the neuron that is to be silent, in arrivals.

    Returns
    -------
    dict of str to ndarray, shape (conditions, in-degrees)
    """
    items = []
    for condition in (*CONDITIONS, "above"):
        for K in grid:
            params = _params(K)["current" if "current" in condition else "conductance"]
            r_I = ABOVE * R_E if condition == "above" else _inhibition(condition, params)
            long = arrivals_silent and (condition, K) == ("conductance", SILENT_AT)
            one = {**how, "arrivals": arrivals_silent} if long else how
            items.append((params, R_E, r_I, one))
    work, names = _work(how, ("rate", "cv", "V_mean", "V_sd"))
    if work is respond:
        names = (*names, "tau_eff")
    kind = "theory" if work is respond else "exact"
    found = shared.each(work, items, progress, f"one neuron against K: {kind}")
    return {name: gathered(found, name, (len(CONDITIONS) + 1, len(grid))) for name in names}


def _work(how, names):
    """What computes, and the names of its numbers, by theory or by exact simulation."""
    if isinstance(how, str):
        return respond, names
    return exact, (*names, *(f"{name}_sem" for name in names))


def against_potential(mu, K_exact, progress, how):
    """Rate and CV of each model against its mean potential (mV), as :func:`against_K`.

    Those that :func:`put_steps` will simulate are left out.
    """
    items, kept = [], []
    for model in MODELS:
        for K in K_exact:
            params = _params(K)[model]
            in_steps = model == "current" and K >= IN_STEPS and not isinstance(how, str)
            for at in mu:
                r_I = _at_potential(model, params, at)
                kept.append(np.isfinite(r_I) and not in_steps)
                if kept[-1]:
                    items.append((params, R_E, r_I, how))
    work, names = _work(how, ("rate", "cv"))
    found = shared.each(work, items, progress, "one neuron against its mean potential")
    kept = np.array(kept)
    columns = {}
    for name in names:
        values = np.full(kept.size, np.nan)
        values[kept] = gathered(found, name, kept.sum())
        columns[name] = values.reshape(len(MODELS), len(K_exact), len(mu))
    return columns


def traces(progress, seed):
    """Voltage of one simulated neuron and density of a hundred, beside the density of theory."""
    shown = (100, 10_000)
    points, densities = [], []
    grid = np.linspace(-76, -55, 211)
    for model in MODELS:
        for K in shown:
            params = _params(K)[model]
            condition = "conductance" if model == "conductance" else "current, mean held"
            r_I = _inhibition(condition, params)
            params = params.replace(r_E=hertz(R_E), r_I=hertz(r_I))
            points.append((params, {}))
            response = cbnet.respond(params, noise="diffusion")
            densities.append(
                np.asarray(response.density(shared.to_quantity(grid * 1e-3, "V")), float) / 1e3
            )
    simulations = shared.simulate_all(
        points,
        progress,
        N=200,
        duration="1s",
        transient="0.2s",
        seed=seed,
        record=1,
        feedforward=True,
    )
    window = 0.2  # s that are drawn
    time = np.linspace(0, window, 1501)
    traces, heights = [], []
    for one in simulations:
        moments = one.in_units("trace_times") - one.in_units("trace_times")[0]
        traces.append(np.interp(time, moments, one.in_units("V_traces")[:, 0]))
        centres = one.in_units("V_grid")
        heights.append(np.interp(grid, centres, np.asarray(one.V_density) / 1e3))
    shape = (len(MODELS), len(shown))
    dims = ("model", "K_shown")
    return {
        "K_shown": ("K_shown", list(shown), "1", "in-degree of the traces"),
        "time": ("time", time * 1e3, "ms", "time"),
        "voltage": ("voltage", grid, "mV", "membrane potential"),
        "trace": ((*dims, "time"), np.reshape(traces, (*shape, -1)), "mV", "membrane potential"),
        "density_simulation": (
            (*dims, "voltage"),
            np.reshape(heights, (*shape, -1)),
            "1/mV",
            "density",
        ),
        "density_theory": (
            (*dims, "voltage"),
            np.reshape(densities, (*shape, -1)),
            "1/mV",
            "density, diffusion",
        ),
    }


def _in_steps(K, inhibition, duration, progress, seed):
    """Simulations in steps of current neurons at one inhibition each.

    An exact simulation takes an arrival at a time; at large K intervals are too long for it.
    """
    points = []
    for one, r_I in zip(K, inhibition, strict=True):
        params = _params(one)["current"]
        points.append((params.replace(r_E=hertz(R_E), r_I=hertz(r_I)), {}))
    return shared.simulate_all(
        points,
        progress,
        N=200,
        duration=duration,
        transient="0.2s",
        seed=seed,
        feedforward=True,
    )


def irregularity(K_exact, duration, progress, seed):
    """CV of the current neuron whose mean is held."""
    held = [_inhibition("current, mean held", _params(K)["current"]) for K in K_exact]
    runs = _in_steps(K_exact, held, duration, progress, seed + 1)
    meaning = "CV of the current neuron with its mean held, simulated in steps"
    return {
        name: ("K_exact", [float(getattr(run, source)) for run in runs], "1", meaning)
        for name, source in (("cv_stepped", "cv_E"), ("cv_stepped_sem", "cv_E_sem"))
    }


def put_steps(columns, mu, K_exact, duration, progress, seed):
    """Current neurons of large K, whose exact simulations would take too long, in steps."""
    model, places = MODELS.index("current"), []
    for k, K in enumerate(K_exact):
        if K >= IN_STEPS:
            places += [
                (k, i, _at_potential("current", _params(K)["current"], m)) for i, m in enumerate(mu)
            ]
    runs = _in_steps(
        [K_exact[k] for k, *_ in places], [r for *_, r in places], duration, progress, seed + 2
    )
    for (k, i, _), run in zip(places, runs, strict=True):
        for name in ("rate", "rate_sem", "cv", "cv_sem"):
            source = name.replace("rate", "rate_E").replace("cv", "cv_E")
            columns[name][model, k, i] = float(run.in_units(source))
