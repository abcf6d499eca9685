"""The backward equation of a membrane that jumps, for values of T at nodes of panels.

T is a polynomial on each panel, continuous from panel to panel. Where the leak falls, it obeys the
equation at nodes that include a panel's upper end, where the leak rises at nodes that include its
lower end: a value is handed on the way the leak goes.
"""

import functools

import numpy as np
from scipy.linalg import lapack
from scipy.sparse import dia_array

from ..white.collocation import radau
from . import jump_process


@functools.cache
def rule(n, mirrored):
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


class Plain:
    """v itself as the coordinate, from the threshold in units of the excitatory jump there."""

    def __init__(self, process):
        self.process = process
        self.size = abs(float(process.up(np.array([process.threshold]))[0]))

    def v(self, z):
        """Potential at z."""
        return self.process.threshold + self.size * z

    def z(self, v):
        """The inverse of :meth:`v`."""
        return (v - self.process.threshold) / self.size

    def lifted(self, z, v):
        """z after an excitatory arrival."""
        return z + self.process.up(v) / self.size

    def lowered(self, z, v):
        """z from which an excitatory arrival leads there."""
        return self.z(jump_process.origin(self.process.up, v))

    def stretch(self, v):
        """dz/dv."""
        return 1 / self.size

    def speed(self, v):
        """dz/dt along the leak."""
        return self.process.leak(v) / self.size


class NodalSystem:
    """L T = −source at nodes, factorised.

    Parameters
    ----------
    process : JumpProcess
    coordinate : object
        In which T is a polynomial, increasing with v and zero at the threshold, with ``v(z)``,
        ``z(v)``, ``lifted(z, v)`` after an excitatory arrival, ``speed(v)`` along the leak, and
        the ``size`` of an excitatory jump in V.
    edges : ndarray, shape (P + 1,)
        Of the panels, in that coordinate, up to the threshold.
    rising : ndarray of bool, shape (P,)
        Whether the leak of each panel leads up.
    n : int
        Degree of T on a panel.
    largest : float
        Numbers that the factorised matrix may have; MemoryError if it needs more.
    """

    def __init__(self, process, coordinate, edges, rising, n, largest=np.inf):
        self.process, self.coordinate, self.edges, self.n = process, coordinate, edges, n
        self.width = h = np.diff(self.edges)
        P = self.panels = h.size
        N = self.size = P * n + 1
        self.rising, x, mirrored = rising, rule(n, False), rule(n, True)
        some = np.where(rising[:, None], mirrored[0][:-1], x[0][:-1])
        self.points = np.append((self.edges[:-1, None] + h[:, None] * some).ravel(), edges[-1])
        v = self.v = coordinate.v(self.points)
        k = np.arange(N)
        # the panel in which each point obeys the equation: that which the leak leads into
        panel = np.minimum(k // n, P - 1)
        ends = k[n::n]
        panel[ends] -= ~rising[panel[ends] - 1] & (ends < N - 1)
        self.panel = panel
        local = k - panel * n
        D = np.where(rising[panel][:, None], mirrored[2][local], x[2][local])
        D *= (self.speed(v) / h[panel])[:, None]
        self.rates = process.rates
        total = sum(self.rates)
        targets, self.fires = self.targets(self.points, v)
        self.jumps = [self.weights(target) for target in targets]
        for (_, weights), fires in zip(self.jumps, self.fires, strict=True):
            weights[fires] = 0.0
        self.asked = np.ones(N)
        self._end(D, [weights for _, weights in self.jumps])
        own = panel * n
        reach = np.concatenate([*(first - k for first, _ in self.jumps), own - k])
        high, low = int(reach.max()) + n, -int(reach.min())
        rows = 2 * high + low + 1
        if rows * N > largest:
            raise MemoryError
        # from the threshold down, so that the shorter reach (of excitation) is the one that
        # pivoting doubles
        banded = np.zeros(rows * N)
        # element (i, j) at row high + low + j - i of column N - 1 - j
        offset = np.arange(n + 1)
        parts = [(j[0], R * j[1]) for R, j in zip(self.rates, self.jumps, strict=True)]
        for start, block in ((own, D), *parts):
            j = start[:, None] + offset
            banded[(N - 1 - j) * rows + (high + low + j - k[:, None])] += block
        banded[(N - 1 - k) * rows + high + low] -= total
        self.high, self.low = high, low
        self._reset = self._operator = self._times = self._squares = self._moments = None
        self.banded = banded.reshape(N, rows).T
        self.lu, self.pivots, info = lapack.dgbtrf(self.banded, high, low)
        if info > 0:
            raise np.linalg.LinAlgError("singular backward equation")

    def speed(self, v):
        """dz/dt of what carries the solution."""
        return self.coordinate.speed(v)

    def _end(self, D, jumps):
        """A leak that rises to the threshold carries v over it: no time is left there."""
        if self.rising[-1]:
            self.asked[-1] = D[-1] = 0.0
            for weights in jumps:
                weights[-1] = 0.0

    def targets(self, z, v):
        """Where an arrival of each class leads from z, within the panels; whether it fires."""
        process, coordinate = self.process, self.coordinate
        found, fires = [], []
        for k, jump in enumerate(process.jumps):
            if k == process.lead:
                there = coordinate.lifted(z, v)
                fires.append(there > 1e-9)
                found.append(np.clip(there, self.edges[0], 0.0))
                continue
            there = v + jump(v)
            fires.append(there > process.threshold + 1e-12 * abs(coordinate.size))
            found.append(coordinate.z(np.clip(there, self.v[0], self.v[-1])))
        return found, fires

    def weights(self, z):
        """First point and weights of T at z."""
        n = self.n
        k = np.clip(np.searchsorted(self.edges, z - 1e-13, side="left") - 1, 0, self.panels - 1)
        s = (z - self.edges[k]) / self.width[k]
        x, w, _ = rule(n, False)
        gap = s[:, None] - x
        some = self.rising[k]
        if some.any():
            mirrored = rule(n, True)
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

    def start(self):
        """The chance not to have fired at time zero."""
        return self.asked.copy()

    def distance(self, x):
        """The largest of the differences x; a mean where the leak carries a step of S along."""
        if self.asked[-1]:
            return float(np.abs(x).max())
        within = self.v >= self.process.reset
        return float(np.trapezoid(np.abs(x[within]), self.v[within]) / np.ptp(self.v[within]))

    def _reset_weights(self):
        if self._reset is None:
            start, weights = self.weights(self.coordinate.z(np.array([self.process.reset])))
            self._reset = slice(start[0], start[0] + self.n + 1), weights[0]
        return self._reset

    def at_reset(self, x):
        """x at the reset."""
        some, weights = self._reset_weights()
        return float(weights @ x[some])

    def occupation(self, signed=True):
        """Time between two spikes that v spends in each panel, in s; sum of the sizes of its parts.

        The parts are the weights of a source at the points in the mean time to a spike; some are
        negative.
        """
        some, weights = self._reset_weights()
        right = np.zeros(self.size)
        right[some] = weights
        x, _ = lapack.dgbtrs(self.lu, self.high, self.low, -right[::-1], self.pivots, trans=1)
        x = x[::-1] * self.asked
        return np.bincount(self.panel, x if signed else np.abs(x), minlength=self.panels)

    def times(self):
        """Mean times to the next spike from the points, times the second: the chance ever to fire.

        L 1 = −R_E where an arrival fires, else 0, so that this chance is 1: how far off the
        solution is tells what rounding does to a neuron that hardly ever fires, and corrects it.
        """
        if self._times is None:
            fired = sum(R * fires for R, fires in zip(self.rates, self.fires, strict=True))
            sure = np.where(self.asked > 0, fired, sum(self.rates))
            T, chance = self.solve(np.stack([self.asked, sure], 1)).T
            self._times = T, self.at_reset(chance)
        return self._times

    def differences(self, T):
        """Σ R (T(v + h) − T(v))² at the points."""
        total = 0.0
        offset = np.arange(self.n + 1)
        for rate, (start, weights) in zip(self.rates, self.jumps, strict=True):
            there = np.einsum("ij,ij->i", T[start[:, None] + offset], weights)
            total = total + rate * (there - T) ** 2
        return total

    def squares(self):
        """Variances of the time to the next spike from the points, times the chance to fire."""
        if self._squares is None:
            T, chance = self.times()
            self._squares = self.solve(self.asked * self.differences(T / chance))
        return self._squares

    def moments(self):
        """Integrals of v − V_r and of its squared distance to the mean m until a spike; m, and sd.

        The integrals are from the points, times the chance to fire.
        """
        if self._moments is None:
            T, _ = self.times()
            away, spent = self.v - self.process.reset, self.at_reset(T)
            first = self.solve(self.asked * away)
            m = self.at_reset(first) / spent
            second = self.solve(self.asked * (away - m) ** 2)
            sd = np.sqrt(max(self.at_reset(second) / spent, 0.0))
            self._moments = first, second, m, sd
        return self._moments

    def statistics(self, cv, moments):
        """Rate, CV, mean and sd of v (NaN where not asked for), and what rounding takes from 1."""
        process, out = self.process, np.full(4, np.nan)
        T, chance = self.times()
        with np.errstate(all="ignore"):
            T = T / chance
            mean = self.at_reset(T)
            out[0] = 1 / (process.tau_rp + mean)
            if cv:
                var = self.at_reset(self.squares()) / chance
                out[1] = np.sqrt(max(var, 0.0)) * out[0]
            if moments:
                *_, m, sd = self.moments()
                out[2:] = process.reset + m, sd
        return out, abs(1 - chance)
