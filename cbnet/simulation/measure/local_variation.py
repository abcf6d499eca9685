"""How irregular neighbouring intervals are: CV2 and LvR, which slow changes of a rate hardly move.

Of two successive intervals x and y, CV2 is the mean of 2|x − y|/(x + y) and LvR that of
3(1 − 4xy/(x + y)²)(1 + 4R/(x + y)), where R makes up for refractory time. Both are 1 for Poisson
trains (LvR with R = 0), 0 for regular ones.

A window of length T shows a pair of length x + y with a probability proportional to T − x − y;
weights of one over that make good that long pairs are seen less often.

References
----------
Holt, Softky, Koch & Douglas, J. Neurophysiol. 75, 1806 (1996), eq. 2 (CV2).
Shinomoto et al., PLoS Comput. Biol. 5, e1000433 (2009), eq. 3 (LvR, R = 5 ms).
"""

import math

import numpy as np

from .long_run import error_of_mean
from .online import PARTS, REFRACTORINESS, place, slices

_FEWEST = 10  # pairs that tell those of a neuron


def pair_sums(o, neurons, steps):
    """Weighted number of pairs of intervals, and sums of their terms of CV2 and LvR.

    Parameters
    ----------
    o : Observation
    neurons, steps : ndarray of int
        Of the spikes in the window, steps counted from its beginning and ascending.

    Returns
    -------
    ndarray, shape (followed, 32, 3)
    """
    order = np.argsort(neurons, kind="stable")
    neurons, steps = neurons[order], steps[order]
    third = np.flatnonzero(neurons[2:] == neurons[:-2]) + 2
    x, y = steps[third - 1] - steps[third - 2], steps[third] - steps[third - 1]
    both = np.maximum(x + y, 1).astype(float)  # two spikes of one step are no pair of intervals
    weight = o.steps / (o.steps - both)
    cv2 = 2 * np.abs(x - y) / both
    lvr = 3 * (1 - 4 * x * y / both**2) * (1 + 4 * REFRACTORINESS / (both * o.dt))
    slot = neurons[third] * PARTS + place(o.steps, steps[third], PARTS)
    sums = [np.bincount(slot, weight * term, o.N * PARTS) for term in (1.0, cv2, lvr)]
    return np.transpose(sums).reshape(o.N, PARTS, 3)[_followed(o)]


def _followed(o):
    """Indices of the neurons whose intervals are summed."""
    spans = zip(o.spans, o.followed, strict=True)
    return np.concatenate([np.arange(s.start, s.start + n) for s, n in spans])


def measured(accumulated, population, correlation_time=0.0):
    """Means over neurons of CV2 and LvR, each with its standard error, and how many neurons.

    Parameters
    ----------
    accumulated : Accumulated
    population : int
        Its index.
    correlation_time : float
        Time over which correlations last in s.

    Returns
    -------
    cv2, lvr : tuple of float
        Value and standard error over noise, of neurons with at least ten pairs; NaN without any.
    count : int
        How many neurons that are.
    """
    o = accumulated.observation
    if accumulated.local_sums is None:
        return (math.nan, math.nan), (math.nan, math.nan), 0
    mine = slices(o.followed)[population]
    sums = accumulated.local_sums[mine]
    # ten pairs take twelve spikes
    sums = sums[accumulated.spikes[_followed(o)[mine]] >= _FEWEST + 2]
    if not len(sums):
        return (math.nan, math.nan), (math.nan, math.nan), 0
    in_parts = 2 * correlation_time * PARTS / (o.steps * o.dt)
    found = [_mean_of_ratios(sums[:, :, 0], sums[:, :, k], in_parts) for k in (1, 2)]
    return *found, len(sums)


def _mean_of_ratios(numbers, terms, correlation_time):
    """Mean over neurons of terms/numbers, and what parts of time move it by."""
    n, total = numbers.sum(axis=1, keepdims=True), terms.sum(axis=1, keepdims=True)
    left = n - numbers
    with np.errstate(divide="ignore", invalid="ignore"):
        without = np.where(left > 1e-9 * n, (total - terms) / left, total / n)
    moved = (PARTS - 1) * (without.mean(axis=1, keepdims=True) - without)
    return float((total / n).mean()), error_of_mean(moved.mean(axis=0), correlation_time)
