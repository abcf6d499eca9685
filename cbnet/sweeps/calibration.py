"""How much time a sweep will take, from a short measurement on this machine."""

import contextlib
import time
import warnings

import numpy as np

from ..errors import CbnetError
from . import plan, tasks
from .local import cores

_SHORT_S = 0.3  # of computing, about
_NETWORKS = 32  # of white-noise theory, which are solved together
_COMPILE_S = 30.0  # where no compilation was seen


def estimate(planned, processes=None):
    """Points, memory and time of a plan.

    Parameters
    ----------
    planned : Plan
    processes : int, optional
        One for each core if not given.

    Returns
    -------
    dict
        ``points``, ``computations``, ``refused`` (list of point, kind, reason), ``memory_MB``
        (largest of one simulation), ``memory_together_MB`` (of the largest that run side by side),
        ``core_s``, ``time_s``, ``processes``, ``programs`` (to compile), ``calibration`` in words.
    """
    processes = processes or cores()
    theory = [u for u in planned.units if u.kind == "theory"]
    simulations = [u for u in planned.units if u.kind == "simulation"]
    said, seconds, largest = [], 0.0, 0.0
    if theory:
        each, words = _theory(planned.grid, theory)
        seconds, largest = each * len(theory), each
        said.append(words)
    programs = 0
    if simulations:
        costs, compiling, programs, words = _simulations(simulations)
        seconds += float(costs.sum()) + compiling
        largest = max(largest, float(costs.max()))
        said.append(words)
    memory = sorted((u.memory for u in planned.units), reverse=True)
    grid = planned.grid
    return {
        "points": int(np.prod(grid.shape)),
        "theory": len(theory),
        "simulations": len(simulations),
        "computations": len(planned.units),
        "refused": [
            {"point": plan.label(grid, point), "kind": what, "reason": why}
            for point, what, why in planned.refused
        ],
        "memory_MB": memory[0] / 1e6 if memory else 0.0,
        "memory_together_MB": sum(memory[:processes]) / 1e6,
        "core_s": seconds,
        "time_s": max(seconds / processes, largest),
        "processes": processes,
        "programs": programs,
        "calibration": "; ".join(said),
    }


def _theory(grid, units):
    """Seconds of one theory on one core."""
    count = 1 if units[0].cost > 0.01 else _NETWORKS
    chosen = units[:: max(1, len(units) // count)][:count]
    networks = [u.point.params for u in chosen if u.noise == chosen[0].noise]
    networks = [p for p in networks if p.model is networks[0].model]
    task = tasks.theory(grid.subject, networks, chosen[0].noise, grid.rtol)
    tasks.run(task | {"changes": task["changes"][:1], "points": 1})  # derives the functions
    started = time.perf_counter()
    with contextlib.suppress(CbnetError):  # it took its time all the same
        tasks.run(task)
    each = (time.perf_counter() - started) / len(networks)
    return each, f"{each * 1e3:.3g} ms a theory"


def _simulations(units):
    """Seconds of every simulation, of compiling, programs to compile, and what was measured."""
    from .. import cache
    from ..simulation import building, structure, workshop

    small = min(units, key=lambda unit: unit.cost)
    options = {**small.options, "record": 0}
    shorter = min(1.0, max(_SHORT_S / small.cost, 0.02 / options["duration"]))
    options["duration"] *= shorter
    options["transient"] *= shorter
    jobs = {}
    for unit in units:
        jobs.setdefault(unit.point.index, unit)
    keys = {}
    for unit in jobs.values():
        step = unit.options["dt"] or min(1e-4, _shortest(unit))
        job = tasks.prepared(unit.point.params, unit.point.N, 0, {**unit.options, "dt": step})
        keys.setdefault(structure.of_job(job).key, job)
    compiled = building.compiler_missing() == ""
    missing = [key for key in keys if compiled and not _is_cached(cache, key)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = time.perf_counter()
        job = tasks.prepared(small.point.params, small.point.N, small.seed, options)
        (result,) = workshop.run_jobs([job])
        wall = time.perf_counter() - started - result.build_s
    # rates are those of the smallest network everywhere: nothing better is known before
    rate = 0.8 * float(result.in_si("rate_E")) + 0.2 * float(result.in_si("rate_I"))
    short = plan.cost_of(job, rate) - plan.cost_of(job, 0.0)
    work = 1e-9 * plan._NS_STEP * job.layout.N * (job.duration + job.transient) / job.dt + short
    factor = max(result.simulate_s, 1e-3) / work
    overhead = max(0.01, wall - result.simulate_s - result.wire_s)
    costs = []
    for unit in units:
        step = unit.options["dt"] or job.dt
        one = tasks.prepared(
            unit.point.params, unit.point.N, 0, {**unit.options, "dt": min(step, _shortest(unit))}
        )
        work = plan.cost_of(one, rate) - plan._POINT_S
        costs.append(overhead + factor * work)
    building_s = max(result.build_s, 1.0) if result.build_s > 1 else _COMPILE_S
    compiling = building_s * max(0, len(missing) - (result.build_s > 1))
    words = (
        f"{job.layout.N} neurons for {job.duration + job.transient:g} s: "
        f"{result.simulate_s:.2g} s, {overhead:.2g} s around it, at {rate:.3g} Hz (taken for all)"
    )
    if missing:
        words += f"; {len(missing)} program{'s' * (len(missing) > 1)} to compile"
    return np.array(costs), compiling, len(missing), words


def _shortest(unit):
    return min(unit.point.params.resolve(p)["D_min"] for p in "EI")


def _is_cached(cache, key):
    return any(entry.key == key for entry in cache.entries())
