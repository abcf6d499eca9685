"""Whether a network was still changing while it was measured: the halves of the time compared."""

from dataclasses import dataclass

import numpy as np

from .online import BLOCKS, block_lengths, slices

# Difference over error that a statistic of independent Gaussian blocks exceeds with a probability
# of 7e-4: thirteen are looked at, which depend on each other, and of stationary networks fewer than
# one in a hundred is to be called changing.
LIMIT = 5.93
_FEWEST = 50  # intervals of a block that tell a CV
_LONG = 1e-3  # share of intervals longer than the transient with which early blocks see too few
_NEGLIGIBLE = 2e-3  # of a statistic's scale: what noiseless neurons still creep by is no matter


@dataclass(frozen=True)
class Drift:
    """A statistic that differs between the halves of the measured time.

    Attributes
    ----------
    name : str
    first, second : float
        Its values in the halves, in `unit`.
    unit : str
    t : float
        Their difference over its standard error.
    """

    name: str
    first: float
    second: float
    unit: str
    t: float

    def __str__(self):
        unit = f" {self.unit}" * (self.unit != "1")
        change = f"{self.first:.4g} to {self.second:.4g}{unit}"
        return f"{self.name} {change} ({abs(self.t):.1f} standard errors)"


def drifts(accumulated, slowest=0.0):
    """Statistics that differ between the halves of the measured time.

    Parameters
    ----------
    accumulated : cbnet.simulation.measure.online.Accumulated
    slowest : float
        The slowest time constant of the model, s: blocks of time shorter than it are correlated.

    Returns
    -------
    list of Drift
        Those that differ most first.

    Notes
    -----
    Each of the ten blocks of time gives a value; the differences of neighbours within a half give
    the error, for which a slow change counts little. Where x = L/τ, L the length of a block and τ
    the slowest time constant, the mean of an exponentially correlated process over a block varies
    as f(x) = 2(x − 1 + e^−x)/x², and what the differences miss of the variance of a half's mean is
    made good by the factor (5/2) f(5x)/(f(x) − f(2x)), which is 1 where blocks are independent.

    A CV is that of all intervals that end in a block. It is left out where blocks have fewer than
    50 intervals, and where more than one in a thousand intervals is longer than the transient: such
    ones cannot end in the first blocks.
    """
    seen = accumulated.observation
    seconds = block_lengths(seen.steps) * seen.dt
    inflation = _inflation(seconds.mean() / slowest) if slowest > 0 else 1.0
    found = []
    for name, unit, values, scale, least in _blocks(accumulated, seconds):
        if len(values) != BLOCKS or not np.isfinite(values).all():
            continue
        halves = np.reshape(values, (2, BLOCKS // 2))
        first, second = halves.mean(axis=1)
        variance = max(np.mean(np.diff(halves, axis=1) ** 2) / 2, least)
        error = np.sqrt(2 * variance / (BLOCKS // 2) * inflation)
        change = second - first
        if abs(change) > max(LIMIT * error, _NEGLIGIBLE * scale):
            t = change / error if error > 0 else np.inf
            found.append(Drift(name, float(first), float(second), unit, float(t)))
    return sorted(found, key=lambda one: -abs(one.t))


def _inflation(x):
    def f(x):
        return 2 * (x - 1 + np.exp(-x)) / x**2

    x = max(x, 1e-3)
    return 2.5 * f(5 * x) / (f(x) - f(2 * x))


def _blocks(accumulated, seconds):
    """Name, unit, values by block, scale, and least variance of every statistic."""
    seen = accumulated.observation
    for name, size, spikes in zip(seen.names, seen.sizes, accumulated.block_spikes, strict=True):
        values = spikes / (seconds * max(size, 1))
        # of few spikes the spread over five blocks may be nothing by chance
        least = values.mean() / (seconds.mean() * max(size, 1))
        yield f"rate_{name}", "Hz", values, values.mean(), least
    for p in seen.seen:
        yield from _of_population(accumulated, p, f"_{seen.names[p]}" * (len(seen.seen) > 1))
    yield from _irregularity(accumulated)


def _of_population(accumulated, p, ending):
    """Those of membranes, and the Fano factor."""
    seen = accumulated.observation
    mean, squares, offset = _moments(accumulated.voltage_sums[p])
    mean, sd = (seen.reference[p] + mean) * 1e3, np.sqrt(squares) * 1e3
    width = (seen.high[p] - seen.reference[p]) * 1e3
    yield f"V_mean{ending}", "mV", mean, width, 0.0
    yield f"V_sd{ending}", "mV", sd, width, 0.0
    for name, sums in zip(seen.inputs, accumulated.current_sums[p], strict=True):
        mean, squares, offset = _moments(sums)
        scale = np.hypot(offset, np.sqrt(np.mean(squares)))
        yield f"current_mean{ending} {name}", "mV/ms", mean, scale, 0.0
        yield f"current_sd{ending} {name}", "mV/ms", np.sqrt(squares), scale, 0.0
    counts = np.asarray(accumulated.counts[p], float)
    if len(counts) >= 2 * BLOCKS and counts.any():
        pieces = np.array_split(counts, BLOCKS)
        values = [np.mean((one - counts.mean()) ** 2) / counts.mean() for one in pieces]
        yield f"fano_1ms{ending}", "1", np.array(values), np.mean(values), 0.0


def _irregularity(accumulated):
    """The CVs, where every block sees intervals of all lengths."""
    seen = accumulated.observation
    sums, histograms = accumulated.interval_sums, accumulated.interval_histogram
    edges = (1 + np.arange(histograms.shape[1])) * seen.longest_interval / histograms.shape[1]
    for name, rows, histogram in zip(seen.names, slices(seen.followed), histograms, strict=True):
        parts = np.array_split(sums[rows].sum(axis=0), BLOCKS)
        n, first, second = np.transpose([part.sum(axis=0) for part in parts])
        if (
            n.min() >= _FEWEST
            and histogram[edges > seen.first_step].sum() <= _LONG * histogram.sum()
        ):
            values = np.sqrt(np.maximum(second * n / first**2 - 1, 0))
            yield f"cv_{name}", "1", values, values.mean(), 0.0


def _moments(sums):
    """Mean and variance about the common mean of each block, and the common mean."""
    blocks = [part.sum(axis=0) for part in np.array_split(np.asarray(sums, float), BLOCKS)]
    n, first, second = np.transpose(blocks)
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = first.sum() / n.sum()
        return first / n, np.maximum(second / n - 2 * offset * first / n + offset**2, 0), offset
