"""How often one neuron fires when plain Brian2 steps it: all arrivals of a kind, then the other.

A step of a plain Brian2 network with instantaneous synapses applies the excitatory arrivals, then
the inhibitory ones (or the other way round), then the leak, and only then tests the threshold.
With the operators of :mod:`cbnet.simulation.step.chain` for each of these, the mean time to the
threshold solves

    T(v) = dt + [E I L T](v),    L: leak, then 0 above θ,

where E and I are exponentials of the jump operators: sums over the number of arrivals, which is
Poisson. Potentials above threshold are on the grid here, since inhibition can bring v back.
"""

import numpy as np
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse import csr_array
from scipy.stats import poisson

from .chain import Chain

_TAIL = 1e-12  # probability of more arrivals than are counted


class PlainChain(Chain):
    """The neuron of :class:`~cbnet.simulation.step.chain.Chain` in the steps of plain Brian2."""

    def __init__(self, diffusion, values, spacing=0.06, longest=1e-4):
        self.longest = longest  # s; step for which the grid reaches high enough above threshold
        self.below = Chain(diffusion, values, spacing)  # the threshold: of the exact neuron
        self.exact_rate = self.below.rate
        super().__init__(diffusion, values, spacing)

    def _grid(self, diffusion, values, spacing):
        below = super()._grid(diffusion, values, spacing)
        jump = float(self.h_E(self.threshold))
        most = poisson.isf(_TAIL, self.R_E * self.longest)
        above = np.arange(below[-1] - below[-2], (most + 2) * jump, below[-1] - below[-2])
        return np.append(below, self.threshold + above)

    def _shift(self, h):
        """What one jump makes of a function on the grid."""
        n, rows = self.v.size, np.arange(self.v.size)
        matrix = np.zeros((n, n))
        self._add(matrix, rows, np.minimum(self.v + h(self.v), self.v[-1]), 1.0)
        return csr_array(matrix)

    def _arrivals(self, shift, mean, matrix):
        """A Poisson number of jumps, then `matrix`."""
        counts = np.arange(int(poisson.isf(_TAIL, mean)) + 2)
        result = np.zeros_like(matrix)
        for weight in poisson.pmf(counts, mean):
            result += weight * matrix
            matrix = shift @ matrix
        return result

    def plain_bias(self, dt, first):
        """(rate − exact rate)/exact rate in steps of `dt` (s); NaN without a rate.

        Parameters
        ----------
        dt : float
            At most `longest`.
        first : {"excitation", "inhibition"}
            Whose arrivals are applied first.

        Assumptions
        -----------
        Poisson arrivals.
        """
        if self.exact_rate == 0:
            return np.nan
        return self.plain(dt, first).rate / self.exact_rate - 1

    def plain(self, dt, first):
        """Moments in steps of `dt` (s); v is seen at the ends of steps, half a step of the leak
        earlier: arrivals come when a step begins.
        """
        n = self.v.size
        step = np.zeros((n, n))
        images = (self.leaked(x, dt) for x in (self.v, self.low, self.high))
        self.add_absorbed(step, *images, 1.0)
        kinds = [(self.h_E, self.R_E), (self.h_I, self.R_I)]
        # what comes first in time is applied to a function last
        for h, rate in kinds[::-1] if first == "excitation" else kinds:
            step = self._arrivals(self._shift(h), rate * dt, step)
        factors = lu_factor(np.eye(n) - step)
        x = self.v - self.f(self.v) * dt / 2 - self.reset
        seen = [dt * x**power for power in range(3)]
        T = lu_solve(factors, np.full(n, dt))
        T2 = lu_solve(factors, dt**2 + step @ (2 * dt * T))
        sums = [lu_solve(factors, step @ one) for one in seen]
        # the leak of the step in which a neuron wakes up comes before its first arrivals
        start = float(self.leaked(np.array([self.reset]), dt)[0])
        held = max(1, int(self.tau_rp / dt + 1e-3)) * dt
        if start > self.threshold:
            return self.moments(held, 0.0, 0.0, 0.0, 0.0, 0.0)
        T, T2 = self.at(T, start), self.at(T2, start)
        total, *sums = (self.at(one + sum_, start) for one, sum_ in zip(seen, sums, strict=True))
        return self.moments(held + T, T, T2, *sums, total)

    def step_within(self, target, first, steps):
        """The longest of `steps` (s) from which on the bias stays within `target`, or None."""
        found = None
        for dt in sorted(steps):
            if abs(self.plain_bias(dt, first)) > target:
                break
            found = dt
        return found
