"""Neurons with unequal in-degrees, drawn evenly rather than at random."""

import numpy as np
from scipy.special import bdtr, ndtr, ndtri, pdtr

_SPREAD = ("c", "E", "X", "I", "z_E", "z_I")  # what a neuron is drawn from
_LARGEST_TABLE = 10_000_000  # in-degrees above it are Gaussian to one part in a thousand
_REACH = 12.0  # standard deviations of a binomial law that are listed


class Sample:
    """In-degrees of many neurons of one population, and the chances that go with them.

    Parameters
    ----------
    values : dict
        Resolved parameters of the population.
    law : {"fixed", "bernoulli", "gaussian"}
        Of its in-degrees.
    cv : float
        Coefficient of variation for ``"gaussian"``.
    correlation : float
        Between any two of the in-degrees of a neuron.
    sizes : tuple of float
        E and I neurons that there are; infinite if not known.
    log2_points, shifts : int
        ``shifts`` sets of ``2**log2_points`` neurons: what differs between the sets is the error.

    Attributes
    ----------
    k_E, k_X, k_I : ndarray, shape (shifts * 2**log2_points,)
        In-degrees, real numbers.
    shifts : int

    Notes
    -----
    A neuron is a point of a Sobol sequence in six dimensions, moved by one random shift (modulo 1)
    in each set. With a common factor c and further ones of its own, all standard normal, an
    in-degree has the normal score g = √ρ c + √(1 − ρ) ξ, and is K max(1 + CV_K g, 0), or the
    binomial number (a Poisson number if the size of the population is unknown or the input is
    external) at the probability of g.
    """

    def __init__(self, values, law, cv, correlation, sizes, log2_points, shifts):
        from scipy.stats.qmc import Sobol  # takes a second to import

        self.shifts, self.sizes = shifts, sizes
        base = Sobol(len(_SPREAD), scramble=False).random_base2(log2_points)
        moved = np.random.default_rng(1).random((shifts, 1, len(_SPREAD)))
        points = (base + moved).reshape(-1, len(_SPREAD)) % 1.0
        normal = dict(zip(_SPREAD, ndtri(np.clip(points, 1e-15, 1 - 1e-15)).T, strict=True))
        common = np.sqrt(correlation) * normal["c"]
        K, gamma = values["K"], values["gamma"]
        means = {"E": K, "X": K, "I": gamma * K}
        possible = {"E": sizes[0], "X": np.inf, "I": sizes[1]}
        self.mean_E, self.mean_X, self.mean_I = means.values()
        self.k_E, self.k_X, self.k_I = (
            _in_degree(law, mean, cv, possible[p], common + np.sqrt(1 - correlation) * normal[p])
            for p, mean in means.items()
        )
        self._z = normal["z_E"], normal["z_I"]

    def arrivals(self, nu_X, rates, spreads, share=1.0):
        """Total rates of excitatory and inhibitory arrivals at every neuron, in Hz.

        Parameters
        ----------
        nu_X : float
            Of each external input.
        rates, spreads : pair of float
            Mean and standard deviation of the rates of E and of I neurons.
        share : float
            Of the deviations of in-degrees from their means: 1 for the law itself.
        """
        k_E, k_X, k_I = (
            mean + share * (k - mean)
            for mean, k in (
                (self.mean_E, self.k_E),
                (self.mean_X, self.k_X),
                (self.mean_I, self.k_I),
            )
        )
        # partners are drawn without replacement
        drawn = [
            rate * k + spread * np.sqrt(k * np.maximum(1 - k / size, 0.0)) * z
            for rate, spread, k, size, z in zip(
                rates, spreads, (k_E, k_I), self.sizes, self._z, strict=True
            )
        ]
        R_E = np.maximum(drawn[0], 0.0) + nu_X * k_X
        return R_E, np.maximum(drawn[1], 0.0)

    def by_set(self, x):
        """Something of every neuron, one row for each set."""
        return x.reshape(self.shifts, -1)


def _in_degree(law, mean, cv, possible, score):
    if law == "fixed":
        return np.full(score.shape, float(mean))
    if law == "gaussian":
        return np.minimum(np.maximum(mean * (1 + cv * score), 0.0), possible)
    p = mean / possible  # bernoulli
    sd = np.sqrt(mean * max(1 - p, 0.0))
    if mean > _LARGEST_TABLE:
        return np.maximum(mean + sd * score, 0.0)
    first = int(max(mean - _REACH * sd - 3, 0))
    last = int(min(mean + _REACH * sd + 30, possible))
    numbers = np.arange(first, last + 1)
    below = pdtr(numbers, mean) if np.isinf(possible) else bdtr(numbers, int(possible), p)
    return numbers[np.minimum(np.searchsorted(below, ndtr(score)), len(numbers) - 1)].astype(float)
