"""Times of a network of named populations: constants in its strings, refractory times, delays."""

import re

import numpy as np

from ..model.distributions import Law
from ..model.units import unit
from .brian import statements
from .step.timestep import LADDER
from .times import Time

_LITERAL = re.compile(r"(\d+\.?\d*(?:[eE][-+]?\d+)?)\s*\*\s*(us|ms|second)\b")
_OF = re.compile(r"^\s*d(\w+)\s*/\s*dt\s*=", re.MULTILINE)
_STEPS = 20  # in the shortest time constant
_OF_JUMPS = 0.05e-3  # s: the longest step where spikes move v at once
_FILTERED = 3  # what synapses have filtered is filtered again by membranes and by the network


def of_network(net):
    """Every time of a network.

    Parameters
    ----------
    net : Network

    Returns
    -------
    list of Time
        Slowest first.
    """
    found = [Time("time constant", *each) for p in net.populations for each, _ in _constants(p)]
    for p in net.populations:
        longest = ends(p.values["tau_rp"])[1]
        found += [Time("refractory time", f"{p.name}.tau_rp", longest)] if longest > 0 else []
    found += [
        Time("delay", f"{p.place}.delay", ends(p.delay)[1])
        for p in net.projections
        if ends(p.delay)[1] > 0
    ]
    return sorted(set(found), key=lambda one: (-one.seconds, one.name))


def ends(value):
    """The least and the largest of a number, an array or a law."""
    if isinstance(value, Law):
        return float(value.shortest), float(value.longest)
    return float(np.min(value)), float(np.max(value))


def mean(value):
    """Of a number, an array or a law; None of nothing."""
    if value is None or isinstance(value, Law):
        return value and float(value.mean)
    return float(np.mean(value))


def _constants(p):
    """((name, seconds), whether it is one of a variable that spikes move) of a population."""
    neuron, parts = p.neuron, re.split(_OF, p.neuron.equations)
    targets = {
        line.split()[0].removesuffix("_post")
        for s in neuron.synapses.values()
        for line in statements.lines(s.on_pre)
    }
    texts = [(parts[0], False)]
    texts += [(t, n != "v" and n in targets) for n, t in zip(parts[1::2], parts[2::2], strict=True)]
    texts += [(s.equations, True) for s in neuron.synapses.values()]
    found = []
    for text, filtered in texts:
        for name in dict.fromkeys(re.findall(r"[A-Za-z_]\w*", text)):
            entry = neuron.parameters.get(name)
            timed = entry is not None and not entry.choices and name != "tau_rp"
            if timed and unit(entry.unit)[1] == unit("s")[1]:
                found += [
                    ((f"{p.name}.{name}", x), filtered) for x in set(ends(p.values[name])) if x > 0
                ]
        for number, name in _LITERAL.findall(text):
            seconds = float(number) * unit(name)[0]
            if seconds > 0:
                found.append(((f"{p.name}: {number} {name}", seconds), filtered))
    return found


def correlation_time(net):
    """Time over which activity may be correlated, in s, by time constants and delays."""
    constants = [c for p in net.populations for c in _constants(p)]
    found = [x * (_FILTERED if filtered else 1) for (_, x), filtered in constants]
    return max([*found, *(ends(p.delay)[1] for p in net.projections)], default=0.0)


def step(net):
    """The time step that is taken if none is given, in s.

    A twentieth of the shortest time constant, at most 0.1 ms, at most 0.05 ms where spikes move v
    at once, and at most the shortest delay that is not zero; rounded down to one of the usual
    steps. Its bias is not estimated.
    """
    constants = [x for p in net.populations for (_, x), _ in _constants(p)]
    longest = min([LADDER[0], *(x / _STEPS for x in constants)])
    if any(
        statements.moves_potential(s.on_pre)
        for p in net.populations
        for s in p.neuron.synapses.values()
    ):
        longest = min(longest, _OF_JUMPS)
    longest = min([longest, *(d for p in net.projections if (d := ends(p.delay)[0]) > 0)])
    return next((dt for dt in LADDER if dt <= longest * (1 + 1e-9)), LADDER[-1])
