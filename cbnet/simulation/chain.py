"""How often one neuron with instantaneous synapses fires: exactly, and with a time step.

Both answers come from the mean first-passage time T(v) to the threshold on one grid of v, with the
same interpolation, so that their difference is that of the two dynamics and vanishes with the step.

In continuous time, with leak f, jumps h and total arrival rates R,

    f T' + R_E [T(v + h_E) 1{v + h_E ≤ θ} − T(v)] + R_I [T(v + h_I) − T(v)] = −1.

The stepped neuron is that of :mod:`cbnet.simulation.network`. A step starts with the leak, whose
flow over dt is φ; then come the arrivals of the step in random order, the threshold being tested
after each. They are Poisson, so that they make the jumps J above act for a time dt:

    T(v) = dt + [e^(J dt) T](φ(v)),    0 above θ.

(Neurons that cannot cross in a step get the mean and the spread over all orders instead of one of
them, ``cpp/instantaneous.h``; ``python -m benchmarks.timestep`` compares.)

A spike holds the neuron for τ_rp/dt + 1/2 steps on average, its own not counted, so that the mean
interval is τ_rp − dt/2 + T(V_r).
"""

import functools

import numpy as np
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, gmres

from .flow import leak_flow, runge_kutta

_REACH = 8.0  # sd below the mean: what lies deeper has a weight of 1e-15
_MOST_NODES = 1000  # of the coarse spacing; reached where v hardly fluctuates
_LONGEST = 1e6  # s
_RTOL = 1e-8  # of the iteration, where the grid's error is 1e-3
_MOST_ITERATIONS = 100
_ARRIVALS = 50  # expected at once, more than which their weights would underflow


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
        return top - np.array(depths[::-1])

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

    def _add_absorbed(self, matrix, x, low, high, weight):
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
            self._add_absorbed(J, *images, self.R_E)
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

    def continuous(self):
        """Mean time from reset to threshold in continuous time, s."""
        return self._at(np.linalg.solve(*self._generator), self.reset)

    def stepped(self, dt):
        """Mean interspike interval of the stepped neuron, s."""
        n = self.v.size
        leak = np.zeros((n, n))
        images = (self.leaked(x, dt) for x in (self.v, self.low, self.high))
        self._add_absorbed(leak, *images, 1.0)
        T, failed = self._iterate(csr_array(leak), dt)
        if failed:
            T = np.linalg.solve(np.eye(n) - leak @ self._arrivals(dt)(np.eye(n)), np.full(n, dt))
        return self.tau_rp - dt / 2 + self._at(T, self.reset)

    def _iterate(self, leak, dt):
        """Solve for the stepped T without e^(J dt), whose matrix is full and takes n³."""
        n = self.v.size
        generator, source = self._generator
        factors = lu_factor(generator)
        start = lu_solve(factors, source)
        arrivals = self._arrivals(dt)
        # A step is 1 − e^(L dt) up to commutators, close to −L dt/(1 − L dt/2).
        continuous = LinearOperator((n, n), lambda r: r / 2 - lu_solve(factors, r) / dt)
        step = LinearOperator((n, n), lambda T: T - leak @ arrivals(T), dtype=float)
        options = {"restart": _MOST_ITERATIONS, "maxiter": 2, "M": continuous}
        return gmres(step, np.full(n, dt), start, rtol=_RTOL, atol=0.0, **options)

    def _arrivals(self, dt):
        """``T -> e^(J dt) T``, by the number of arrivals: e^(J dt) = Σ Poisson(k) P^k.

        scipy.linalg.expm (1.17, 1.18) errs by up to 1e-2 where J is triangular: no inhibition.
        """
        rate = self.R_E + self.R_I
        if rate == 0:
            return lambda T: T
        one = csr_array(np.eye(self.v.size) + self.jumps / rate)
        parts = int(np.ceil(rate * dt / _ARRIVALS))
        mean = rate * dt / parts
        counts = np.arange(1, int(mean + 10 * np.sqrt(mean) + 20))
        weights = np.exp(-mean) * np.cumprod(np.append(1.0, mean / counts))

        def act(T):
            for _ in range(parts):
                after, total = T, weights[0] * T
                for weight in weights[1:]:
                    after = one @ after
                    total += weight * after
                T = total
            return T

        return act

    def leaked(self, x, dt):
        """Where the leak takes x in a step; beyond threshold as if it went straight on."""
        after, crossing = self.flow(x, dt)
        crossed = np.isfinite(crossing)
        after[crossed] += (dt - crossing[crossed]) * self.f(self.threshold)
        return after

    def _at(self, T, v):
        j, w = self._weights(np.array([v]))
        return float(T[j[0] : j[0] + 4] @ w[0])

    @functools.cached_property
    def rate(self):
        """Firing rate in continuous time, Hz; 0 below 1e-6 Hz, where rounding errors begin."""
        T = self.continuous()
        return 1 / (self.tau_rp + T) if 0 <= T < _LONGEST else 0.0

    def bias(self, dt):
        """(rate with steps − rate)/rate; NaN without a rate."""
        exact = self.rate
        return 1 / (self.stepped(dt) * exact) - 1 if exact > 0 else np.nan


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
