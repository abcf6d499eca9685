"""What the figures compute with: simulations, theory, labelled data."""

import functools
import json
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import active_children, get_context, parent_process

import numpy as np
import xarray as xr

import cbnet
from cbnet.errors import ConvergenceError
from cbnet.model import unused
from cbnet.model.units import to_quantity
from cbnet.results import versions
from cbnet.results.pooling import over_graphs
from cbnet.simulation.backends import workshop
from cbnet.simulation.job import prepare

from . import keeping

_FEWEST_FOR_A_POOL = 8


def dataset(title, parameters, settings, variables):
    """Labelled data of a figure.

    Parameters
    ----------
    title : str
        What the data are of.
    parameters : dict of str to Parameters
        By name; part of the metadata.
    settings : dict
        Of the computation: what another run needs to give the same.
    variables : dict of str to tuple
        By name ``(dims, values)`` or ``(dims, values, unit, meaning)``; coordinates are those whose
        only dimension has their name.

    Returns
    -------
    xarray.Dataset
        Values in the unit their attribute ``units`` names, which is the one that is drawn.
    """
    data, coordinates = {}, {}
    for name, (dims, values, *rest) in variables.items():
        unit, meaning = (*rest, "1", name)[:2] if rest else ("1", name)
        dims = (dims,) if isinstance(dims, str) else tuple(dims)
        made = xr.Variable(dims, np.asarray(values), {"units": unit, "long_name": meaning})
        (coordinates if dims == (name,) else data)[name] = made
    return xr.Dataset(
        data,
        coordinates,
        attrs={
            "title": title,
            "parameters": json.dumps({k: p.to_dict() for k, p in parameters.items()}),
            "settings": json.dumps(settings, sort_keys=True),
            "versions": json.dumps(versions(), sort_keys=True),
        },
    )


def hertz(values):
    """Numbers in Hz as rates."""
    return to_quantity(np.asarray(values, float), "Hz")


def milliseconds(values):
    """Numbers in ms as times."""
    return to_quantity(np.asarray(values, float) * 1e-3, "ms")  # which takes SI


def base(model):
    """Reference parameters of a model."""
    return cbnet.load(model)


def simulate_all(points, progress, **common):
    """Simulations of networks, side by side.

    Parameters
    ----------
    points : list of (Parameters, dict)
        What to simulate, and options of :func:`cbnet.simulate` for it alone.
    progress : object
        With ``stage(name)`` and ``update(fraction)``.
    **common
        Options of all.

    Returns
    -------
    list of Simulation
    """
    points = [(params, {**common, **options}) for params, options in points]
    keys = [keeping.key("simulate", point) for point in points]
    by_key = dict(zip(keys, points, strict=True))  # the same one may be asked for twice
    found = {one: keeping.simulation(one) for one in by_key}
    missing = [one for one in by_key if found[one] is None]
    jobs = [prepare(params, **options) for params, options in map(by_key.get, missing)]

    def keep(place, result):
        found[missing[place]] = result
        keeping.keep_simulation(missing[place], result)

    if jobs:
        workshop.run_jobs(jobs, os.cpu_count() or 1, progress, finished=keep)
    return [found[one] for one in keys]


def simulate_graphs(points, measure, progress, *, seeds, **common):
    """What is measured in networks, each simulated with several seeds: as many graphs.

    Parameters
    ----------
    points : list of (Parameters, dict)
        As of :func:`simulate_all`.
    measure : callable
        ``Simulation -> dict``: see :func:`pooled`.
    progress : object
    seeds : list of int
    **common
        Options of all.

    Returns
    -------
    found : list of dict
        For each point the means over its graphs, with errors over graphs.
    first : list of Simulation
        Of each point, the one of the first seed.
    """
    many = [(params, {**options, "seed": seed}) for params, options in points for seed in seeds]
    runs = simulate_all(many, progress, **common)
    each_seed = [measure(run) for run in runs]
    starts = range(0, len(runs), len(seeds))
    return [pooled(each_seed[i : i + len(seeds)]) for i in starts], [runs[i] for i in starts]


def pooled(found):
    """Means over networks that differ in their graphs, with errors over graphs.

    Parameters
    ----------
    found : list of dict
        Numbers or arrays by name; what has an error has it as ``NAME_sem``, over noise within its
        graph, NaN if that is not known: then the spread over the graphs alone gives it.

    Returns
    -------
    dict
        With the same names.
    """
    columns = {name: np.array([one[name] for one in found], float) for name in found[0]}
    unknown = np.full(len(found), np.nan)
    mean = {}
    for name, values in columns.items():
        if name.endswith("_sem"):
            continue
        errors = columns.get(f"{name}_sem")
        nothing = unknown.reshape(-1, *(1,) * (values.ndim - 1)) + 0 * values
        value, error = over_graphs(values, nothing if errors is None else errors, axis=0)
        mean[name] = value
        if errors is not None:
            mean[f"{name}_sem"] = error
    return mean


def measured(*names):
    """What takes numbers and their errors from a simulation, for :func:`simulate_graphs`."""

    def measure(run):
        return {full: float(run.in_units(full)) for name in names for full in (name, f"{name}_sem")}

    return measure


def network_size(K, least=4000):
    """Neurons such that N_E = 4K, but at least `least`, and no more than 2K beyond 12800."""
    excitatory = max(least, 2 * K, min(4 * K, 12_800))
    return excitatory + max(excitatory // 4, K // 4 + 1)


def each(function, items, progress, name):
    """[function(item) for item in items], on all cores, with progress.

    `function` must be importable by its name, and so must what the items hold.
    """
    progress.stage(name)
    keys = [keeping.key(function.__qualname__, item) for item in items]
    by_key = dict(zip(keys, items, strict=True))  # the same one may be asked for twice
    found = keeping.answers(name)
    missing = [one for one in by_key if one not in found]
    if function is exact:  # the longest first, so that the last ones to finish are short
        missing.sort(key=lambda one: -_arrivals(*by_key[one]))
    asked = [by_key[one] for one in missing]
    alone = len(missing) < _FEWEST_FOR_A_POOL or (os.cpu_count() or 1) < 2
    try:
        work = map(function, asked) if alone else _pool().map(function, asked)
        for done, (one, answer) in enumerate(zip(missing, work, strict=True), 1):
            found[one] = answer
            keeping.keep_answer(name, one, answer)
            progress.update(done / len(missing))
    except BaseException:
        if not alone:
            _end_pool()
        raise
    return [found[one] for one in keys]


@functools.cache
def _pool():
    """Processes that all figures share: each takes seconds to import what it needs."""
    return ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), _end_with_parent)


def _end_pool():
    """End its processes at once: what they compute may take minutes."""
    for child in active_children():
        child.terminate()
    _pool().shutdown(cancel_futures=True)
    _pool.cache_clear()


def _end_with_parent():
    """Leave interrupts to the process that started this one, and end when it does, be it killed."""
    unused.be_silent()
    signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN: Brian2 calls the one before

    def wait():
        parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def respond(item):
    """Numbers of one neuron in the units of the figures: params, r_E, r_I (Hz), noise."""
    params, r_E, r_I, noise = item
    try:
        found = cbnet.respond(params, r_E=hertz(r_E), r_I=hertz(r_I), noise=noise)
    except ConvergenceError as error:
        found = error.best
    names = ("rate", "cv", "V_mean", "V_sd", "tau_eff", "mu")
    return {name: np.asarray(found.in_units(name), float) for name in names}


def solve(item):
    """Numbers of a network's fixed points, the stable one of the highest rate first."""
    params, noise = item
    try:
        found = cbnet.solve(params, noise=noise)
    except ConvergenceError as error:
        found = error.best
    names = ("rate_E", "rate_I", "cv_E", "V_mean", "V_sd", "tau_eff")
    columns = {name: np.asarray(found.in_units(name), float) for name in names}
    stable = np.asarray(found.stable, bool)
    order = np.lexsort((-columns["rate_E"], ~stable))
    columns = {name: values[order] for name, values in columns.items()}
    return {
        **columns,
        "stable": stable[order],
        "balance_line": float(found.in_units("balance_line")),
    }


def leading_mode(params):
    """Growth rate (1/s) and frequency (Hz) of a network's leading mode; NaN if there is none."""
    try:
        found = cbnet.stability(params, noise="diffusion")
    except ConvergenceError as error:
        best = complex(getattr(error, "best", np.nan) or np.nan)
        return {"growth": best.real, "frequency": abs(best.imag) / 2 / np.pi, "rate": np.nan}
    return {
        "growth": float(found.growth_rate),
        "frequency": float(found.frequency),
        "rate": float(found.rate_E),
    }


def exact(item):
    """Numbers of one neuron simulated without a time step: params, r_E, r_I (Hz), options.

    Among the options, ``arrivals`` says how many to simulate, which is what takes time, and
    ``seconds`` of what length the simulation is at least.
    """
    params, r_E, r_I, options = item
    options = dict(options)
    arrivals, seconds = options.pop("arrivals"), options.pop("seconds", 0.0)
    values = params.resolve("E")
    total = values["K"] * (r_E + values["gamma"] * r_I)
    found = cbnet.simulate_neuron(
        params,
        hertz(r_E),
        hertz(r_I),
        duration=to_quantity(min(max(arrivals / total, seconds), 2000.0), "s"),
        **options,
    )
    names = ("rate", "rate_sem", "cv", "cv_sem", "V_mean", "V_mean_sem", "V_sd", "V_sd_sem")
    return {name: float(found.in_units(name)) for name in names} | {"spikes": found.spikes}


def _arrivals(params, r_E, r_I, options):
    values = params.resolve("E")
    per_second = values["K"] * (r_E + values["gamma"] * r_I)
    return max(options["arrivals"], options.get("seconds", 0.0) * per_second)


def gathered(answers, name, shape):
    """One number of many answers as an array."""
    return np.array([float(np.ravel(answer[name])[0]) for answer in answers]).reshape(shape)


def mean_potential(params, r_E, r_I):
    """μ (mV) and τ (ms) of the drift at given input rates in Hz, which may be arrays."""
    from cbnet.model.reduced import of_model

    values = params.resolve("E")
    values = {
        **values,
        "R_E": values["K"] * np.asarray(r_E, float),
        "R_I": values["gamma"] * values["K"] * np.asarray(r_I, float),
    }
    mu, tau = of_model(params.model, values).operating_point(values)
    return np.asarray(mu) * 1e3, np.asarray(tau) * 1e3


def inhibition_that_holds(params, r_E, mu):
    """r_I (Hz) at which the drift of a current neuron vanishes at μ (mV); NaN if none does."""
    values = params.resolve("E")
    J_E, J_I = values["J_E"], values["J_I"]
    leak = (mu * 1e-3 - values["E_L"]) / (values["tau_L"] * values["K"])
    r_I = (J_E * np.asarray(r_E, float) - leak) / (values["gamma"] * J_I)
    return np.where(r_I >= 0, r_I, np.nan)
