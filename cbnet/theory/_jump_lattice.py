"""Straight leak and straight jumps: the backward equation where a jump is a translation.

If an excitatory arrival moves v by h(v) = h(θ)(1 + s y), y = (v − θ)/h(θ), then

    z = ln(1 + s y) / ln(1 + s)        (y itself for s = 0)

moves by one, and the images of the threshold, at which T has its layers, are the integers. T is a
polynomial in z on each panel between (and, near the threshold, inside of) them, continuous from
panel to panel; where the leak falls, it obeys the equation at nodes that include a panel's upper
end, below the zero of the leak at nodes that include its lower end.
"""

from dataclasses import dataclass

import numpy as np

from ._jump_nodes import NodalSystem

_DEEPEST = 60_000
_FINEST = 1e-9  # jumps smaller than this, relative to v, have no lattice in floats
_OFFSETS = np.append(0.0, np.geomspace(0.03, 1e4, 48))  # below the reset, over its distance to θ
_OVERSHOOT = 6
_GUESSES = np.geomspace(0.02, 60, 48)


# Degree of T on a panel, first part of a split jump in ways of the leak (0: not split), ratio of
# each part to the one below, images that are split.
LEVELS = (
    (3, 0.0, 1.0, 0),
    (4, 2.0, 3.0, 24),
    (5, 1.5, 3.0, 32),
    (6, 1.0, 2.5, 40),
    (8, 1.0, 2.0, 60),
    (10, 0.7, 2.0, 120),
)
_PARTS = 12


def _fractions(width, ratio):
    """Where a jump is split: ever wider parts above the image, at which the layer is thinnest."""
    found = [0.0]
    while width > 0 and found[-1] + 1.3 * width < 1 and len(found) < _PARTS:
        found.append(found[-1] + width)
        width *= ratio
    return np.array(found)


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

    @property
    def thinness(self):
        """Way of the leak between two arrivals at the threshold, over the jump."""
        process = self.process
        way = abs(float(process.leak(process.threshold))) / (process.R_E + process.R_I)
        return way / self.size

    def v(self, z):
        """Potential at z."""
        return self.process.threshold + self.size * _power(z, self.slope)

    def z(self, v):
        """The inverse of :meth:`v`."""
        return _logarithm((v - self.process.threshold) / self.size, self.slope)

    def lifted(self, z, v):
        """z after an excitatory arrival."""
        return z + 1

    def speed(self, v):
        """dz/dt along the leak."""
        stretch = 1.0 if self.slope == 0 else self.slope / np.log1p(self.slope)
        return self.process.leak(v) * stretch / self.process.up(v)


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
    if not (process.straight and process.R_E > 0):
        return None
    theta, reset = process.threshold, process.reset
    width = theta - reset
    at = np.array([reset, theta])
    (f0, f1), (E0, E1), (I0, I1) = process.leak(at), process.up(at), process.down(at)
    pull, s, t = (f1 - f0) / width, (E1 - E0) / width, (I1 - I0) / width
    if not (E1 > 0 and pull < 0 and s > -1 and abs(E1) > _FINEST * max(abs(theta), width)):
        return None
    s = 0.0 if abs(s) * width < 1e-9 * E1 else s
    rest = theta - f1 / pull
    if process.R_I > 0:
        # inhibition may lead down for ever, or to its reversal
        lowest = min(rest, reset, theta - I1 / t if t < 0 else -np.inf) if I1 < 0 or t < 0 else rest
    else:
        lowest = rest
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
    f, up, down = process.leak(v), process.up(v), process.down(v)
    A = f + process.R_E * up + process.R_I * down
    B2 = process.R_E * up**2 + process.R_I * down**2
    q = -2 * np.maximum(A, 0.0) / B2 * _GUESSES[:, None]
    with np.errstate(over="ignore"):
        value = process.R_E * np.expm1(np.minimum(q * up, 300.0)) + q * f
        value += process.R_I * np.expm1(np.minimum(q * down, 300.0))
    # convex in q, zero at q = 0: the last guess before it is positive
    row = np.maximum(np.count_nonzero(value < 0, axis=0) - 1, 0)
    q = -q[row, np.arange(v.size)]
    psi = np.append(0.0, np.cumsum((q[1:] + q[:-1]) / 2 * -np.diff(v)))
    low = np.interp([reach], psi, v)
    # where the jumps of inhibition are few and large, v overshoots
    for _ in range(_OVERSHOOT):
        low = low + np.minimum(process.down(low), 0.0)
    return float(low[0])


class LatticeSystem(NodalSystem):
    """The backward equation on a lattice, factorised.

    Parameters
    ----------
    lattice : Lattice
    level : int
        Of :data:`LEVELS`: how fine.
    largest : float
        Numbers that the factorised matrix may have; MemoryError if it needs more.
    """

    def __init__(self, lattice, level, largest=np.inf):
        n, first, ratio, images = LEVELS[level]
        fractions = _fractions(first * lattice.thinness, ratio)
        images = min(images, lattice.depth)
        whole = np.arange(-lattice.depth, -images, 1.0)
        split = np.arange(-images, 0, 1.0)[:, None] + fractions
        edges = np.concatenate([whole, split.ravel(), [0.0]])
        # below the zero of the leak the leak rises
        rising = lattice.process.leak(lattice.v(edges))[1:] > 0
        super().__init__(lattice.process, lattice, edges, rising, n, largest)
