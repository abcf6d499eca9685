"""A membrane that jumps: leak, jumps and rates as functions of v, and how rare an excursion is.

The chance of an excursion from the resting state up to v falls as e^{−∫ q dv}, where q is the root
other than zero of

    Σ R (e^{q h} − 1) + q f = 0

(R and h the rate and jump of a class of arrivals, f the leak at v): the momentum of the optimal
path of the jump process. For jumps that are small against 1/q it is −2A/B², the slope Ψ' of white
noise. The same equation under the integral C_shot is what the efficacy times ln K tends to.
"""

import functools
from dataclasses import dataclass, replace

import numpy as np

_NEWTON = 60
_FLOW_STEPS = 32  # of the membrane's move for one arrival at a synapse whose filter is taken away
_STEEPEST = 600.0  # e^(q h) that floats hold
_SAME = 1e-12  # potentials, relative
_NO_EXCITATION = 1e-12  # arrivals added, relative to others, where there are none


@dataclass(frozen=True)
class JumpProcess:
    """One neuron under Poisson arrivals of some classes.

    Attributes
    ----------
    leak : callable
        f(v) in V/s.
    jumps : tuple of callable
        By how much an arrival of each class moves v, in V.
    rates : tuple of float
        Total rates of their arrivals in Hz.
    threshold, reset, tau_rp : float
        In V, V and s.
    straight : bool
        Whether leak and jumps are straight lines in v.
    lead : int
        The class of excitation whose jumps grids are aligned to.
    """

    leak: object
    jumps: tuple
    rates: tuple
    threshold: float
    reset: float
    tau_rp: float
    straight: bool = False
    lead: int = 0

    @property
    def classes(self):
        """(jump, rate) of each class."""
        return zip(self.jumps, self.rates, strict=True)

    @property
    def up(self):
        """The jump of the leading excitation."""
        return self.jumps[self.lead]

    @property
    def rate_up(self):
        """Its rate, Hz."""
        return self.rates[self.lead]

    @property
    def others(self):
        """(jump, rate) of every other class."""
        return [pair for k, pair in enumerate(self.classes) if k != self.lead]

    def drift(self, v):
        """Itô drift, V/s."""
        return sum((R * h(v) for h, R in self.classes), self.leak(v))

    def noise(self, v):
        """Squared noise of the diffusion approximation, V²/s."""
        return sum(R * h(v) ** 2 for h, R in self.classes)

    def momentum(self, v):
        """q(v) in 1/V: positive where the drift pulls down; ±inf where no path leads on."""
        v = np.asarray(v, float)
        return momentum(self.leak(v), [h(v) for h in self.jumps], self.rates)


def momentum(f, jumps, rates):
    """The root q other than zero of Σ R_k (e^{q h_k} − 1) + q f = 0.

    Parameters
    ----------
    f : ndarray, shape (N,)
        Leak (V/s).
    jumps : sequence of ndarray, shape (N,)
        h_k (V).
    rates : sequence of float
        R_k (Hz).

    Returns
    -------
    ndarray, shape (N,)
        In 1/V. With no path in the direction against the drift it is ±inf, without drift 0.
    """
    A = sum((R * h for R, h in zip(rates, jumps, strict=True)), f)
    sign = np.where(A < 0, 1.0, -1.0)
    # in units of 1/scale, and reflected so that the root is positive
    rates = [R + 0 * f for R in rates]
    scale = functools.reduce(
        np.maximum, [np.abs(h) * (R > 0) for R, h in zip(rates, jumps, strict=True)]
    )
    scale = np.where(scale > 0, scale, 1.0)
    total = sum(rates) + np.abs(f) / scale
    total = np.where(total > 0, total, 1.0)
    y = sign * f / scale / total
    parts = [(R / total, sign * h / scale) for R, h in zip(rates, jumps, strict=True)]
    against = y > 0
    for p, x in parts:
        against = against | ((x > 0) & (p > 0))
    slope = sum((p * x for p, x in parts), y)
    bend = sum(p * x**2 for p, x in parts)
    q = np.where(bend > 0, -2 * slope / np.where(bend > 0, bend, 1.0), 1.0)
    q = np.clip(np.where(against, q, 1.0), 1e-300, 1.0)

    def value(q):
        return sum(p * np.expm1(np.minimum(q * x, _STEEPEST)) for p, x in parts) + q * y

    # to the right of the root, from where Newton's method descends: the function is convex
    for _ in range(64):
        left = against & (value(q) < 0) & (q < 1e15)
        if not left.any():
            break
        q = np.where(left, 1.5 * q, q)
    for _ in range(_NEWTON):
        derivative = sum(p * x * np.exp(np.minimum(q * x, _STEEPEST)) for p, x in parts) + y
        step = np.where(derivative > 0, value(q) / np.where(derivative > 0, derivative, 1.0), 0.0)
        q = np.where(step < q, q - np.maximum(step, 0), q / 2)
        if np.all(np.abs(step) <= 1e-9 * q):
            break
    return np.where(A == 0, 0.0, np.where(against, sign * q / scale, sign * np.inf))


def origin(jump, v):
    """Points from which an arrival leads to v."""
    start = v - jump(v)
    step = 1e-6 * (np.abs(v - start) + 1e-3 * np.abs(v).max())
    for _ in range(20):
        slope = 1 + (jump(start + step) - jump(start - step)) / (2 * step)
        change = (start + jump(start) - v) / np.where(np.abs(slope) > 1e-3, slope, 1e-3)
        start = start - change
        if np.abs(change).max() <= _SAME * np.abs(v).max():
            break
    return start


def of_neuron(neuron, *inputs):
    """The jump processes of some inputs of a neuron, row by row: a list.

    Jumps are those of the strings. For filtered synapses, whose time constants are taken to zero,
    an arrival moves v along dv/dq = h(v) for one unit of charge.
    """
    return [
        JumpProcess(*fields, neuron.threshold, neuron.reset, neuron.tau_rp, straight, lead)
        for *fields, straight, lead in neuron.jump_fields(*inputs)
    ]


def of_membrane(membrane):
    """The jump process that a membrane with filtered synapses becomes for vanishing filters."""
    straight = all(_is_straight(f, membrane) for f in (membrane.leak, *membrane.jumps))
    jumps = tuple(along(h, straight) for h in membrane.jumps)
    ends = membrane.threshold, membrane.reset, membrane.tau_rp
    return JumpProcess(membrane.leak, jumps, membrane.rates, *ends, straight)


def _is_straight(function, membrane):
    v = np.linspace(membrane.reset, membrane.threshold, 5)
    f = function(v)
    return bool(np.abs(np.diff(f, 2)).max() <= 1e-9 * np.abs(f).max())


def along(h, straight):
    """The displacement by one unit of charge along dv/dq = h(v)."""
    if straight:
        slope = float(h(1.0) - h(0.0))
        factor = np.expm1(slope) / slope if abs(slope) > 1e-12 else 1.0
        return lambda v: h(v) * factor

    def moved_along(v):
        moved, step = 0.0 * v, 1 / _FLOW_STEPS
        for _ in range(_FLOW_STEPS):
            k1 = h(v + moved)
            k2 = h(v + moved + k1 * step / 2)
            k3 = h(v + moved + k2 * step / 2)
            k4 = h(v + moved + k3 * step)
            moved = moved + (k1 + 2 * k2 + 2 * k3 + k4) * step / 6
        return moved

    return moved_along


def with_excitation(process):
    """The process with arrivals from below, and whether it has none and cannot fire.

    Without any excitation nothing leads up against the leak; very rare arrivals keep the equations
    regular, and change time averages by as little. None for a neuron without input at rest.
    """
    if process.rate_up > 0:
        return process, False
    v = np.linspace(process.reset, process.threshold, 200)
    blocked = bool((process.leak(v) <= 0).any())
    other = sum(R for _, R in process.others)
    if other == 0 and blocked:
        return None, True
    rates = list(process.rates)
    rates[process.lead] = _NO_EXCITATION * (
        other + float(np.abs(process.leak(v)).max() / (v[-1] - v[0]))
    )
    return replace(process, rates=tuple(rates)), blocked
