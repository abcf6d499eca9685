"""What one process computes: a simulation, or a batch of theory. Plain data in, arrays out."""

import time
import warnings

import numpy as np

from ..errors import CbnetError, CbnetWarning
from ..model import unused
from ..model.parameters import Parameters
from ..model.units import to_quantity
from . import identity, keep


class TaskError(CbnetError, RuntimeError):
    """A point failed; the message is what is recorded."""


def run(task):
    """Compute a task.

    Parameters
    ----------
    task : dict
        Made by :func:`simulation` or :func:`theory`.

    Returns
    -------
    dict
        ``rows``: which points of the task; ``arrays`` with a first dimension of that length;
        ``about``: for each of them seconds and warnings; ``failed``: messages of the others;
        ``seconds`` of all.
    """
    if task["what"] == "simulation":
        import brian2  # noqa: F401  which redirects warnings when it is first imported
    started = time.perf_counter()
    with unused.told(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", CbnetWarning)
        found = {"simulation": _simulate, "network": _solve, "neuron": _respond}[task["what"]](task)
    seconds = time.perf_counter() - started
    found["seconds"] = seconds
    said = sorted({" ".join(str(w.message).split()) for w in caught})
    each = {"seconds": seconds / max(1, task["points"]), "warnings": said}
    found["about"] = [{**each, **more} for more in found["about"]]
    return found


def simulation(params, N, seed, options, arrays):
    """A task of one simulation.

    Parameters
    ----------
    params : Parameters
    N, seed : int
    options : dict
        Of :func:`cbnet.simulate`, times in s.
    arrays : sequence of str
        Fields that are kept beside the plain numbers.
    """
    return {
        "what": "simulation",
        "points": 1,
        "params": params.to_dict(),
        "N": N,
        "seed": seed,
        "options": options,
        "arrays": tuple(arrays),
    }


def theory(what, networks, noise, rtol):
    """A task of theory for some points that share a model.

    Parameters
    ----------
    what : {"network", "neuron"}
    networks : sequence of Parameters
    noise : str or None
    rtol : float or None
    """
    return {
        "what": what,
        "points": len(networks),
        "model": networks[0].model.to_dict(),
        "changes": [params.changes for params in networks],
        "noise": noise,
        "rtol": rtol,
    }


def prepared(params, N, seed, options):
    """A job of :mod:`cbnet.simulation` from plain numbers."""
    from ..simulation.job import prepare

    given = dict(options)
    for name in ("duration", "transient", "dt"):
        if given.get(name) is not None:
            given[name] = to_quantity(given[name], "s")
    if not isinstance(given["initial"], str):
        given["initial"] = to_quantity(given["initial"], "V")
    return prepare(params, N, seed=seed, **given)


_steps = {}  # chosen by this process, by network; a choice takes a tenth of a second


def _simulate(task):
    from ..simulation.backends.workshop import run_jobs

    params, options = Parameters.from_dict(task["params"]), dict(task["options"])
    who = identity.digest(task["params"])
    if options["dt"] is None:  # another seed of a network has the same
        options["dt"] = _steps.get(who)
    job = prepared(params, task["N"], task["seed"], options)
    if task["options"]["dt"] is None:
        _steps[who] = job.dt
    (result,) = run_jobs([job])
    names = (*keep.scalars("simulation"), *task["arrays"])
    arrays = {name: np.asarray(result.in_si(name))[None] for name in dict.fromkeys(names)}
    timings = {name: float(getattr(result, name)) for name in keep.TIMINGS}
    return {"rows": [0], "arrays": arrays, "about": [timings], "failed": {}}


def _networks(task):
    from ..model.model import Model

    model = Model.from_dict(task["model"])
    return [Parameters.checked(model, changes) for changes in task["changes"]]


def _solve(task):
    from ..theory.batch import solve_many

    networks = _networks(task)
    try:
        found = solve_many(networks, task["noise"], task["rtol"])
    except CbnetError as error:
        if len(networks) > 1:
            return _one_by_one(task)
        raise TaskError(str(error)) from error
    rows = [k for k in range(len(networks)) if k not in found.failed]
    arrays = {n: getattr(found, n)[rows] for n in keep.variables("network")}
    about = [{"noise": found.noise[k]} for k in rows]
    return {"rows": rows, "arrays": arrays, "about": about, "failed": dict(found.failed)}


def _respond(task):
    from ..theory.batch import respond_many

    networks = _networks(task)
    found = respond_many(networks, task["noise"], task["rtol"])
    rows = [k for k in range(len(networks)) if k not in found.failed]
    arrays = {n: getattr(found, n)[rows] for n in keep.variables("neuron")}
    about = [{"noise": found.noise[k]} for k in rows]
    return {"rows": rows, "arrays": arrays, "about": about, "failed": dict(found.failed)}


def _one_by_one(task):
    """The points of a batch that cannot be computed together, so that the others stand."""
    parts, failed = [], {}
    for k, changes in enumerate(task["changes"]):
        try:
            parts.append((k, _solve({**task, "changes": [changes], "points": 1})))
        except CbnetError as error:
            failed[k] = str(error)
    good = [(k, part) for k, part in parts if part["rows"]]
    failed |= {k: part["failed"][0] for k, part in parts if not part["rows"]}
    if not good:
        return {"rows": [], "arrays": {}, "about": [], "failed": failed}
    most = max(part["arrays"]["rate_E"].shape[1] for _, part in good)
    arrays = {}
    for name in good[0][1]["arrays"]:
        columns = [part["arrays"][name] for _, part in good]
        if columns[0].ndim == 2:
            columns = [
                np.pad(c, ((0, 0), (0, most - c.shape[1])), constant_values=np.nan) for c in columns
            ]
        arrays[name] = np.concatenate(columns)
    about = [part["about"][0] for _, part in good]
    return {"rows": [k for k, _ in good], "arrays": arrays, "about": about, "failed": failed}
