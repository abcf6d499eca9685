"""How much time a sweep will take, from a short measurement on this machine."""

import time

import numpy as np

from ..errors import CbnetError
from ..model import unused
from . import plan, tasks
from .local import cores
from .worker import Worker

_SHORT_S = 0.3  # of computing, about
_NETWORKS = 32  # of white-noise theory, which are solved together
_LONGEST_S = 10.0  # in which a theory is tried
_FEW = 8  # values of an axis that are told one by one
_COMPILE_S = 30.0  # where no compilation was seen
_WIRED_S = 1.0  # in which the network is wired that is tried
_SOLVED, _ROUGH = 256, 1e-3  # networks whose rates are computed before, and how accurately
_CHOSEN, _STEP_S = 16, 0.12  # networks whose time step is chosen before; what each choice takes


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
        ``points``, ``axes`` (values in words, by dimension), ``listed`` (point, kinds, N and
        memory_MB of each that can be computed), ``computations``, ``refused`` (list of point, kind,
        reason), ``memory_MB`` (largest of one), ``memory_together_MB`` (of the largest that run
        side by side), ``core_s``, ``time_s``, ``processes``, ``programs`` (to compile),
        ``calibration`` in words.
    """
    processes = processes or cores()
    theory = [u for u in planned.units if u.kind == "theory"]
    simulations = [u for u in planned.units if u.kind == "simulation"]
    said, seconds, largest, programs = [], 0.0, 0.0, 0
    trial = _Trial()
    try:
        if theory:
            seconds, largest, words = _theory(planned.grid, theory, processes, trial)
            said.append(words)
        if simulations:
            costs, compiling, programs, words = _simulations(simulations, trial)
            seconds += float(costs.sum()) + compiling
            largest = max(largest, float(costs.max()))
            said.append(words)
    finally:
        trial.end()
    memory = sorted((u.memory for u in planned.units), reverse=True)
    grid = planned.grid
    return {
        "points": int(np.prod(grid.shape)),
        "axes": {axis.dimension: _extent(grid, axis) for axis in grid.axes},
        "listed": _listed(planned),
        "theory": len(theory),
        "simulations": len(simulations),
        "computations": len(planned.units),
        "refused": [
            {"point": plan.label(grid, point.setting), "kind": what, "reason": why}
            for point, what, why in planned.refused
        ],
        "memory_MB": memory[0] / 1e6 if memory else 0.0,
        "memory_together_MB": sum(memory[:processes]) / 1e6,
        "core_s": seconds,
        "time_s": trial.start_s + max(seconds / processes, largest),
        "processes": processes,
        "programs": programs,
        "calibration": "; ".join(said),
    }


def _listed(planned):
    """Every point that is not refused altogether, with the memory of what it needs."""
    found = {}
    for unit in planned.units:
        for place in unit.places:
            index = place[: len(planned.grid.axes)]
            one = found.setdefault(index, {"kinds": [], "N": None, "memory_MB": 0.0})
            if unit.kind not in one["kinds"]:
                one["kinds"].append(unit.kind)
            if unit.kind == "simulation":
                one["N"] = unit.point.N
            one["memory_MB"] = max(one["memory_MB"], unit.memory / 1e6)
    grid = planned.grid
    return [
        {"point": plan.label(grid, grid.setting(index)), **found[index]} for index in sorted(found)
    ]


def _extent(grid, axis):
    """The values of an axis in words: all of a few, or the ends of many."""
    told = []
    for name, values in zip(axis.names, axis.values, strict=True):
        some = values if len(values) <= _FEW else (values[0], values[-1])
        words = [plan.shown(grid, name, value) for value in some]
        text = ", ".join(words)
        if len(values) > _FEW:
            text = f"{len(values)} values from {' to '.join(words)}"
        told.append(f"{name}: {text}" if len(axis.names) > 1 else text)
    return "; ".join(told)


class _Trial:
    """A process like those of the sweep, that tries some of its tasks."""

    def __init__(self):
        self._worker, self.start_s = Worker(), 0.0

    def run(self, task, seconds=None):
        """Seconds that a task takes, what came of it, and its content; at most so long."""
        started = time.perf_counter()
        self._worker.link.send(task)
        if self._worker.link.poll(seconds):
            kind, content = self._worker.link.recv()
        else:
            self.end()
            self._worker, kind, content = Worker(), "unfinished", None
        return time.perf_counter() - started, kind, content

    def warm(self, task):
        """Run a task for what comes with the first one of its kind: imports, and a program."""
        wall, kind, content = self.run(task)
        build_s = content["about"][0].get("build_s", 0.0) if kind == "done" else 0.0
        self.start_s = max(self.start_s, wall - build_s)
        return build_s

    def end(self):
        """Stop the process."""
        self._worker.end()


def _theory(grid, units, processes, trial):
    """Seconds of all theories and of the longest task, and what was measured."""
    seconds, longest, told = 0.0, 0.0, []
    for (_, noise, _), members in plan.theories(units).items():
        size = plan.together(members, processes)
        count = min(size, _NETWORKS, len(members))
        middle = (len(members) // count) // 2
        networks = [u.point.params for u in members[middle :: len(members) // count][:count]]
        task = tasks.theory(grid.subject, networks, noise, grid.rtol)
        wall, outcome, _ = trial.run(task, _LONGEST_S)
        if wall < _LONGEST_S / 2:
            first, (wall, outcome, _) = wall, trial.run(task, _LONGEST_S)
            trial.start_s = max(trial.start_s, first - wall)
        each = wall / len(networks)
        seconds += each * len(members)
        longest = max(longest, each * min(size, len(members)))
        more = "more than " if outcome == "unfinished" else ""
        told.append(f"{more}{each:.2g} s a theory of {noise} noise")
    return seconds, longest, "; ".join(told)


def _simulations(units, trial):
    """Seconds of every simulation, of compiling, programs to compile, and what was measured."""
    from ..simulation.backends import standalone, structure
    from ..support import cache

    points = {unit.point.index: unit for unit in units}
    rates, steps = _rates(points), _steps(points)
    jobs = {index: _job(unit, steps[index]) for index, unit in points.items()}
    programs = {structure.of_job(job).key for job in jobs.values()}
    if standalone.compiler_missing() == "":
        programs = {key for key in programs if not _is_cached(cache, key)}
    else:
        programs = set()

    def work(index, rate):
        return plan.cost_of(jobs[index], rate) - plan.wiring_of(jobs[index])

    # the most work that is wired soon: a network that fires tells more than a silent one
    soon = [i for i, job in jobs.items() if plan.wiring_of(job) < _WIRED_S]
    soon = soon or [min(jobs, key=lambda i: plan.wiring_of(jobs[i]))]
    index = max(soon, key=lambda i: work(i, rates.get(i, 0.0)))
    tried = points[index]
    options = {**tried.options, "record": 0, "dt": steps[index]}
    options["transient"] = jobs[index].transient
    shorter = min(1.0, max(_SHORT_S / work(index, rates.get(index, 0.0)), 0.02 / _span(options)))
    options["duration"] *= shorter
    options["transient"] *= shorter
    task = tasks.simulation(tried.point.params, tried.point.N, tried.seed, options, ())
    build_s = trial.warm(task)
    wall, outcome, content = trial.run(task)
    costs, missing = np.array([unit.cost for unit in units]), len(programs)
    if outcome != "done":
        return costs, _COMPILE_S * missing, missing, f"a short simulation failed: {content}"
    about = content["about"][0]
    found = [float(content["arrays"][f"rate_{p}"][0]) for p in "EI"]
    shares = jobs[index].layout.N_E / jobs[index].layout.N
    rate = shares * found[0] + (1 - shares) * found[1]
    overhead = max(0.01, wall - about["simulate_s"] - about["wire_s"])
    overhead += _STEP_S * any(unit.options["dt"] is None for unit in units)
    factor = max(about["simulate_s"], 1e-3) / (shorter * work(index, rate))
    wiring = about["wire_s"] / (plan.wiring_of(jobs[index]) - plan._POINT_S)
    for k, unit in enumerate(units):
        at = unit.point.index
        wired = wiring * (plan.wiring_of(jobs[at]) - plan._POINT_S)
        costs[k] = overhead + wired + factor * work(at, rates.get(at, rate))
    each = build_s if build_s > 1 else _COMPILE_S
    words = (
        f"{jobs[index].layout.N} neurons for {_span(options):.3g} s: "
        f"{about['simulate_s']:.2g} s, {overhead:.2g} s around it, at {rate:.3g} Hz "
        f"({'others at rates of white-noise theory' if rates else 'taken for all'})"
    )
    if missing:
        words += f"; {missing} program{'s' * (missing > 1)} to compile"
    return costs, each * (missing - (build_s > 1)), missing, words


def _span(options):
    return options["duration"] + options["transient"]


def _job(unit, step):
    options = {**unit.options, "dt": step}
    return tasks.prepared(unit.point.params, unit.point.N, 0, options)


def _rates(points):
    """Mean rates (Hz) by place in the grid, those of white-noise theory where that is quick."""
    from ..theory.batch import batched, solve_many

    quick = {i: u.point.params for i, u in points.items() if batched(u.point.params, "diffusion")}
    some = _some(quick, _SOLVED)
    if not some:
        return {}
    try:
        with unused.told():
            states = solve_many([quick[index] for index in some], "diffusion", _ROUGH)
    except CbnetError:
        return {}
    highest = np.nan_to_num(states.rate_E).max(axis=1, initial=0.0)  # the most work of its states
    return _spread(dict(zip(some, highest, strict=True)), quick)


def _steps(points):
    """Time steps (s) by place in the grid: chosen for a few networks, taken for those near them."""
    from ..simulation.backends import standalone
    from ..simulation.step import timestep

    found = {i: unit.options["dt"] for i, unit in points.items() if unit.options["dt"]}
    free = [index for index in points if index not in found]
    compiled = standalone.compiler_missing() == ""
    chosen = {}
    for index in _some(free, _CHOSEN):
        chosen[index], _ = timestep.choose(points[index].point.params, compiled=compiled)
    found |= _spread(chosen, free)
    return {index: min(step, _shortest(points[index])) for index, step in found.items()}


def _some(places, most):
    """At most so many of some places, evenly apart."""
    places = list(places)
    return places[:: -(-len(places) // most)] if places else []


def _spread(known, places):
    """For every place the value at the nearest one where it is known."""
    if not known:
        return {}
    at, values = np.array(list(known)), list(known.values())
    return {i: values[int(np.abs(at - np.array(i)).sum(axis=1).argmin())] for i in places}


def _shortest(unit):
    return min(unit.point.params.resolve(p)["D_min"] for p in "EI")


def _is_cached(cache, key):
    return any(entry.key == key for entry in cache.entries())
