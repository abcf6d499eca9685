"""Synaptic time constants within which few inputs arrive: between finite jumps and a grid.

The law of the synapses is then too jagged for a grid. For vanishing time constants at a fixed
ratio to the refractory time the answer is that of finite jumps, which is exact; for longer ones a
grid serves. In between every statistic moves from one to the other, as x^p in x, the time constant
over the longer one, where p is about one (single arrivals) or one half (many).
"""

from dataclasses import replace

import numpy as np

from ..jumps import jump_process, shot_noise

# What p may be: of the logarithms of mean and sd of times, and of mean and sd of v, which need not
# be monotone.
_SLOWEST, _FASTEST = np.full(4, 0.4), np.array([1.2, 2.0, 2.5, 2.5])
_MARGIN = 0.05
_LONG = 8.0  # time constants after which a current is gone
_FACTORS = 2.0 ** np.arange(1, 11)


def vanishing(membrane):
    """Statistics for time constants that tend to zero, and their errors.

    What is left of an arrival that made a spike goes on into the next interval: e^(−τ_rp/τ) of it
    at most, which the errors cover.

    Returns
    -------
    ndarray, shape (4,)
        Logarithm of the mean and of the sd of the time from reset to threshold; mean and sd of v.
    ndarray, shape (4,)
        Errors; infinite if it does not fire.
    """
    process = jump_process.of_membrane(membrane)
    found, error = _of_jumps(process)
    left = np.exp(-membrane.tau_rp / max(membrane.taus))
    if left < np.exp(-_LONG):
        return found, error
    raised = membrane.reset + left * max(float(process.up(np.array([membrane.reset]))[0]), 0.0)
    if not raised < membrane.threshold:
        return found, np.full(4, np.inf)
    other, more = _of_jumps(replace(process, reset=raised))
    return (found + other) / 2, np.maximum(error, more) + np.abs(other - found) / 2


def _of_jumps(process):
    values, error, _ = shot_noise.one_neuron(process, shot_noise.RTOL, True, True)
    return _times(*values, process.tau_rp), error * _scales(values, process)


def _times(rate, cv, v_mean, v_sd, tau_rp):
    if not (rate > 0 and cv > 0 and 1 / rate > tau_rp):
        return np.full(4, np.nan)
    return np.array([np.log(1 / rate - tau_rp), np.log(cv / rate), v_mean, v_sd])


def _scales(values, process):
    rate, cv, _, v_sd = values
    width = process.threshold - process.reset
    return np.array([1 / (1 - rate * process.tau_rp), 1.0, width, max(v_sd, 1e-3 * width)])


def between(membrane, longest, rtol, solve):
    """The answer between vanishing time constants and those for which a grid serves.

    Parameters
    ----------
    membrane : Membrane
    longest : float
        Time constant up to which to look for such a grid.
    rtol : float
        Accuracy that is aimed at.
    solve : callable
        ``membrane -> (rate, cv, v_mean, v_sd, error)`` on a grid.

    Returns
    -------
    tuple of float, or None
        rate, CV, mean and sd of v, error: the best that was found.
    """
    zero = vanishing(membrane)
    best, before = None, None
    for factor in _FACTORS:
        if factor * max(membrane.taus) > longest:
            break
        # the same ratio to the time constants, as far as it matters
        taus = tuple(factor * tau for tau in membrane.taus)
        ratio = min(membrane.tau_rp / max(membrane.taus), _LONG)
        other = replace(membrane, taus=taus, tau_rp=max(membrane.tau_rp, ratio * max(taus)))
        *values, error = solve(other)
        far = _times(*values, other.tau_rp), error * _scales(values, other)
        found = [_joined(membrane, zero, far, _SLOWEST, 1 / factor)]
        if before is not None:
            slowest = _slowest(zero, before, far)
            found.append(_joined(membrane, zero, before, slowest, 2 / factor))
        best = min((x for x in (*found, best) if x is not None), key=lambda x: x[-1], default=None)
        if best is not None and best[-1] <= rtol:
            break
        before = far
    return best


def _slowest(zero, near, far):
    """The least power for the times, from two time constants of which one is twice the other.

    The fewer arrive within them the closer the power is to one.
    """
    move, further = np.abs(near[0] - zero[0]), np.abs(far[0] - zero[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.log2((further - far[1]) / (move + near[1] + zero[1])) - _MARGIN
    power = np.where(np.isfinite(power), power, 0.0)
    power[2:] = 0.0
    return np.clip(power, _SLOWEST, 1.0)


def _joined(membrane, zero, far, low, x):
    """Halfway between the two powers, with half their difference as error; None if unknown."""
    if not np.all(np.isfinite([*zero, *far])):
        return None
    weight, apart = (x**low + x**_FASTEST) / 2, (x**low - x**_FASTEST) / 2
    found = zero[0] + weight * (far[0] - zero[0])
    error = apart * np.abs(far[0] - zero[0]) + (1 - weight) * zero[1] + weight * far[1]
    period = membrane.tau_rp + np.exp(found[0])
    width = membrane.threshold - membrane.reset
    share, cv = np.exp(found[0]) / period, np.exp(found[1]) / period
    relative = [
        error[0] * share,
        (error[1] + error[0] * share) * cv / max(cv, 0.1),
        error[2] / width,
        error[3] / max(found[3], 1e-3 * width),
    ]
    return 1 / period, cv, found[2], found[3], float(max(relative))
