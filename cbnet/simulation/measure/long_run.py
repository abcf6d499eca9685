"""Standard errors of means over time whose values are correlated.

The variance of the mean of n values is 1/n of their spectral density at frequency zero. The
periodogram of one series shows it at the frequencies j/n, j = 1, 2, ...: each of its ordinates
scatters about it like an exponential number, independently of the others, and none of them knows
the mean that was taken off. Below half a cycle in the time over which correlations last, the
logarithm of the density is taken to be a straight line and continued to zero: the regression of
Heidelberger and Welch, by maximum likelihood. Where it falls, the line is one in
ln(1 + (π f/f_max)²), as that of correlations which decay exponentially in just this time; where it
rises, as that of a membrane's voltage, from which inhibition takes slow fluctuations away, in
ln(1 + (2 f/f_max)²): one in f² rises too late, and made the errors of mean voltages 10 % too
large. Slopes are of order one, up or down; a wide Gaussian prior says so. Without it the square of
an error scatters by 110 % with six ordinates and by 180 % with five, now by 90 % with six. Batches,
whose number and length would have to suit, are not needed.

References
----------
Heidelberger & Welch, Commun. ACM 24, 233 (1981).
"""

import math

import numpy as np

_FEWEST, _MOST = 6, 20  # ordinates of the periodogram
_STEEP = 0.25  # inverse variance of slopes: they are of order one, up or down
_LOW = 6  # ordinates of single neurons' counts that tell what they share
_COLLECTIVE = 6.0  # times Poisson's variance, from which on a network has dynamics of its own
_RISE, _SURE = 1.3, 2.0  # to the lowest frequencies; and in its standard errors
SHORTEST = 2 * _FEWEST  # times over which correlations last that a window must have


def long_enough(window, correlation_time):
    """Whether a window is long enough for an error to be known.

    Parameters
    ----------
    window, correlation_time : float
        Its length, and the time over which correlations last.
    """
    return window > SHORTEST * correlation_time * (1 - 1e-9)


def wander(counts, correlation_time):
    """Whether rates wander on their own, for how long the window cannot show.

    Parameters
    ----------
    counts : ndarray, shape (neurons, parts)
        Spikes of each neuron in equal parts of the window.
    correlation_time : float
        By membranes, synapses and delays, in parts.

    Returns
    -------
    bool

    Notes
    -----
    Of a population only the sum is seen, and the ordinates of its periodogram scatter by 100 %.
    Those of single neurons, summed, scatter by 1/√D, if the neurons fluctuate in D independent
    ways; the overlap of the neurons' Fourier coefficients at different frequencies is 1/D. N
    neurons of Fano factor F then have fluctuations of F N/D times Poisson's variance in each way
    (the mean eigenvalue of the covariance of their counts, weighted with itself). Asynchronous
    networks have 0.3 to 3, at all N, K and windows. Where it is larger the network has collective
    dynamics, as strong coupling with slow synapses makes them: its rates wander, or switch between
    states, up to a hundred times more slowly than the synapses, and a window of any length may show
    one state of several (250 neurons, τ_S = 100 ms: means over 30 s differ by twice what the
    spectrum within them says).
    """
    parts = np.shape(counts)[1]
    waves = np.fft.rfft(counts, axis=1)[:, 1 : parts // 2]
    each = np.abs(waves) ** 2
    power = each.sum(axis=0)
    if len(power) < 2 * _LOW or not np.all(power > 0):
        return False
    low = waves[:, :_LOW] / np.sqrt(power[:_LOW])
    overlap = np.abs(low.conj().T @ low) ** 2
    shared = (overlap.sum() - np.trace(overlap)) / (_LOW * (_LOW - 1))  # 1/D
    strength = each[:, :_LOW].sum(axis=1)
    active = strength.sum() ** 2 / np.sum(strength**2)  # neurons, all of them if they are alike
    factor = power[:_LOW].mean() / parts / counts.sum(axis=0).mean()
    if factor * active * shared > _COLLECTIVE:
        return True
    # what correlations of the known time make of the spectrum is no rise
    u = 2 * np.pi * np.arange(1, len(power) + 1) * correlation_time / parts
    flat = power * (1 + u**2)
    rise = flat[:2].mean() / flat[3:8].mean()
    return bool(rise > _RISE and math.log(rise) > _SURE * math.sqrt((1 / 2 + 1 / 5) * shared))


def error_of_mean(series, correlation_time=0.0):
    """Standard error of the mean of a stationary series.

    Parameters
    ----------
    series : ndarray, shape (n,)
    correlation_time : float
        Time over which correlations last, in items of the series.

    Returns
    -------
    float
        NaN if the series is shorter than twelve such times, or fluctuates more slowly still.
    """
    series = np.asarray(series, float)
    n = len(series)
    if np.ptp(series) <= 1e-12 * np.abs(series).max():
        return 0.0
    number = min(_MOST, (n - 1) // 2)
    if correlation_time > 0:
        number = min(number, int(n / (2 * correlation_time) + 1e-6))  # 0 if it is infinite
    power = np.abs(np.fft.rfft(series - series.mean())[1 : max(number, 0) + 1]) ** 2 / n
    while number >= _FEWEST:
        level, beside = _level(power[:number])
        lowest = max(2, number // 6)
        # slower fluctuations than were expected stand out at the lowest frequencies
        if beside[:lowest].sum() <= math.sqrt(lowest):
            return math.sqrt(level / _excess(number) / n)
        number = int(0.7 * number)
    return math.nan


def _excess(number):
    """Mean level of densities of five forms that are one, to 6 %: of 6 to 20 ordinates."""
    return 1 + 1.1 / number


def _level(power):
    """Density at zero, and how far the ordinates are beside the line, relative to it."""
    u = np.arange(1, len(power) + 1) / len(power)
    level, slope, beside = _line(power, np.log1p((np.pi * u) ** 2))
    if slope > 0:
        level, _, beside = _line(power, np.log1p((2 * u) ** 2))
    return level, beside


def _line(power, x):
    """exp(a + b x) through exponential numbers: value at x = 0, b, relative deviations."""
    mean = power.mean()
    if mean == 0:
        return 0.0, 0.0, np.zeros(len(x))
    design, prior = np.stack([np.ones(len(x)), x]), np.array([0.0, _STEEP])
    solve = np.linalg.inv(design @ design.T + np.diag(prior))
    found, relative = np.zeros(2), power / mean
    for _ in range(60):
        beside = relative / np.exp(np.clip(found @ design, -600, 600)) - 1
        step = solve @ (design @ beside - prior * found)
        most = np.abs(step).max()
        found = found + step * min(1.0, 2 / most if most > 0 else 1.0)
        if most < 1e-6:
            break
    return float(mean * math.exp(min(found[0], 600))), float(found[1]), beside
