"""Straight leak and straight jumps: the backward equation where a jump is a translation.

If an excitatory arrival moves v by h(v) = h(θ)(1 + s y), y = (v − θ)/h(θ), then

    z = ln(1 + s y) / ln(1 + s)        (y itself for s = 0)

moves by one, and the images of the threshold, at which T has its layers, are the integers. T is a
polynomial in z on each panel between (and, near the threshold, inside of) them, continuous from
panel to panel; where the leak falls, it obeys the equation at nodes that include a panel's upper
end, below the zero of the leak at nodes that include its lower end.
"""

import functools
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from scipy.sparse import dia_array

from ._collocation import radau

_DEEPEST = 60_000
_FINEST = 1e-9  # jumps smaller than this, relative to v, have no lattice in floats
_OFFSETS = np.append(0.0, np.geomspace(0.03, 1e4, 48))  # below the reset, over its distance to θ
_PLACES = 4
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


@functools.cache
def _rule(n, mirrored):
    """n + 1 points in [0, 1], barycentric weights, and the matrix of derivatives there."""
    x = np.append(0.0, radau(n)[0])
    if mirrored:
        x = 1 - x[::-1]
    gaps = x[:, None] - x + np.eye(n + 1)
    weights = 1 / gaps.prod(1)
    D = weights / weights[:, None] / gaps
    np.fill_diagonal(D, 0.0)
    np.fill_diagonal(D, -D.sum(1))
    return x, weights, D


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

    @property
    def stretch(self):
        """dz/dv times the jump at v."""
        return 1.0 if self.slope == 0 else self.slope / np.log1p(self.slope)


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


class LatticeSystem:
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
        self.lattice, self.process, self.n = lattice, lattice.process, n
        process = self.process
        depth = lattice.depth
        images = min(images, depth)
        whole = np.arange(-depth, -images, 1.0)
        split = np.arange(-images, 0, 1.0)[:, None] + fractions
        self.edges = np.concatenate([whole, split.ravel(), [0.0]])
        self.width = h = np.diff(self.edges)
        P = self.panels = h.size
        N = self.size = P * n + 1
        # below the zero of the leak the leak rises
        f = process.leak(lattice.v(self.edges))
        rising = int(np.count_nonzero(f[1:] > 0))
        self.rising = rising
        self.points = np.empty(N)
        x, mirrored = _rule(n, False), _rule(n, True)
        self.points[-1] = 0.0
        self.points[:-1].reshape(P, n)[:] = self.edges[:-1, None] + h[:, None] * x[0][:-1]
        self.points[: rising * n].reshape(rising, n)[:] = (
            self.edges[:rising, None] + h[:rising, None] * mirrored[0][:-1]
        )
        v = self.v = lattice.v(self.points)
        # the panel in which each point obeys the equation
        panel = np.empty(N, int)
        local = np.empty(N, int)
        k = np.arange(N)
        lower = k < rising * n
        panel[:] = np.where(lower, k // n, np.maximum((k - 1) // n, rising))
        panel = np.minimum(panel, P - 1)
        local = k - panel * n
        D = np.where(lower[:, None], mirrored[2][local], x[2][local])
        up = process.up(v)
        speed = process.leak(v) * lattice.stretch / up
        D *= (speed / h[panel])[:, None]
        self.rates = process.R_E, process.R_I
        total = sum(self.rates)
        target = self.points + 1
        self.fires = target > 1e-9
        E = self._weights(np.where(self.fires, 0.0, target))
        E[1][self.fires] = 0.0
        down = v + process.down(v)
        self.fires_I = down > process.threshold + 1e-12 * abs(self.lattice.size)
        I = self._weights(lattice.z(np.clip(down, v[0], v[-1])))  # noqa: E741
        I[1][self.fires_I] = 0.0
        self.jumps = E, I
        own = panel * n
        reach = np.concatenate([E[0] - k, I[0] - k, own - k])
        high, low = int(reach.max()) + n, -int(reach.min())
        rows = 2 * high + low + 1
        if rows * N > largest:
            raise MemoryError
        # from the threshold down, so that the shorter reach (of excitation) is the one that
        # pivoting doubles
        banded = np.zeros(rows * N)
        # element (i, j) at row high + low + j - i of column N - 1 - j
        offset = np.arange(n + 1)
        for start, block in ((own, D), (E[0], self.rates[0] * E[1]), (I[0], self.rates[1] * I[1])):
            j = start[:, None] + offset
            banded[(N - 1 - j) * rows + (high + low + j - k[:, None])] += block
        banded[(N - 1 - k) * rows + high + low] -= total
        self.high, self.low = high, low
        self._reset = self._operator = None
        self.banded = banded.reshape(N, rows).T
        self.lu, self.pivots, info = lapack.dgbtrf(self.banded, high, low)
        if info > 0:
            raise np.linalg.LinAlgError("singular backward equation")

    def _weights(self, z):
        """First point and weights of T at z."""
        n = self.n
        k = np.clip(np.searchsorted(self.edges, z - 1e-13, side="left") - 1, 0, self.panels - 1)
        s = (z - self.edges[k]) / self.width[k]
        x, w, _ = _rule(n, False)
        gap = s[:, None] - x
        if self.rising:
            some = k < self.rising
            mirrored = _rule(n, True)
            gap[some] = s[some, None] - mirrored[0]
            w = np.where(some[:, None], mirrored[1], w)
        gap[gap == 0] = 1e-300
        q = w / gap
        q /= q.sum(1, keepdims=True)
        return k * n, q

    def solve(self, source):
        """T of L T = −source at the points."""
        x, _ = lapack.dgbtrs(self.lu, self.high, self.low, -source[::-1], self.pivots)
        return x[::-1]

    def apply(self, x):
        """L x."""
        if self._operator is None:
            offsets = np.arange(self.low, -self.high - 1, -1)
            self._operator = dia_array(
                (self.banded[self.high :], offsets), shape=(self.size, self.size)
            )
        return (self._operator @ x[::-1])[::-1]

    def at_reset(self, x):
        """x at the reset."""
        if self._reset is None:
            start, weights = self._weights(self.lattice.z(np.array([self.process.reset])))
            self._reset = slice(start[0], start[0] + self.n + 1), weights[0]
        some, weights = self._reset
        return float(weights @ x[some])

    def differences(self, T):
        """Σ R (T(v + h) − T(v))² at the points."""
        total = 0.0
        offset = np.arange(self.n + 1)
        for rate, (start, weights) in zip(self.rates, self.jumps, strict=True):
            there = np.einsum("ij,ij->i", T[start[:, None] + offset], weights)
            total = total + rate * (there - T) ** 2
        return total

    def statistics(self, cv, moments):
        """Rate, CV, mean and sd of v (NaN where not asked for); T at some places; rounding.

        L 1 = −R_E where an arrival fires, else 0, so that the chance ever to fire is 1: how far off
        the solution is tells what rounding does to a neuron that hardly ever fires, and corrects
        it.
        """
        process, out = self.process, np.full(4, np.nan)
        at = np.linspace(process.reset, process.threshold, _PLACES + 1)[:-1]
        start, weights = self._weights(self.lattice.z(at))
        places = start[:, None] + np.arange(self.n + 1)

        def value(x):
            return weights[0] @ x[places[0]]

        sure = self._certain()
        both = self.solve(np.stack([np.ones(self.size), sure], 1))
        T, chance = both[:, 0], value(both[:, 1])
        with np.errstate(all="ignore"):
            T = T / chance
            profile = np.einsum("ij,ij->i", weights, T[places])
            mean = profile[0]
            out[0] = 1 / (process.tau_rp + mean)
            if cv:
                var = value(self.solve(self.differences(T))) / chance
                out[1] = np.sqrt(max(var, 0.0)) * out[0]
            if moments:
                away = self.v - process.reset
                m = value(self.solve(away)) / (chance * mean)
                square = value(self.solve((away - m) ** 2)) / (chance * mean)
                out[2:] = process.reset + m, np.sqrt(max(square, 0.0))
        return out, profile / mean, abs(1 - chance)

    def _certain(self):
        """−L 1: the rate at which arrivals fire."""
        return self.rates[0] * self.fires + self.rates[1] * self.fires_I
