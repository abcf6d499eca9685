"""Networks with other in-degrees: efficacies that follow a law, and smaller networks alike."""

import dataclasses
import math

import numpy as np

from ..errors import ParameterError
from .distributions import Law
from .entry import Entry, nearest
from .in_degree import tidy
from .links import Current
from .mean_effect import MeanEffect
from .model import identifiers
from .replacement import as_given
from .resolution import RATE
from .wirings import Explicit, FixedIn

LAWS = ("sqrt", "inverse", "log")
FACTOR = Entry("factor", 1.0, above=0)
_RESTORED = "restored"  # the current of a network that was made smaller
_STRAIGHT = 1e-9


def scaled(net, law, factor):
    """In-degrees and numbers of inputs times a factor, and efficacies by a law."""
    factor = FACTOR.parse(factor, "factor")
    if not isinstance(law, str) or law not in LAWS:
        more = "" if str(law) != "preserving" else ": it takes theory, see cbnet.tune"
        raise ParameterError(
            f"law: got {law!r}; expected one of {', '.join(LAWS)} ({nearest(str(law), LAWS)}){more}"
        )
    if law == "log" and net.currents:
        raise ParameterError(
            f"law: got 'log' with the current {net.currents[0].place}, which has no in-degree; "
            "expected sqrt or inverse, or a network without currents"
        )

    def change(link):
        _check(link)
        number = tidy(link.number * factor)
        if law == "log" and not min(link.number, number) > 1:
            raise ParameterError(
                f"{link.place}.number: got {link.number:g} and {number:g}; expected both above 1 "
                "for law 'log'"
            )
        return with_number(net, link, number, _weaker(link.w, _efficacy_factor(law, link, factor)))

    currents = [
        dataclasses.replace(c, value=c.value * factor * _efficacy_factor(law, c, factor))
        for c in net.currents
    ]
    made = type(net)(
        net.populations, map_(change, net.projections), map_(change, net.inputs), currents
    )
    return checked(made)


def map_(change, links):
    """A list of changed links."""
    return [change(link) for link in links]


def _efficacy_factor(law, link, factor):
    if law == "sqrt":
        return factor**-0.5
    if law == "inverse":
        return 1 / factor
    return math.log(link.number) / math.log(link.number * factor)


def _weaker(w, factor):
    if w is None:
        return None
    return w.scaled(factor) if isinstance(w, Law) else w * factor


def _check(link):
    if isinstance(link.wiring, Explicit):
        raise ParameterError(
            f"{link.place}.wiring: got edges, whose number cannot be changed; expected a law of "
            "in-degrees"
        )
    if link.w is None:
        raise ParameterError(
            f"{link.place}.w: got none, as the string of {link.kind!r} has no efficacy; expected "
            "one that can be changed with the in-degree"
        )


def with_number(net, link, number, w, target_size=None):
    """A link in SI units with another number and efficacy."""
    made = dataclasses.replace(link, number=number, w=w)
    if not hasattr(link, "total"):
        return made
    size = target_size or net.sizes[link.target]
    return dataclasses.replace(made, total=None if size is None else round(number * size))


def checked(net):
    """The network, whose in-degrees and efficacies are refused where they cannot be."""
    return type(net)(
        net.populations,
        [as_given(net, p, {}) for p in net.projections],
        [as_given(net, p, {}) for p in net.inputs],
        net.currents,
    )


def resized(net, scale, rates):
    """Fewer neurons with fewer and stronger synapses, and the mean drive that they had."""
    scale = FACTOR.parse(scale, "scale")
    rates = _rates(net, rates)
    for link in (*net.projections, *net.inputs):
        _check(link)
    sizes = {
        n: None if size is None else max(round(size * scale), 1) for n, size in net.sizes.items()
    }
    projections = []
    for p in net.projections:
        number = tidy(p.number * scale)
        if isinstance(p.wiring, FixedIn):  # the in-degree of every neuron
            number = float(round(number))
        w = _weaker(p.w, scale**-0.5)
        projections.append(with_number(net, p, number, w, sizes[p.target]))
    small = type(net)(
        [_population(p, sizes[p.name]) for p in net.populations],
        projections,
        [_input(p, scale) for p in net.inputs],
        net.currents,
    )
    return checked(_restored(net, small, rates))


def _rates(net, rates):
    if not hasattr(rates, "keys") and not (isinstance(rates, list | tuple) or np.ndim(rates)):
        raise ParameterError(f"rates: got {str(rates)[:40]}; expected one for each population")
    if not hasattr(rates, "keys"):
        rates = dict(zip(net.names, rates, strict=False)) if len(rates) == len(net.names) else {}
    missing = [name for name in net.names if name not in rates]
    if missing:
        raise ParameterError(
            f"rates: got none of {', '.join(missing)}; expected the rate of every population, "
            "in the network as it is"
        )
    return {name: RATE.parse(rates[name], f"rates[{name!r}]") for name in net.names}


def _population(one, size):
    for name, value in {**one.values, **(one.initial or {})}.items():
        if isinstance(value, np.ndarray):
            raise ParameterError(
                f"{one.name}.{name}: got one value for each of {one.size} neurons; expected a law, "
                "from which another number of neurons can be drawn"
            )
    return dataclasses.replace(one, size=size)


def _input(one, scale):
    """Poisson trains add up: where fewer make no whole number, each has another rate."""
    number = one.number * scale
    whole = max(round(number), 1)
    w = _weaker(one.w, scale**-0.5)
    return dataclasses.replace(one, number=float(whole), rate=one.rate * number / whole, w=w)


def _restored(net, small, rates):
    """The small network with what its neurons lack of the mean drive at these rates."""
    populations, currents = [], {c.target: c for c in small.currents if c.name == _RESTORED}
    for p in small.populations:
        constant, slope = _lost(net, small, p.name, rates)
        if slope:
            p = _leaky(p, constant, slope)
        elif constant:
            known = currents[p.name].value if p.name in currents else 0.0
            currents[p.name] = Current(_RESTORED, p.name, known + constant, resolved=True)
        populations.append(p)
    others = [c for c in small.currents if c.name != _RESTORED]
    return type(net)(populations, small.projections, small.inputs, [*others, *currents.values()])


def _lost(net, small, name, rates):
    """(a, b) of the difference a − b v of mean drifts, V/s and 1/s; b is 0 where it is nothing."""
    values = {n: x.mean if isinstance(x, Law) else x for n, x in net.values(name).items()}
    effect = MeanEffect(net[name].neuron, values)
    theta, reset = values.get("theta", -0.05), values.get("V_r", -0.065)
    v = np.array([reset, (reset + theta) / 2, theta])
    parts = []
    for one, sign in ((net, 1), (small, -1)):
        for (kind, w), total in one.total(name, rates).items():
            parts.append(sign * total * _mean_effect(effect, kind, w, v, name))
    low, middle, high = np.sum(parts, axis=0) if parts else np.zeros(3)
    size = max((np.abs(x).max() for x in parts), default=0.0)
    if abs(high + low - 2 * middle) > _STRAIGHT * size:
        raise ParameterError(
            f"{name}: got synapses whose mean drive is no straight line in v; expected one, which "
            "a current and a leak can restore"
        )
    slope = (low - high) / (theta - reset)
    if abs(low - high) <= _STRAIGHT * size:
        return (float(middle) if abs(middle) > _STRAIGHT * size else 0.0), 0.0
    return float(low + slope * reset), float(slope)


def _mean_effect(effect, kind, w, v, name):
    if not isinstance(w, Law):
        return effect.effect(kind, w, v)
    mean, twice = effect.effect(kind, w.mean, v), effect.effect(kind, 2 * w.mean, v)
    if w.sd and np.any(np.abs(twice - 2 * mean) > _STRAIGHT * np.abs(mean)):
        raise ParameterError(
            f"{name}: got efficacies of {kind!r} that differ, in a string that is not proportional "
            "to them; expected one efficacy"
        )
    return mean


def _leaky(one, constant, slope):
    """A population whose leak has what conductances lack: (E_L − v)/tau_L + a − b v."""
    tau, E_L = (one.values.get(n) for n in ("tau_L", "E_L"))
    if isinstance(tau, float) and isinstance(E_L, float) and 1 / tau + slope > 0:
        new = 1 / (1 / tau + slope)
        own = {"tau_L": new, "E_L": new * (E_L / tau + constant)}
        if _differs_by(one, own, constant, slope):
            return dataclasses.replace(one, values={**one.values, **own})
    raise ParameterError(
        f"{one.name}: got conductances, and a leak that is not (E_L - v)/tau_L with one tau_L and "
        "one E_L; expected that, to restore the mean conductance of the full network"
    )


def _differs_by(one, own, constant, slope):
    """Whether these parameters add a − b v to the drift and change nothing else."""
    v = np.array([-0.08, -0.06, -0.05])
    values = {n: x.mean if isinstance(x, Law) else x for n, x in one.values.items()}
    before, after = (MeanEffect(one.neuron, {**values, **x}) for x in ({}, own))
    added = after.leak(v) - before.leak(v) - (constant - slope * v)
    scale = np.abs(before.leak(v)).max() + abs(constant) + abs(slope) * 0.08
    synapses = (s.on_pre for s in one.neuron.synapses.values())
    named = identifiers(*synapses) & set(own)
    return np.all(np.abs(added) <= _STRAIGHT * scale) and not named
