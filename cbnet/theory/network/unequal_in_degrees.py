"""Means and spreads of rates in networks of any number of populations with unequal in-degrees.

A neuron of population p receives arrivals of class k at a rate that is Gaussian over neurons, cut
at zero: its mean is that of equal in-degrees, its variance Σ_q [Var(K_pq) ν̄_q² + K_pq SD(ν_q)²],
the first term for unequal in-degrees, the second for partners that differ. Mean and spread of Φ
over it are ν̄ and SD(ν) again.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from .rate_statistics import SILENT

_SETS = 8
_FEW, _MANY = 9, 11  # log2 of the neurons of a set: to look for a solution, and for the answer
_STEPS = 40
_SHORTEST = 1 / 64  # step of the continuation in the deviations
_NOTHING = 1e-9  # Hz


@dataclass(frozen=True)
class Spread:
    """Variances of a network's in-degrees.

    Attributes
    ----------
    in_degrees : sequence of ndarray, each of shape (C_p, P)
        Variance of the in-degree of each class from every population.
    external : sequence of ndarray, each of shape (C_p,)
        Variance over neurons of the rate of arrivals from outside, 1/s².
    sizes : ndarray, shape (P,)
        Neurons of the populations, infinite if not known: partners are drawn without replacement.
    """

    in_degrees: list
    external: list
    sizes: np.ndarray


class UnequalNetwork:
    """The equations for means and spreads of rates.

    Parameters
    ----------
    transfer : Transfer
        Of the network with equal in-degrees.
    spread : Spread
    rtol : float
        Accuracy of means and spreads, relative to the mean.
    seed : int
        Of the neurons that are drawn.
    """

    def __init__(self, transfer, spread, rtol, seed=0):
        self.transfer, self.spread, self.rtol, self.seed = transfer, spread, rtol, seed
        self.size = len(transfer.rates)
        self._draw(_FEW, 1)

    def _draw(self, log2_points, sets):
        from scipy.stats.qmc import Sobol  # takes a second to import

        classes = max(len(k) for k in self.transfer.in_degrees)
        points = [
            Sobol(classes, scramble=True, seed=np.random.default_rng([self.seed, k])).random_base2(
                log2_points
            )
            for k in range(sets)
        ]
        self.z, self.sets = ndtri(np.clip(np.concatenate(points), 1e-15, 1 - 1e-15)), sets

    def arrivals(self, p, mean, sd, share):
        """Arrival rates at the drawn neurons of a population, and their mean and sd by class."""
        K, var = self.transfer.in_degrees[p], self.spread.in_degrees[p]
        left = np.maximum(1 - K / self.spread.sizes, 0.0)
        variance = share**2 * (var @ mean**2 + self.spread.external[p]) + (K * left) @ sd**2
        center, width = self.transfer.arrivals(p, mean[None])[0], np.sqrt(variance)
        return np.maximum(center + width * self.z[:, : len(center)], 0.0), center, width

    def rates(self, unknowns, share=1.0):
        """Rates of the drawn neurons of every population, and errors, both of shape (P, n)."""
        mean, sd = np.reshape(unknowns, (2, -1))
        found = []
        for p, first in enumerate(self.transfer.representative):
            if p != first:
                found.append(found[first])
                continue
            R, _, _ = self.arrivals(p, mean, sd, share)
            found.append(self.transfer.rates[p](R, self.rtol * 1e-2))
        rate, error = (np.array(each) for each in zip(*found, strict=True))
        return rate, error

    def response(self, unknowns, share=1.0):
        """Means and spreads, shape (2P,), that means and spreads lead to."""
        rate, _ = self.rates(unknowns, share)
        return np.concatenate([rate.mean(1), rate.std(1)])

    def slope(self, unknowns, share):
        """The response and its derivatives, shape (2P, 2P)."""
        P, value = self.size, self.response(unknowns, share)
        columns = []
        for k in range(2 * P):
            moved = unknowns.copy()
            moved[k] += 1e-3 * max(unknowns[k % P], _NOTHING)
            columns.append((self.response(moved, share) - value) / (moved[k] - unknowns[k]))
        return value, np.array(columns).T

    def find(self, rates):
        """Means and spreads, continued from the rates of equal in-degrees; None if that fails."""
        unknowns = np.concatenate([rates, np.zeros(self.size)])
        share, step = 0.0, 1.0
        while share < 1:
            step = min(step, 1 - share)
            found = self._newton(unknowns, share + step)
            if found is not None:
                share, step, unknowns = share + step, 2 * step, found
            elif step > _SHORTEST:
                step /= 2
            else:
                return None
        self._draw(_MANY, _SETS)
        return self._newton(unknowns, 1.0)

    def _newton(self, unknowns, share):
        unknowns, P = unknowns.copy(), self.size
        if not unknowns[P:].any():
            unknowns[P:] = self.response(unknowns, share)[P:]
        left, before = None, np.inf
        for _ in range(_STEPS):
            scale = np.tile(np.maximum(unknowns[:P], _NOTHING), 2)
            gap = self.response(unknowns, share) - unknowns
            size = np.abs(gap / scale).max()
            if size <= 1e-2 * self.rtol:
                return unknowns
            if left is None or size > before / 3:
                left = np.eye(2 * P) - self.slope(unknowns, share)[1]
            before = size
            step = np.linalg.lstsq(left, gap, rcond=None)[0]
            longest = np.max(np.abs(step[:P]) / np.maximum(unknowns[:P], SILENT))
            unknowns = np.maximum(unknowns + step * min(1.0, 0.5 / max(longest, 1e-300)), 0.0)
        return None

    def errors(self, unknowns):
        """Estimated errors of means and spreads in Hz, shape (2P,): of the sample and of Φ."""
        P = self.size
        rate, error = self.rates(unknowns)
        of_sets = rate.reshape(P, self.sets, -1)
        drawn = np.concatenate([of_sets.mean(2).std(1, ddof=1), of_sets.std(2).std(1, ddof=1)])
        amplified = np.abs(np.linalg.pinv(np.eye(2 * P) - self.slope(unknowns, 1.0)[1]))
        of_rates = np.tile((rate * error).mean(1), 2)
        return amplified @ (2 * drawn / np.sqrt(self.sets) + of_rates)
