"""What a program of the core for networks is told of one network: run arguments and files."""

import numpy as np
from scipy import special

from ...model.distributions import Law, Normal, Uniform
from ...model.wirings import Bernoulli, FixedIn, FixedTotal, GaussianIn
from ..brian import statements
from ..wiring import edges
from . import structure
from .program import observed

_NEVER = 1e300  # s
_DENSE = 1 / 20  # connection probability from which bits beat numbers of two bytes
_FEWEST = 32  # targets with which nobody is left to exchange a synapse to oneself with
_LISTED = -1
_LAWS = {FixedIn: 0, Bernoulli: 1, GaussianIn: 2}
_TOTAL = 3
_FARTHEST = 8  # standard deviations from the centre to which delays are tabulated
_STORED, _BITMAP = 0, 1


class Values:
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
            law, delays = _LISTED, (0.0, 0.0, None)
        if law == _LISTED:
            drawn = edges.draw(p, sources, targets, dt, self.graph)
            # what arrives is counted one step before it is felt
            listed = np.concatenate([drawn.i, drawn.j, drawn.steps - 1]).astype(np.int32)
            listed.tofile(self.folder / f"edges_{k}.in")
        if delays[2] is not None:
            delays[2].tofile(self.folder / f"delays_{k}.in")
        dense = p.number >= _DENSE * sources and delays[0] == delays[1] and structure.has_avx512()
        return {
            "source_first": self.span[p.source][0],
            "source_end": self.span[p.source][1],
            "target_first": self.span[p.target][0],
            "target_end": self.span[p.target][1],
            "counter": self.found.counter[p.target, p.kind, p.w],
            "law": law,
            "storage": _BITMAP if dense and law in _LAWS.values() else _STORED,
            "in_degree": round(p.number),
            "cv": float(getattr(p.wiring, "cv", 0.0)),
            "shortest": delays[0],
            "longest": delays[1],
            "tabulated": int(delays[2] is not None),
            "total": int(p.total),
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
    if isinstance(p.wiring, FixedTotal) and p.wiring.multapses:
        return _TOTAL
    if p.number != round(p.number) or targets < _FEWEST:
        return _LISTED
    return _LAWS.get(type(p.wiring), _LISTED)


def _delays(given, dt):
    """Shortest and longest delay in steps, one step early, and probabilities from the shortest on.

    The last are None for uniform delays; everything is for another law, or an array.
    """
    if isinstance(given, Uniform):
        return max(0.0, given.low / dt - 1), max(0.0, given.high / dt - 1), None
    if isinstance(given, Normal) and given.width:
        return _normal(given, dt)
    if isinstance(given, Law) or np.ndim(given):
        return None
    steps = float(max(1, round(given / dt)) - 1)
    return steps, steps, None


def _normal(law, dt):
    """The same of a normal law that is cut: P(at most k steps), k from the least on."""
    far = _FARTHEST * law.width
    low = max(law.center - far, -np.inf if law.at_least is None else law.at_least)
    high = min(law.center + far, np.inf if law.at_most is None else law.at_most)
    least, most = (max(1, round(x / dt)) for x in (low, high))
    ends = np.minimum((np.arange(least, most + 1) + 0.5) * dt, high)
    below, all_below, first = (
        special.ndtr((x - law.center) / law.width) for x in (ends, high, low)
    )
    return least - 1.0, most - 1.0, (below - first) / (all_below - first)


def _columns(owner, rows):
    rows = list(rows)
    types = {name: np.int32 if isinstance(x, int) else float for name, x in rows[0].items()}
    types |= dict.fromkeys({"seed", "total"} & set(types), np.int64)
    return {f"{owner}.{n}": np.array([row[n] for row in rows], types[n]) for n in types}
