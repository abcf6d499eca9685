"""Run a network of any populations on the compiled core (``brian/network_core.py``).

A program depends on sizes alone: values, wiring, delays and seeds are told to it when it runs.
"""

import dataclasses
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import ParameterError, SimulationError
from ...model.distributions import Law, Uniform
from ...model.wirings import Bernoulli, Explicit, FixedIn, GaussianIn
from ..brian import statements
from ..measure import online
from ..wiring import classes, edges
from . import standalone, structure
from .program import execute, observed

_NEVER = 1e300  # s
_DENSE = 1 / 20  # connection probability from which bits beat numbers of two bytes
_FEWEST = 32  # targets with which nobody is left to exchange a synapse to oneself with
_LISTED = -1
_LAWS = {FixedIn: 0, Bernoulli: 1, GaussianIn: 2}
_STORED, _BITMAP = 0, 1


@dataclass(frozen=True)
class Shape:
    """What a program depends on.

    Attributes
    ----------
    N, populations : int
    row : int
        Constants of a population.
    variables, classes : int
        Synaptic variables of a neuron (0: spikes move v at once), and classes of arrivals.
    projections, inputs, trains : int
        How many; neurons that inputs reach, each counted for every input.
    counts : str
        Type of the numbers of arrivals.
    """

    N: int
    populations: int
    row: int
    variables: int
    classes: int
    projections: int
    inputs: int
    trains: int
    counts: str


def run(job, children, on_progress, jobs=None):
    """Run a job that :func:`cbnet.simulation.wiring.classes.refusal` does not refuse.

    Parameters
    ----------
    job : cbnet.simulation.network_job.NetworkJob
    children : cbnet.simulation.backends.processes.Children
    on_progress : callable
        Called with the fraction done.
    jobs : int, optional
        Compiler processes side by side.

    Returns
    -------
    accumulated : cbnet.simulation.measure.online.Accumulated
    counted : dict
        ``synapses``, ``build_s``, ``simulate_s`` and ``peak_bytes``.
    """
    net, found = job.net, classes.of_network(job.net)
    shape = Shape(
        N=sum(net.sizes.values()),
        populations=len(net.names),
        row=found.constants.shape[1],
        variables=found.variables,
        classes=found.number,
        projections=len(net.projections),
        inputs=len(net.inputs),
        trains=sum(net.sizes[one.target] for one in net.inputs),
        counts=_count_type(net, job.dt),
    )

    def generate(folder):
        (folder / "shape.json").write_text(json.dumps(dataclasses.asdict(shape)))
        standalone.write_in_a_process(folder, children, __name__, "write_sources")

    about = f"{shape.populations} populations, {shape.N} neurons, {shape.classes} classes"
    with standalone.cached(structure.of_shape(shape), about, generate, children, jobs) as made:
        folder, manifest = made
        results = Path(tempfile.mkdtemp(prefix="run-", dir=children.scratch))
        try:
            values = _Values(job, found, results).all()
            (results / "static_arrays").mkdir()
            for name in manifest["static_arrays"]:
                (results / "static_arrays" / name).symlink_to(folder / "static_arrays" / name)
            done, seconds = execute(folder, values, results, children, on_progress)
            accumulated = online.read(results, job.observation)
            synapses = 0
            if manifest["synapses"]:
                file, dtype = manifest["synapses"]
                synapses = int(np.fromfile(results / file, dtype).sum())
        except OSError as error:
            raise SimulationError(f"{error.filename or results}: {error.strerror}") from error
        finally:
            shutil.rmtree(results, ignore_errors=True)
    if not np.isfinite(accumulated.voltage_sums).all():
        raise SimulationError(
            f"v: a potential is no number any more: the equations run away within dt = "
            f"{job.dt * 1e3:g} ms; take a lower threshold or a shorter dt"
        )
    counted = {
        "synapses": synapses,
        "build_s": done.seconds - seconds,
        "simulate_s": done.seconds,
        "peak_bytes": done.peak_bytes,
    }
    return accumulated, counted


def write_sources():
    """Generate the sources in the working directory, in a process that does nothing else."""
    import brian2
    from brian2.devices import device

    from ..brian import network_core

    folder = Path.cwd()
    shape = Shape(**json.loads((folder / "shape.json").read_text()))
    standalone.begin_program(1e-4)
    made = network_core.create(shape)
    standalone.end_program(folder, brian2.Network(*made.values()), made["observer"])
    files = standalone.sources_of(folder)
    synapses = made.get("synapses")
    manifest = {
        "sources": standalone.hash_of(folder, files),
        "files": files,
        "static_arrays": sorted(device.static_arrays),
        "synapses": synapses and standalone.array_file(device, synapses.variables["synapses"]),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "shape.json").unlink()


class _Values:
    """Run arguments of a job by name of their variable; listed synapses go to files of a folder."""

    def __init__(self, job, found, folder):
        self.job, self.net, self.found, self.folder = job, job.net, found, folder
        graph, _, self.numbers = (
            np.random.default_rng(s) for s in np.random.SeedSequence(job.graph_seed).spawn(3)
        )
        self.graph = graph
        initial, noise = np.random.SeedSequence(job.seed).spawn(2)
        self.initial = np.random.default_rng(initial)
        self.noise = [int(x >> 1) for x in noise.generate_state(2 + len(job.net.inputs), np.uint64)]
        self.seeds = graph.integers(2**62, size=len(job.net.projections))
        ends = np.cumsum([0, *(self.net.sizes[name] for name in self.net.names)])
        self.ends = ends.astype(np.int32)
        self.span = {
            n: (int(a), int(b)) for n, a, b in zip(self.net.names, ends, ends[1:], strict=False)
        }

    def all(self):
        """Every run argument."""
        values = {
            "update.ends": self.ends,
            "update.constants": self.found.constants.ravel(),
            "update.order_seed": self.noise[0],
            "observer.brian_seed": self.noise[1] % 2**32,
            "observer.synapse_seed": 0,
        }
        values |= observed(self.job.observation) | self._initial()
        if self.net.projections:
            values |= _columns("synapses", map(self._projection, range(len(self.net.projections))))
        if self.net.inputs:
            values |= self._inputs()
        return values

    def _initial(self):
        found = {"v": np.zeros(self.ends[-1])}
        found |= {f"s_{s}": np.zeros(self.ends[-1]) for s in range(self.found.variables)}
        for p, states in zip(self.net.populations, self.found.states, strict=True):
            first, last = self.span[p.name]
            names = {"v": "v"} | {name: f"s_{k}" for k, name in enumerate(states)}
            given = {"v": statements.starting(p.neuron, p.values)} | (p.initial or {})
            for name, value in given.items():
                if isinstance(value, tuple):
                    low, high = value
                    value = low + (high - low) * self.initial.random(last - first)
                elif isinstance(value, Law):
                    value = value.draw(self.initial, last - first)
                if name in names:  # what drives nothing needs no value
                    found[names[name]][first:last] = value
        return {f"neurons.{name}": array for name, array in found.items()}

    def _projection(self, k):
        p, dt = self.net.projections[k], self.job.dt
        sources, targets = self.net.sizes[p.source], self.net.sizes[p.target]
        law, delays = _law(p, targets), _delays(p.delay, dt)
        if delays is None:
            law, delays = _LISTED, (0.0, 0.0)
        if law == _LISTED:
            drawn = edges.draw(p, sources, targets, dt, self.graph)
            # what arrives is counted one step before it is felt
            listed = np.concatenate([drawn.i, drawn.j, drawn.steps - 1]).astype(np.int32)
            listed.tofile(self.folder / f"edges_{k}.in")
        dense = p.number >= _DENSE * sources and delays[0] == delays[1] and structure.has_avx512()
        return {
            "source_first": self.span[p.source][0],
            "source_end": self.span[p.source][1],
            "target_first": self.span[p.target][0],
            "target_end": self.span[p.target][1],
            "counter": self.found.counter[p.target, p.kind, p.w],
            "law": law,
            "storage": _BITMAP if dense and law != _LISTED else _STORED,
            "in_degree": round(p.number),
            "cv": float(getattr(p.wiring, "cv", 0.0)),
            "shortest": delays[0],
            "longest": delays[1],
            "seed": int(self.seeds[k]),
        }

    def _inputs(self):
        rows, trains = [], []
        for k, one in enumerate(self.net.inputs):
            first, last = self.span[one.target]
            trains.append(edges.numbers(one.wiring, one.number, last - first, self.numbers))
            rows.append(
                {
                    "target_first": first,
                    "target_end": last,
                    "counter": self.found.counter[one.target, one.kind, one.w],
                    "rate": float(one.rate),
                    "until": _NEVER if one.until is None else float(one.until),
                    "seed": self.noise[2 + k],
                }
            )
        return _columns("inputs", rows) | {"inputs.trains": np.concatenate(trains)}


def _count_type(net, dt):
    """Type of the number of arrivals of a step: two bytes where they cannot overflow.

    Raises
    ------
    ParameterError
        If there are too many from outside.
    """
    most = {}
    for p in net.projections:
        if isinstance(p.wiring, Explicit):
            degree = int(np.bincount(p.wiring.j).max()) if len(p.wiring.j) else 0
        else:
            spread = 8 * p.number * getattr(p.wiring, "cv", 0.0)
            degree = p.number + spread + 12 * np.sqrt(p.number) + 40
        most[p.target] = most.get(p.target, 0) + degree
    for one in net.inputs:
        mean = (one.number + 8 * net.spread(one)) * one.rate * dt
        mean += 12 * np.sqrt(mean) + 40
        if mean > 65_000:
            raise ParameterError(
                f"{one.place}.rate: got {mean:.3g} spikes into a neuron in a step of "
                f"{dt * 1e3:g} ms; expected fewer than 65000: take a shorter dt"
            )
        most[one.target] = most.get(one.target, 0) + mean
    return "uint16" if max(most.values(), default=0) < 65_000 else "int32"


def is_listed(p, targets, dt):
    """Whether the program is told the synapses of a projection, which it cannot draw itself.

    Parameters
    ----------
    p : cbnet.Projection
    targets : int
        Size of its target.
    dt : float
        Time step in s.
    """
    return _law(p, targets) == _LISTED or _delays(p.delay, dt) is None


def _law(p, targets):
    """Number of the law by which the program draws a projection; or _LISTED."""
    if p.number != round(p.number) or targets < _FEWEST:
        return _LISTED
    return _LAWS.get(type(p.wiring), _LISTED)


def _delays(given, dt):
    """Shortest and longest delay in steps, one step early; None for another law than uniform."""
    if isinstance(given, Uniform):
        return max(0.0, given.low / dt - 1), max(0.0, given.high / dt - 1)
    if isinstance(given, Law) or np.ndim(given):
        return None
    steps = float(max(1, round(given / dt)) - 1)
    return steps, steps


def _columns(owner, rows):
    rows = list(rows)
    types = {int: np.int32, float: float}
    columns = {
        n: np.array([r[n] for r in rows], types[type(x)]) for n, x in rows[0].items() if n != "seed"
    }
    columns["seed"] = np.array([r["seed"] for r in rows], np.int64)
    return {f"{owner}.{name}": array for name, array in columns.items()}
