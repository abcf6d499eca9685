"""What a simulation says: rates, irregularity, synchrony, voltage, currents, with standard errors.

Standard errors come from batch means: the measured time is cut into ten blocks, and the spread of a
statistic over the blocks gives its error. This counts correlations between neurons, which the
spread over neurons would not. Only the CV, for which a block is too short, has that of the neurons.

Arrays in, numbers out, in SI units. The functions are vectorised over neurons; the tests hold
them against elephant, which works neuron by neuron.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

BLOCKS = 10
FEWEST_INTERVALS = 10


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


def _from_blocks(blocks, value=None):
    """Mean of block values (or a value given) and its standard error."""
    blocks = np.asarray(blocks, float)
    blocks = blocks[np.isfinite(blocks)]
    if len(blocks) < 2:
        return Estimate(np.nan if value is None else value, np.nan)
    mean = blocks.mean() if value is None else value
    return Estimate(float(mean), float(blocks.std(ddof=1) / np.sqrt(len(blocks))))


def rate(times, size, start, stop):
    """Mean firing rate of a population.

    Parameters
    ----------
    times : ndarray
        All its spike times, in s.
    size : int
        Its neurons.
    start, stop : float
        Measured time.

    Returns
    -------
    Estimate
        In Hz. The error of a silent population is one spike over the time and neurons seen.
    """
    counts, _ = np.histogram(times, np.linspace(start, stop, BLOCKS + 1))
    seen = size * (stop - start)
    found = _from_blocks(counts * BLOCKS / seen)
    return Estimate(found.value, max(found.sem, 1 / seen))


def drift(times, start, stop):
    """Whether a population's rate changed between the halves of the measured time.

    Returns
    -------
    first, second : Estimate
        Spikes a second in each half.
    differ : bool
        Whether a t test over the blocks tells them apart (p < 0.001).
    """
    counts, _ = np.histogram(times, np.linspace(start, stop, BLOCKS + 1))
    per_second = counts * BLOCKS / (stop - start)
    halves = per_second[: BLOCKS // 2], per_second[BLOCKS // 2 :]
    if all(half.std() == 0 for half in halves):
        differ = bool(halves[0].mean() != halves[1].mean())
    else:
        differ = bool(stats.ttest_ind(*halves, equal_var=False).pvalue < 1e-3)
    first, second = map(_from_blocks, halves)
    return first, second, differ


def isi_cv(indices, times, duration):
    """Coefficient of variation of inter-spike intervals, averaged over neurons.

    Parameters
    ----------
    indices, times : ndarray
        Neuron and time in s of every spike.
    duration : float
        Measured time in s.

    Returns
    -------
    Estimate
        Mean over the neurons with at least ten intervals, and the error from their spread.
    count : int
        How many neurons that are.

    Notes
    -----
    A window of length T shows an interval x with a weight T − x, and the CV of n intervals is low
    by a share of order 1/n: together 10 % for twenty spikes. Intervals are therefore weighted by
    1/(T − x), and the CV of each neuron is jackknifed.
    """
    order = np.lexsort((times, indices))
    neurons, times = indices[order], times[order]
    same = neurons[1:] == neurons[:-1]
    intervals, owners = np.diff(times)[same], neurons[1:][same]
    n = np.bincount(owners)
    eligible = n >= FEWEST_INTERVALS
    kept = eligible[owners]
    intervals, owners = intervals[kept], owners[kept]
    weights = 1 / (duration - intervals)
    moments = np.stack([weights * intervals**power for power in range(3)])
    sums = np.stack([np.bincount(owners, m, minlength=len(n)) for m in moments])

    def cv(zeroth, first, second):
        variance = second / zeroth - (first / zeroth) ** 2
        return np.sqrt(np.maximum(variance, 0)) / (first / zeroth)

    without_one = cv(*(sums[:, owners] - moments))
    mean_without = np.bincount(owners, without_one, minlength=len(n))[eligible] / n[eligible]
    found = n[eligible] * cv(*sums[:, eligible]) - (n[eligible] - 1) * mean_without
    return _from_blocks(found), len(found)


def fano(times, start, stop, width=1e-3):
    """Variance over mean of the population's spike count in bins of 1 ms.

    Returns
    -------
    Estimate
        One for independent Poisson neurons; large when neurons fire together.
    """
    bins = int(round((stop - start) / width))
    counts, _ = np.histogram(times, start + width * np.arange(bins + 1))
    if counts.sum() == 0 or bins < 2 * BLOCKS:
        return Estimate(np.nan, np.nan)
    parts = np.array_split(counts, BLOCKS)
    value = counts.var(ddof=1) / counts.mean()
    # a block's variance about the common mean: about its own it would miss slow fluctuations
    blocks = [np.mean((part - counts.mean()) ** 2) / counts.mean() for part in parts]
    return _from_blocks(blocks, value)


def voltage(v, active):
    """Mean and standard deviation of the membrane potential, refractory time excluded.

    Parameters
    ----------
    v : ndarray, shape (T, M)
        Membrane potential of M neurons at T times, in V.
    active : ndarray of bool, shape (T, M)
        False while refractory.

    Returns
    -------
    mean, sd : Estimate
        In V; the spread is over time and neurons.
    """
    weight = np.where(active, 1.0, 0.0)
    reference = v[active].mean() if active.any() else np.nan
    sums = [
        [part.sum() for part in np.array_split(weight * (v - reference) ** power, BLOCKS)]
        for power in (0, 1, 2)
    ]
    n, first, second = map(np.asarray, sums)
    if np.any(n == 0):
        return Estimate(np.nan, np.nan), Estimate(np.nan, np.nan)
    variance = second.sum() / n.sum()
    mean = _from_blocks(reference + first / n, reference)
    squares = _from_blocks(second / n, variance)
    sd = np.sqrt(variance)
    return mean, Estimate(float(sd), float(squares.sem / (2 * sd)) if sd > 0 else 0.0)


def density(v, active, bins=100):
    """Histogram of the membrane potential, refractory time excluded.

    Returns
    -------
    centres, density : ndarray, shape (bins,)
        In V and 1/V; the density integrates to one.
    """
    seen = v[active]
    if seen.size == 0 or np.ptp(seen) == 0:
        return np.full(bins, np.nan), np.full(bins, np.nan)
    heights, edges = np.histogram(seen, bins, density=True)
    return (edges[1:] + edges[:-1]) / 2, heights


def current(values, active, dt, width=1e-3):
    """Mean and standard deviation of an input current in bins of 1 ms.

    Parameters
    ----------
    values : ndarray, shape (T, M)
        Current into M neurons in every step, in V/s.
    active : ndarray of bool, shape (T, M)
        False while refractory: such bins are left out.
    dt, width : float
        Step and bin, in s.

    Returns
    -------
    mean, sd : Estimate
        In V/s.
    """
    steps = max(1, int(round(width / dt)))
    bins = len(values) // steps
    shape = (bins, steps, values.shape[1])
    means = values[: bins * steps].reshape(shape).mean(axis=1)
    whole = active[: bins * steps].reshape(shape).all(axis=1)
    return voltage(means, whole)
