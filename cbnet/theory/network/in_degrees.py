"""Neurons with unequal in-degrees, drawn evenly rather than at random."""

import numpy as np
from scipy.special import bdtr, ndtr, ndtri, pdtr

_LARGEST_TABLE = 10_000_000  # in-degrees above it are Gaussian to one part in a thousand
_REACH = 12.0  # standard deviations of a binomial law that are listed
# The first dimension: how much wider than normal it is drawn, and how far.
_WIDER, _FARTHEST = 2.0, 7.0


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
    typical : tuple of float
        Roughly the rates of E, external and I inputs (Hz): they decide what is drawn most evenly,
        and have no influence on the law.
    log2_points, sets : int
        ``sets`` sets of ``2**log2_points`` neurons: what differs between the sets is the error.

    Attributes
    ----------
    k_E, k_X, k_I : ndarray, shape (sets * 2**log2_points,)
        In-degrees, real numbers.
    weights : ndarray
        Of every neuron, 1 on average: what they stand for is not equal.
    sets : int

    Notes
    -----
    A neuron is a point of a Sobol sequence in six dimensions, scrambled anew in each set and taken
    to six standard normal numbers: a common factor c, one ξ for each in-degree, and z_E, z_I for
    what the partners do. They are rotated so that the first two dimensions, the most even ones, are
    those in which the total input varies most. The first is drawn twice as wide as normal, with
    weights that make up for it: in a network near silence only rare neurons fire. An
    in-degree has the normal score g = √ρ c + √(1 − ρ) ξ, and is K max(1 + CV_K g, 0), or the
    binomial number (a Poisson number if the size of the population is unknown or the input is
    external) at the probability of g.
    """

    def __init__(self, values, law, cv, correlation, sizes, typical, log2_points, sets):
        self.sets, self.sizes = sets, sizes
        K, K_I = values["K"], values["gamma"] * values["K"]
        means = {"E": K, "X": K, "I": K_I}
        possible = {"E": sizes[0], "X": np.inf, "I": sizes[1]}
        rotation = _rotation(means, law, cv, correlation, typical)
        drawn, self.weights = _normal(len(rotation), log2_points, sets)
        z = rotation @ drawn
        own = np.sqrt(1 - correlation) * z[1:4]
        scores = dict(zip(means, np.sqrt(correlation) * z[0] + own, strict=True))
        self.mean_E, self.mean_X, self.mean_I = means.values()
        self.k_E, self.k_X, self.k_I = (
            _in_degree(law, mean, cv, possible[p], scores[p]) for p, mean in means.items()
        )
        self._z = z[4], z[5]

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
        return x.reshape(self.sets, -1)


def _normal(dimensions, log2_points, sets):
    """Normal numbers, spread evenly, shape (dimensions, sets * 2**log2_points), and weights.

    With the weights their law is the standard normal one.
    """
    from scipy.stats.qmc import Sobol  # takes a second to import

    points = np.concatenate(
        [Sobol(dimensions, scramble=True, seed=k).random_base2(log2_points) for k in range(sets)]
    )
    least = ndtr(-_FARTHEST / _WIDER)
    points[:, 0] = least + (1 - 2 * least) * points[:, 0]
    z = ndtri(np.clip(points.T, 1e-15, 1 - 1e-15))
    weights = np.exp(-(_WIDER**2 - 1) / 2 * z[0] ** 2)
    z[0] *= _WIDER
    return z, weights / weights.mean()


def _rotation(means, law, cv, correlation, typical):
    """An orthogonal matrix from the dimensions that are drawn to (c, ξ_E, ξ_X, ξ_I, z_E, z_I)."""
    spread = [
        rate * mean * {"fixed": 0.0, "gaussian": cv, "bernoulli": mean**-0.5}[law]
        for rate, mean in zip(typical, means.values(), strict=True)
    ]
    own, common = np.sqrt(1 - correlation), np.sqrt(correlation)
    E, X, I = spread  # noqa: E741  (the inputs' names)
    # what partners do differs about as much as their rates
    z_E, z_I = (typical[k] * means[p] ** 0.5 for k, p in ((0, "E"), (2, "I")))
    excitation = [common * (E + X), own * E, own * X, 0.0, z_E, 0.0]
    inhibition = [common * I, 0.0, 0.0, own * I, 0.0, z_I]
    return np.linalg.qr(np.column_stack([excitation, inhibition, np.eye(6)]))[0]


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
