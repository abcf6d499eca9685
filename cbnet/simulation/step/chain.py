"""What one neuron with instantaneous synapses does: exactly, and with a time step.

Both answers come from one grid of v, with the same interpolation, so that their difference is that
of the two dynamics and vanishes with the step (:mod:`cbnet.simulation.step.stepping`). With leak f,
jumps h and total arrival rates R, the time T from v to the threshold, its second moment and the
integrals of v and v² up to it solve in continuous time

    f X' + R_E [X(v + h_E) 1{v + h_E ≤ θ} − X(v)] + R_I [X(v + h_I) − X(v)] = −s(v),

with s = 1, 2T, v and v². Started from the reset they give rate, CV, mean and sd of v.
"""

import functools
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse import csr_array

from .flow import leak_flow, runge_kutta

_REACH = 8.0  # sd below the mean: what lies deeper has a weight of 1e-15
_MOST_NODES = 1000  # of the coarse spacing; reached where v hardly fluctuates
_LONGEST = 1e6  # s
_PER_LAYER = 4  # nodes on the way that the leak goes between two arrivals, the next further apart
_GROWTH = 1.3
_THINNEST = 1e-3  # of the spacing; what is thinner is not seen


@dataclass(frozen=True)
class Moments:
    """Of one neuron: rate (Hz), CV of its intervals, mean and sd of v (V) while not refractory."""

    rate: float
    cv: float
    V_mean: float
    V_sd: float


class Chain:
    """First-passage problems of one neuron on a grid.

    Parameters
    ----------
    diffusion : Reduced
        The strings, reduced; filtered synapses are taken in the limit of zero time constants.
    values : dict
        Resolved parameters with the total rates ``R_E``, ``R_I``, scalars in SI.
    spacing : float
        Grid spacing far from threshold in units of the free standard deviation of v.
    """

    def __init__(self, diffusion, values, spacing=0.03):
        self.diffusion, self.values = diffusion, values
        self.R_E, self.R_I, self.tau_rp = values["R_E"], values["R_I"], values["tau_rp"]
        self.threshold = float(diffusion.constant("threshold", values))
        self.reset = float(diffusion.constant("reset", values))
        self.f = diffusion.function("leak", values)
        self.h_E, self.h_I = (_jump(diffusion, k, values) for k in "EI")
        self.flow = leak_flow(diffusion, values)
        self.v = self._grid(diffusion, values, spacing)
        middles = (self.v[1:] + self.v[:-1]) / 2
        self.low = np.append(self.v[0], middles)
        self.high = np.append(middles, self.v[-1])

    def _grid(self, diffusion, values, spacing):
        top, reset = self.threshold, self.reset
        mu, tau = (float(x) for x in diffusion.operating_point(values))
        B2 = diffusion.function("B2", values)
        if not np.isfinite(mu):
            mu, tau = reset, 0.02
        center = min(mu, reset)
        sd = np.sqrt(tau * float(B2(center)) / 2)
        sd = max(sd, 1e-3 * (top - reset))
        bottom = center - _REACH * sd
        # Below the potentials that leak and inhibition pull to, v never comes.
        probe = np.linspace(bottom, reset, 400)
        up = (self.f(probe) >= 0) & (self.h_I(probe) >= 0)
        if up.any():
            bottom = max(bottom, probe[np.flatnonzero(up)[-1]])
        # Near threshold T has layers as wide as an excitatory jump.
        jump = float(self.h_E(top))
        coarse = max(spacing * min(sd, top - bottom), (top - bottom) / _MOST_NODES)
        fine = min(coarse, jump / 8) if jump > 0 else coarse
        fine = max(fine, coarse / 40)
        depth, step, depths = 0.0, fine, [0.0]
        while depth < top - bottom:
            if depth > 5 * jump:
                step = min(step * 1.08, coarse)
            depth += step
            depths.append(depth)
        return top - np.array(self._layer(fine) + depths[1:])[::-1]

    def _layer(self, fine):
        """Depths between the threshold, if the leak crosses it, and the first node below it: there
        T falls to 0 on the way that the leak goes between two arrivals.
        """
        speed, rate = float(self.f(self.threshold)), self.R_E + self.R_I
        depths = [0.0]
        if speed > 0 and rate > 0:
            step = max(speed / rate / _PER_LAYER, _THINNEST * fine)
            while depths[-1] + 1.5 * step < fine:
                depths.append(depths[-1] + step)
                step *= _GROWTH
        return depths

    def _weights(self, x):
        """First node and weights of the cubic through four nodes around each x."""
        v = self.v
        j = np.clip(np.searchsorted(v, x, side="left") - 2, 0, v.size - 4)
        nodes = v[j[:, None] + np.arange(4)]
        d = np.clip(x, v[0], None)[:, None] - nodes
        weights = np.ones((x.size, 4))
        for a in range(4):
            for b in range(4):
                if a != b:
                    weights[:, a] *= d[:, b] / (nodes[:, a] - nodes[:, b])
        return j, weights

    def _add(self, matrix, rows, x, weight):
        j, w = self._weights(x)
        for a in range(4):
            matrix[rows, j + a] += weight * w[:, a]

    def add_absorbed(self, matrix, x, low, high, weight):
        """Add a map that kills what lands above threshold, seen by cells rather than nodes."""
        width = np.maximum(high - low, 1e-12)
        alive = np.clip((self.threshold - low) / width, 0.0, 1.0)
        rows = np.flatnonzero(alive > 0)
        part = alive[rows] < 1
        x = np.where(part, (low[rows] + self.threshold) / 2, x[rows])
        self._add(matrix, rows, x, weight * alive[rows])

    @functools.cached_property
    def jumps(self):
        """J: the rate of change of T that the arrivals make."""
        n, rows = self.v.size, np.arange(self.v.size)
        J = -(self.R_E + self.R_I) * np.eye(n)
        if self.R_E > 0:
            images = (x + self.h_E(x) for x in (self.v, self.low, self.high))
            self.add_absorbed(J, *images, self.R_E)
        if self.R_I > 0:
            self._add(J, rows, self.v + self.h_I(self.v), self.R_I)
        return J

    @functools.cached_property
    def _generator(self):
        """L of continuous time and the right-hand side of L T = −1."""
        n, rows = self.v.size, np.arange(self.v.size)
        L = self.jumps.copy()
        f = self.f(self.v)
        # The derivative of the cubic that a short flow would interpolate on: upwind, third order.
        j = np.clip(np.where(f > 0, rows - 1, rows - 2), 0, n - 4)
        nodes = self.v[j[:, None] + np.arange(4)]
        L_f = _derivative(nodes, self.v)
        for a in range(4):
            L[rows, j + a] += f * L_f[:, a]
        source = -np.ones(n)
        if f[-1] > 0:
            L[-1], source[-1] = 0.0, 0.0
            L[-1, -1] = 1.0
        return L, source

    @functools.cached_property
    def factors(self):
        """LU factors of the generator of continuous time."""
        return lu_factor(self._generator[0])

    def solve(self, source):
        """X of continuous time at the nodes, for s(v) there."""
        edge = self._generator[1] < 0  # not where the flow leaves through the threshold
        return lu_solve(self.factors, -np.where(edge, source, 0.0))

    @functools.cached_property
    def one_arrival(self):
        """What an arrival of either kind makes of a function on the grid."""
        rate = self.R_E + self.R_I
        return csr_array(np.eye(self.v.size) + self.jumps / rate)

    @functools.cached_property
    def exact(self):
        """Moments in continuous time."""
        x = self.v - self.reset  # squares about the reset keep their digits
        T = self.solve(np.ones(x.size))
        rest = [self.solve(source) for source in (2 * T, x, x**2)]
        T, *rest = (self.at(X, self.reset) for X in (T, *rest))
        return self.moments(self.tau_rp + T, T, *rest, T)

    def moments(self, interval, T, T2, first, second, seen):
        """From a mean interval, the time to the threshold, its second moment (s, s²), and integrals
        of v and v² about the reset over a time `seen`.
        """
        if not 0 <= T < _LONGEST:
            return Moments(0.0, np.nan, np.nan, np.nan)
        if not interval > 0:
            return Moments(np.inf, np.nan, np.nan, np.nan)
        cv = np.sqrt(max(T2 - T**2, 0.0)) / interval
        if not seen > 0:
            return Moments(1 / interval, cv, np.nan, np.nan)
        mean = first / seen
        sd = np.sqrt(max(second / seen - mean**2, 0.0))
        return Moments(1 / interval, cv, self.reset + mean, sd)

    def leaked(self, x, dt):
        """Where the leak takes x in a step; beyond threshold as if it went straight on."""
        after, crossing = self.flow(x, dt)
        crossed = np.isfinite(crossing)
        after[crossed] += (dt - crossing[crossed]) * self.f(self.threshold)
        return after

    def at(self, X, v):
        """A function on the grid at one v."""
        j, w = self._weights(np.array([v]))
        return float(X[j[0] : j[0] + 4] @ w[0])

    @functools.cached_property
    def rate(self):
        """Firing rate in continuous time, Hz; 0 below 1e-6 Hz, where rounding errors begin."""
        T = self.at(self.solve(np.ones(self.v.size)), self.reset)
        return 1 / (self.tau_rp + T) if 0 <= T < _LONGEST else 0.0


def _jump(diffusion, kind, values):
    """v -> h(v). A charge that passes a filtered synapse moves v along dv/dq = h(v)."""
    h = diffusion.function(f"jump_{kind}", values)
    if diffusion.targets[kind] == "v":
        return h
    return lambda v: runge_kutta(h, v, 1.0) - v


def _derivative(nodes, x):
    """Weights of the derivative at x of the cubic through four nodes."""
    weights = np.zeros_like(nodes)
    for a in range(4):
        others = [b for b in range(4) if b != a]
        scale = np.prod([nodes[:, a] - nodes[:, b] for b in others], axis=0)
        for c in others:
            d, e = (b for b in others if b != c)
            weights[:, a] += (x - nodes[:, d]) * (x - nodes[:, e]) / scale
    return weights
