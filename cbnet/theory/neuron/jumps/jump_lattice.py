"""Straight leak and straight jumps: the backward equation where a jump is a translation.

If an excitatory arrival moves v by h(v) = h(θ)(1 + s y), y = (v − θ)/h(θ), then

    z = ln(1 + s y) / ln(1 + s)        (y itself for s = 0)

moves by one, and the images of the threshold, at which T has its layers, are the integers: z is
the coordinate of the nodes (:mod:`_jump_nodes`).
"""

import functools
from dataclasses import dataclass

import numpy as np

_DEEPEST = 60_000
_FINEST = 1e-9  # jumps smaller than this, relative to v, have no lattice in floats
_OFFSETS = np.append(0.0, np.geomspace(0.03, 1e4, 48))  # below the reset, over its distance to θ
_OVERSHOOT = 6
_GUESSES = np.geomspace(0.02, 60, 48)


@dataclass(frozen=True)
class Lattice:
    """A process whose leak and jumps are straight lines, in steps of its excitatory jump.

    Attributes
    ----------
    process : JumpProcess
    slope, size : float
        s and h(θ).
    depth : int
        Jumps from the lower end, which nothing that matters lies below, to the threshold.
    """

    process: object
    slope: float
    size: float
    depth: int

    def v(self, z):
        """Potential at z."""
        return self.process.threshold + self.size * _power(z, self.slope)

    def z(self, v):
        """The inverse of :meth:`v`."""
        return _logarithm((v - self.process.threshold) / self.size, self.slope)

    def lifted(self, z, v):
        """z after an excitatory arrival."""
        return z + 1

    def lowered(self, z, v):
        """z from which an excitatory arrival leads there."""
        return z - 1

    def stretch(self, v):
        """dz/dv."""
        factor = 1.0 if self.slope == 0 else self.slope / np.log1p(self.slope)
        return factor / self.process.up(v)

    def speed(self, v):
        """dz/dt along the leak."""
        return self.process.leak(v) * self.stretch(v)


def _power(z, s):
    return z if s == 0 else np.expm1(z * np.log1p(s)) / s


def _logarithm(y, s):
    return y if s == 0 else np.log1p(s * y) / np.log1p(s)


def of_process(process, reach):
    """The lattice of a process, or None if it has none.

    Parameters
    ----------
    process : JumpProcess
    reach : float
        How far above the bottom of the well the lower end must lie, in units of Φ, unless nothing
        goes below it.
    """
    if not (process.straight and process.rate_up > 0):
        return None
    theta, reset = process.threshold, process.reset
    width = theta - reset
    at = np.array([reset, theta])
    (f0, f1), (E0, E1) = process.leak(at), process.up(at)
    pull, s = (f1 - f0) / width, (E1 - E0) / width
    if not (E1 > 0 and pull < 0 and s > -1 and abs(E1) > _FINEST * max(abs(theta), width)):
        return None
    s = 0.0 if abs(s) * width < 1e-9 * E1 else s
    rest = theta - f1 / pull
    lowest = rest
    for other in (h(at) for h, R in process.others if R > 0):
        # inhibition may lead down for ever, or to its reversal
        t = (other[1] - other[0]) / width
        if other[1] < 0 or t < 0:
            lowest = min(lowest, reset, theta - other[1] / t if t < 0 else -np.inf)
    lowest = min(lowest, reset)
    # an excitatory jump must lead up wherever v goes
    turn = theta - E1 / s if s > 0 else -np.inf
    if turn >= lowest:
        lowest = turn + 1e-3 * width
        if lowest > reset:
            return None
    cut = _cut(process, reach)
    depth = -_logarithm((max(lowest, cut) - theta) / E1, s)
    if np.isfinite(lowest):
        whole = -_logarithm((lowest - theta) / E1, s)
        depth = whole if whole < 1.3 * depth + 10 else depth
    if not depth < _DEEPEST:
        return None
    return Lattice(process, s, E1, max(int(np.ceil(depth - 1e-9)), 1))


def _cut(process, reach):
    """How far below the reset v hardly ever comes: the momentum's integral there is `reach`.

    The momentum is that of :func:`_jump_process.momentum`, found to a fifth on a grid of guesses
    around that of white noise, because nothing but the lower end hangs on it.
    """
    width = process.threshold - process.reset
    v = process.reset - width * _OFFSETS
    f, A, B2 = process.leak(v), process.drift(v), process.noise(v)
    up, others = process.up(v), [(h(v), R) for h, R in process.others]
    q = -2 * np.maximum(A, 0.0) / B2 * _GUESSES[:, None]
    with np.errstate(over="ignore"):
        value = process.rate_up * np.expm1(np.minimum(q * up, 300.0)) + q * f
        for h, R in others:
            value += R * np.expm1(np.minimum(q * h, 300.0))
    # convex in q, zero at q = 0: the last guess before it is positive
    row = np.maximum(np.count_nonzero(value < 0, axis=0) - 1, 0)
    q = -q[row, np.arange(v.size)]
    psi = np.append(0.0, np.cumsum((q[1:] + q[:-1]) / 2 * -np.diff(v)))
    low = np.interp([reach], psi, v)
    # where the jumps of inhibition are few and large, v overshoots
    for _ in range(_OVERSHOOT):
        low = low + functools.reduce(np.minimum, [h(low) for h, _ in process.others], 0.0)
    return float(low[0])
