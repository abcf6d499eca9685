"""Values of parameters at which populations fire at rates that are given."""

import numpy as np

_STEP, _WIDEST = 1.5, 1e4  # factors by which a value is changed, and is changed at most
_NUDGE = 1.05
_FELT = 1e-9  # of ln Φ: what changes less is not felt
_STEPS = 30
_MOST, _FAR = 200, 5.0


class NoValue(Exception):
    """No value gives the rate; `low` and `high` are the lowest and highest rate seen."""

    def __init__(self, low, high):
        super().__init__(low, high)
        self.low, self.high = low, high


def value_for_rate(rate_of, target, start, rtol):
    """The value, nearest in ratio to a start, at which a rate is what it should be.

    Parameters
    ----------
    rate_of : callable
        Rate in Hz at a value.
    target : float
        In Hz.
    start : float
        Positive.
    rtol : float
        Relative accuracy of the rate.

    Returns
    -------
    float

    Raises
    ------
    NoValue
        If no value from zero to 10⁴ times the start does.
    """
    seen = {start: rate_of(start)}

    def excess(value):
        if value not in seen:
            seen[value] = rate_of(value)
        return np.log(max(seen[value], 1e-300) / target)

    if abs(excess(start)) <= rtol:
        return start
    low = high = start
    while high < start * _WIDEST:
        for end, new in ((high, high * _STEP), (low, low / _STEP)):
            if excess(end) * excess(new) <= 0:
                return _between(excess, *sorted((end, new)), rtol)
        low, high = low / _STEP, high * _STEP
    if excess(0.0) * excess(low) <= 0:
        return _between(excess, 0.0, low, rtol)
    raise NoValue(min(seen.values()), max(seen.values()))


def _between(excess, low, high, rtol):
    """A zero of a function that changes sign, by false position with halved weights (Illinois)."""
    f_low, f_high = excess(low), excess(high)
    for _ in range(_MOST):
        # ln 0 is no slope
        weight = np.clip(f_low / (f_low - f_high), 0.01, 0.99)
        value = low + (high - low) * (0.5 if max(abs(f_low), abs(f_high)) > _FAR else weight)
        f = excess(value)
        if abs(f) <= rtol or high - low <= 1e-15 * high:
            break
        if (f > 0) == (f_high > 0):
            high, f_high, f_low = value, f, f_low / 2
        else:
            low, f_low, f_high = value, f, f_high / 2
    return float(value)


def felt_by(rates_of, values):
    """Which populations' rates depend on which value.

    Parameters
    ----------
    rates_of : callable
        Rates in Hz, shape (P,), at values of shape (M,).
    values : ndarray, shape (M,)

    Returns
    -------
    ndarray of bool, shape (P, M)
    """
    base = np.log(np.maximum(rates_of(values), 1e-300))
    felt = []
    for k in range(len(values)):
        moved = values.copy()
        moved[k] *= _NUDGE
        felt.append(np.abs(np.log(np.maximum(rates_of(moved), 1e-300)) - base) > _FELT)
    return np.array(felt).T


def values_for_rates(rates_of, targets, start, rtol):
    """Values at which all rates are what they should be, by Newton's method in logarithms.

    Parameters
    ----------
    rates_of : callable
        Rates in Hz, shape (P,), at values of shape (P,).
    targets, start : ndarray, shape (P,)
    rtol : float

    Returns
    -------
    ndarray, shape (P,), or None
        None where the method does not end.
    """
    x, goal = np.log(start), np.log(targets)

    def excess(x):
        return np.log(np.maximum(rates_of(np.exp(x)), 1e-300)) - goal

    f = excess(x)
    for _ in range(_STEPS):
        if np.abs(f).max() <= rtol:
            return np.exp(x)
        h = 1e-5
        slope = np.array([(excess(x + h * e) - f) / h for e in np.eye(x.size)]).T
        if not np.isfinite(slope).all() or np.linalg.matrix_rank(slope) < x.size:
            return None
        step = np.clip(-np.linalg.solve(slope, f), -1.0, 1.0)
        for _ in range(8):
            new = excess(x + step)
            if np.abs(new).max() < np.abs(f).max():
                break
            step /= 2
        else:
            return None
        x, f = x + step, new
    return None
