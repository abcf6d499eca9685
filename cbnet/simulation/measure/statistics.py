"""What a simulation says: rates, synchrony, voltage, currents, with standard errors.

Standard errors are those over noise in the one graph that was simulated. They come from what the
neurons did together in the course of time (:mod:`cbnet.simulation.measure.long_run`), so that
correlations between neurons count, and differences between neurons, which no other noise would
change, do not.

In go the sums of :class:`cbnet.simulation.measure.online.Accumulated`, out come numbers in their
units (SI). The tests hold them against elephant, which works on spike trains one by one.
"""

from dataclasses import dataclass

import numpy as np

from .long_run import error_of_mean
from .online import BLOCKS


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error.

    Attributes
    ----------
    value, sem : float
        NaN where undefined.
    """

    value: float
    sem: float


def rate(counts, spacing, size, spikes, window, correlation_time=0.0):
    """Mean firing rate of a population.

    Parameters
    ----------
    counts : ndarray of int
        Spikes of all its neurons in bins of time.
    spacing : float
        Length of a bin in s.
    size : int
        Its neurons.
    spikes : int
        All spikes of the window, those after the last bin among them.
    window : float
        Its length in s.
    correlation_time : float
        Time over which correlations last in s.

    Returns
    -------
    Estimate
        In Hz. The error is at least one spike over the time and neurons seen.
    """
    error = error_of_mean(counts, correlation_time / spacing) / (size * spacing)
    return Estimate(float(spikes / (size * window)), max(error, 1 / (size * window)))


def fano(counts, correlation_time=0.0):
    """Variance over mean of the population's spike count in bins of 1 ms.

    Parameters
    ----------
    counts : ndarray of int
        Spikes of all neurons in each bin.
    correlation_time : float
        Time over which correlations last, in bins.

    Returns
    -------
    Estimate
        One for independent Poisson neurons; large when neurons fire together. NaN for fewer than
        twenty bins.
    """
    counts = np.asarray(counts, float)
    if counts.sum() == 0 or len(counts) < 2 * BLOCKS:
        return Estimate(np.nan, np.nan)
    mean = counts.mean()
    value = float(counts.var(ddof=1) / mean)
    # what each bin moves a ratio of two means by
    return Estimate(
        value, error_of_mean(((counts - mean) ** 2 - value * counts) / mean, correlation_time)
    )


def mean_and_sd(sums, reference=0.0, correlation_time=0.0):
    """Mean and standard deviation of a voltage or a current, over time and neurons.

    Parameters
    ----------
    sums : ndarray, shape (pieces, 3)
        Number, sum and sum of squares about `reference` in equal pieces of time.
    reference : float
        In the unit of the result.
    correlation_time : float
        Time over which correlations last, in pieces.

    Returns
    -------
    mean, sd : Estimate
        NaN if there is no value at all.
    """
    n, first, second = np.transpose(sums)
    if not n.any():
        return Estimate(np.nan, np.nan), Estimate(np.nan, np.nan)
    offset = first.sum() / n.sum()
    about_mean = second - 2 * offset * first + offset**2 * n
    variance = max(float(about_mean.sum() / n.sum()), 0.0)
    mean = error_of_mean((first - offset * n) / n.mean(), correlation_time)
    squares = error_of_mean((about_mean - variance * n) / n.mean(), correlation_time)
    sd = np.sqrt(variance)
    of_sd = float(squares / (2 * sd)) if sd > 0 else 0.0
    return Estimate(float(reference + offset), mean), Estimate(float(sd), of_sd)


def density(histogram, low, high):
    """Density of the membrane potential, refractory time excluded.

    Parameters
    ----------
    histogram : ndarray of int, shape (bins + 2,)
        Values below `low`, in bins between, and at or above `high`.
    low, high : float
        In V.

    Returns
    -------
    centres, density : ndarray, shape (bins,)
        In V and 1/V; the density integrates to one less the share outside.
    outside : float
        Share of values outside of the range. NaN, as the density, if there are none at all.
    """
    edges = np.linspace(low, high, len(histogram) - 1)
    centres, total = (edges[1:] + edges[:-1]) / 2, np.sum(histogram)
    if total == 0:
        return centres, np.full(len(centres), np.nan), np.nan
    inside = np.asarray(histogram[1:-1], float)
    outside = float((histogram[0] + histogram[-1]) / total)
    return centres, inside / (total * (edges[1] - edges[0])), outside
