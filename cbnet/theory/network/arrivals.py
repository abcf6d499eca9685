"""Φ of a network: from the rates of its populations to arrivals of each class, and back."""

import numpy as np


class Transfer:
    """Rates of every population as a function of the rates of all.

    Parameters
    ----------
    in_degrees : sequence of array_like, each of shape (C_p, P)
        For each population the mean number of inputs of each class of its arrivals from every
        population.
    external : sequence of array_like, each of shape (C_p,)
        Rates of arrivals from outside, 1/s.
    rates : sequence of callable
        For each population ``(R, rtol) -> (rate, error)``: Hz and relative error at arrival rates
        of shape (n, C_p) in 1/s.
    representative : sequence of int, optional
        For each population the index of the first one that is the same: that one is computed.
    step : float
        Change of ln R of a difference quotient.
    """

    def __init__(self, in_degrees, external, rates, representative=None, step=1e-4):
        self.in_degrees = [np.asarray(k, float) for k in in_degrees]
        self.external = [np.asarray(r, float) for r in external]
        self.rates, self.step = list(rates), step
        size = len(self.rates)
        self.representative = np.arange(size) if representative is None else representative

    def arrivals(self, p, nu):
        """Arrival rates of a population in 1/s, shape (n, C_p), at rates of shape (n, P) in Hz."""
        return self.external[p] + nu @ self.in_degrees[p].T

    def __call__(self, nu, rtol):
        """Φ in Hz and its relative error, both of shape (n, P)."""
        rate, error = np.empty(nu.shape), np.empty(nu.shape)
        for p, first in enumerate(self.representative):
            if p == first:
                rate[:, p], error[:, p] = self.rates[p](self.arrivals(p, nu), rtol)
            else:
                rate[:, p], error[:, p] = rate[:, first], error[:, first]
        return rate, error

    def sensitivity(self, nu, rtol):
        """Φ, its error, and G[n, p, q] = ∂Φ_p/∂ν_q, by differences class by class."""
        n, P = nu.shape
        rate, error, gain = np.empty((n, P)), np.empty((n, P)), np.empty((n, P, P))
        for p, first in enumerate(self.representative):
            if p == first:
                rate[:, p], error[:, p], slope = self._slopes(p, nu, rtol)
                gain[:, p] = slope @ self.in_degrees[p]
            else:
                for each in (rate, error, gain):
                    each[:, p] = each[:, first]
        return rate, error, gain

    def _slopes(self, p, nu, rtol):
        """Φ_p, its error and ∂Φ_p/∂R, shape (n, C_p)."""
        R = self.arrivals(p, nu)
        n, C = R.shape
        used = np.flatnonzero(self.in_degrees[p].any(1))
        # arrivals that there are none of can only become more
        size = np.maximum(R, 1e-3 * R.max(1, keepdims=True) + 1e-6)
        up, down = size * self.step, np.minimum(size * self.step, R)
        at = np.repeat(R[:, None], 1 + 2 * used.size, 1)
        for k, c in enumerate(used):
            at[:, 1 + 2 * k, c] += up[:, c]
            at[:, 2 + 2 * k, c] -= down[:, c]
        rate, error = self.rates[p](at.reshape(-1, C), rtol)
        rate, error = rate.reshape(n, -1), error.reshape(n, -1)
        slope = np.zeros((n, C))
        slope[:, used] = (rate[:, 1::2] - rate[:, 2::2]) / (up + down)[:, used]
        return rate[:, 0], error[:, 0], slope
