"""Which computations a grid asks for, what each needs, and which are refused."""

import os
import warnings
from dataclasses import dataclass

import numpy as np

from ..errors import CbnetWarning, ModelError, ParameterError
from ..model import unused
from . import identity, keep, tasks

_PROCESS_BYTES = 150_000_000  # of a process of Python that computes
_BATCH = 1024  # networks of theory that are solved together
_NS_STEP, _NS_EVENT = 2.0, 1.0  # of one thread, roughly: only ratios matter before a calibration
_NS_SYNAPSE = 12.0
_POINT_S = 0.15  # choosing a time step, starting a process, statistics
_ALONE = 0.01  # s from which a theory is a task of its own
_RATE = 20.0  # Hz, where nothing is known about a network
# What an answer does not depend on.
_NOT_OF_NETWORK = ("r_E", "r_I")
_NOT_OF_THEORY = {
    "network": ("D_min", "D_max", "law", "CV_K", "r_E", "r_I"),
    "neuron": ("D_min", "D_max", "law", "CV_K", "nu_X"),
}


@dataclass(frozen=True)
class Unit:
    """One computation of one point: a theory, or a simulation with one seed.

    Attributes
    ----------
    kind : {"theory", "simulation"}
    identity : str
        Hash of everything that was asked for.
    places : tuple
        Where its numbers go: indices along the axes, and of the seed for a simulation.
    point : Point
    seed : int or None
    noise : str or None
    options : dict
    memory : int
        Estimated bytes.
    cost : float
        Estimated seconds of one core.
    """

    kind: str
    identity: str
    places: tuple
    point: object
    seed: int | None = None
    noise: str | None = None
    options: dict | None = None
    memory: int = _PROCESS_BYTES
    cost: float = 1e-3

    def label(self, grid):
        """The point in words, for lists of failures."""
        return label(grid, self.point.setting, self.seed)


@dataclass(frozen=True)
class Plan:
    """Everything that a grid asks for.

    Attributes
    ----------
    grid : Grid
    units : list of Unit
        Distinct computations; two points that ask for the same share one.
    refused : list of (Point, str, str)
        Point, what of it, and why.
    """

    grid: object
    units: list
    refused: list


def label(grid, setting, seed=None):
    """``K = 400, nu_X = 30 Hz, seed = 1``."""
    words = [f"{name} = {shown(grid, name, value)}" for name, value in setting.items()]
    if seed is not None:
        words.append(f"seed = {seed}")
    return ", ".join(words)


def shown(grid, name, value):
    """A value of an axis with its unit."""
    from .axes import entry_of

    if isinstance(value, str):
        return value
    return entry_of(name, [base.model for base in grid.bases.values()], name).show(value)


def make(grid, memory=None):
    """Check every point of a grid.

    Parameters
    ----------
    grid : Grid
    memory : int, optional
        Bytes of the machine; all it has if not given.

    Returns
    -------
    Plan
    """
    if memory is not None and memory < _PROCESS_BYTES:
        raise ParameterError(
            f"memory: got {memory / 1e6:g} MB; expected at least {_PROCESS_BYTES / 1e6:g} MB, which"
            " one process takes"
        )
    memory = total_memory() if memory is None else memory
    units, refused = {}, []
    for point in grid.points():
        if point.refusal:
            refused.append((point, grid.run, point.refusal))
            continue
        if grid.theory:
            problem = _add_theory(grid, point, units)
            if problem:
                refused.append((point, "theory", problem))
        if grid.simulation:
            problem = _add_simulations(grid, point, memory, units)
            if problem:
                refused.append((point, "simulation", problem))
    return Plan(grid, list(units.values()), refused)


def _merge(units, unit):
    known = units.get(unit.identity)
    if known is None:
        units[unit.identity] = unit
    else:
        units[unit.identity] = _replaced(known, places=known.places + unit.places)


def _replaced(unit, **changes):
    return Unit(**{**unit.__dict__, **changes})


def _add_theory(grid, point, units):
    """Why a point has no theory, or nothing."""
    from ..theory.batch import batched
    from ..theory.neuron import treatments
    from ..theory.neuron.colored import colored_noise

    noise = point.setting.get("noise", grid.noise)
    try:
        filtered = treatments.has_filters(point.params)
    except (ParameterError, ModelError) as error:
        return str(error)
    method = treatments.choose(noise, point.params)
    if method.filtered and not filtered:
        return colored_noise.without_filters(method.name)
    left_out = _NOT_OF_THEORY[grid.subject]
    rtol = grid.rtol if grid.rtol is None else float(grid.rtol)
    model = identity.of_model(point.params.model)
    values = identity.of_values(point.resolved, left_out)
    who = identity.digest("theory", grid.subject, model, values, method.name, rtol)
    network = grid.subject == "network"
    cost = (4.0 if network else 0.2) if method.costly else 5e-4
    if network and cost < _ALONE and not batched(point.params, method.name):
        cost = 0.5
    _merge(units, Unit("theory", who, (point.index,), point, noise=method.name, cost=cost))
    return ""


def _add_simulations(grid, point, memory, units):
    """Why a point cannot be simulated, or nothing."""
    from ..simulation.wiring import storage

    options = {**grid.options, "fraction_excitatory": grid.fraction_excitatory}
    for name in ("dt", "initial", "graph_seed"):
        if name in point.setting:
            options[name] = point.setting[name]
    step = options["dt"]
    if step is None:  # which one does not matter for what is checked here, but for the memory
        step = min(1e-4, min(point.params.resolve(p)["D_min"] for p in "EI"))
    budget = max(memory - _PROCESS_BYTES, 0)
    try:
        with warnings.catch_warnings():  # the simulation itself says what should be known
            warnings.simplefilter("ignore", CbnetWarning)
            job = tasks.prepared(
                point.params, point.N, 0, {**options, "dt": step or 1e-4, "memory": budget}
            )
    except (ParameterError, ModelError) as error:
        return str(error)
    # decided here, once: what a machine has left at the time must not change an answer
    if job.storage not in ("synapses", "none"):
        options["storage"] = job.storage
    needs = storage.needed(job) + _PROCESS_BYTES
    cost = cost_of(job)
    model = identity.of_model(point.params.model)
    values = identity.of_values(point.resolved, _NOT_OF_NETWORK)
    for k, seed in enumerate(grid.seeds):
        who = identity.digest("simulation", model, values, point.N, seed, options)
        unit = Unit(
            "simulation",
            who,
            ((*point.index, k),),
            point,
            seed=seed,
            options=options,
            memory=needs,
            cost=cost,
        )
        _merge(units, unit)
    return ""


def left_out(planned):
    """What was set, for all points or by an axis, and enters no computation.

    Returns
    -------
    dict of str to Parameters
        As of :func:`cbnet.model.unused.of_both`.
    """
    kinds, known = {}, {}
    for unit in planned.units:
        kinds.setdefault(unit.point.index, (unit.point, set()))[1].add(unit.kind)

    def use(kind, point):
        # which parameters these are depends on the synapses, not on numbers
        chosen = [(v["tau_E"] > 0, v["jump"]) for v in point.resolved]
        key = kind, id(point.params.model), *chosen
        if key not in known:
            if kind == "simulation":
                known[key] = unused.of_simulation(point.params)
            elif planned.grid.subject == "neuron":
                known[key] = unused.of_neuron(point.params, "E", "r_E", "r_I")
            else:
                known[key] = unused.of_network(point.params)
        return known[key]

    order = ("theory", "simulation")
    return unused.of_both(
        [
            (point.params, *(use(kind, point) if kind in asked else None for kind in order))
            for point, asked in kinds.values()
        ]
    )


def cost_of(job, rate=_RATE):
    """Rough seconds of a simulation on one core."""
    steps = (job.duration + job.transient) / job.dt
    events = job.layout.synapses * rate * (job.duration + job.transient)
    work = _NS_STEP * steps * job.layout.N + _NS_EVENT * events
    return wiring_of(job) + 1e-9 * work


def wiring_of(job):
    """Those of them that are spent before and after its steps."""
    return _POINT_S + 1e-9 * _NS_SYNAPSE * job.layout.synapses


def total_memory():
    """Bytes of memory of this machine, or of its share of one."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, encoding="ascii") as file:
                total = min(total, int(file.read()))
        except (OSError, ValueError):
            continue
    return total


def arrays(grid):
    """Fields of a simulation that are kept beside its plain numbers."""
    if not grid.simulation:
        return ()
    known = keep.variables("simulation")
    return tuple(n for n in grid.keep if n in known and n not in keep.scalars("simulation"))


def has(record, needed):
    """Whether a record holds all of these arrays."""
    return all(name in record.arrays for name in needed)


def theories(units):
    """Theories by what a task of some of them needs: model, noise, cost of each."""
    groups = {}
    for unit in units:
        if unit.kind == "theory":
            key = unit.point.params.model.name, unit.noise, unit.cost
            groups.setdefault(key, []).append(unit)
    return groups


def together(members, workers):
    """How many of these theories are one task."""
    if members[0].cost > _ALONE:
        return 1
    return int(np.clip(-(-len(members) // max(1, workers)), 64, _BATCH))


def bundles(grid, units, workers=1):
    """Tasks for these units: one for each simulation, theory in batches.

    Returns
    -------
    list of (task, list of Unit)
        The longest first, so that the last ones to finish are short.
    """
    found = []
    more = arrays(grid)
    for unit in units:
        if unit.kind == "simulation":
            point = unit.point
            task = tasks.simulation(point.params, point.N, unit.seed, unit.options, more)
            found.append((task, [unit]))
    for (_, noise, _), members in theories(units).items():
        size = together(members, workers)
        for first in range(0, len(members), size):
            part = members[first : first + size]
            networks = [unit.point.params for unit in part]
            found.append((tasks.theory(grid.subject, networks, noise, grid.rtol), part))
    found.sort(key=lambda bundle: -sum(unit.cost for unit in bundle[1]))
    return found
