"""From numbers and their errors to a verdict. Nothing here knows what the numbers are of."""

import math
from dataclasses import dataclass

import numpy as np

SUPPORTED = "supported"
NOT_SUPPORTED = "not supported"
UNDECIDED = "undecided at this size"
SIGMAS = 3.0


@dataclass(frozen=True)
class Number:
    """A number with its standard error (0: exact, or of theory)."""

    value: float
    sem: float = 0.0

    @property
    def known(self):
        """Whether both are finite."""
        return math.isfinite(self.value) and math.isfinite(self.sem)


def at_most(number, bound):
    """Whether a number is at most `bound`, to three standard errors."""
    if not number.known:
        return UNDECIDED
    if number.value + SIGMAS * number.sem <= bound:
        return SUPPORTED
    return NOT_SUPPORTED if number.value - SIGMAS * number.sem > bound else UNDECIDED


def at_least(number, bound):
    """Whether a number is at least `bound`, to three standard errors."""
    return at_most(Number(-number.value, number.sem), -bound)


def between(number, low, high):
    """Whether a number is in an interval, to three standard errors."""
    return every(at_least(number, low), at_most(number, high))


def agree(one, other, tolerance=0.0):
    """Whether two numbers are the same within three standard errors and a tolerance.

    Standard errors so large that they would hide a difference as large as either number itself
    decide nothing.
    """
    if not (one.known and other.known):
        return UNDECIDED
    error = SIGMAS * math.hypot(one.sem, other.sem)
    apart = abs(one.value - other.value)
    if apart > error + tolerance:
        return NOT_SUPPORTED
    if error > max(abs(one.value), abs(other.value), tolerance):
        return UNDECIDED
    return SUPPORTED


def every(*verdicts):
    """Supported if all are; one that is not decides."""
    if NOT_SUPPORTED in verdicts:
        return NOT_SUPPORTED
    return UNDECIDED if UNDECIDED in verdicts or not verdicts else SUPPORTED


def exponent(x, y, sem=None):
    """The exponent of a power law y ~ x^n, weighted by errors, with the error they leave.

    Parameters
    ----------
    x, y : array_like
        Of at least two points; values that are not positive and finite are left out.
    sem : array_like, optional
        Standard errors of y; without, the fit is unweighted and its error 0. Where one of a point
        that counts is not known, the exponent's is not.

    Returns
    -------
    Number
        NaN with fewer than two points left.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    good = (x > 0) & (y > 0) & np.isfinite(x) & np.isfinite(y)
    if good.sum() < 2:
        return Number(math.nan, math.nan)
    u, v = np.log(x[good]), np.log(y[good])
    exact = sem is None
    errors = np.ones_like(u) if exact else np.asarray(sem, float)[good] / y[good]
    known = exact or np.all(errors > 0)  # that of no point is nothing, and NaN compares as false
    weights = 1 / errors**2 if known else np.ones_like(u)
    center = np.average(u, weights=weights)
    spread = np.sum(weights * (u - center) ** 2)
    slope = np.sum(weights * (u - center) * v) / spread
    error = 0.0 if exact else float(1 / np.sqrt(spread)) if known else math.nan
    return Number(float(slope), error)


def crossing(x, y, level, sem=None):
    """Where a rising line through points first reaches a level, with its error.

    Parameters
    ----------
    x, y : array_like
    level : float
    sem : array_like, optional
        Standard errors of y.

    Returns
    -------
    Number
        NaN if the level is not reached.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    sem = np.zeros_like(y) if sem is None else np.asarray(sem, float)
    good = np.isfinite(y)
    x, y, sem = x[good], y[good], sem[good]
    for i in range(1, len(x)):
        if y[i - 1] < level <= y[i]:
            share = (level - y[i - 1]) / (y[i] - y[i - 1])
            slope = (y[i] - y[i - 1]) / (x[i] - x[i - 1])
            error = math.hypot((1 - share) * sem[i - 1], share * sem[i]) / slope
            return Number(float(x[i - 1] + share * (x[i] - x[i - 1])), float(error))
    return Number(math.nan, math.nan)


def ratio(one, other):
    """one/other with its error; NaN where the denominator is zero."""
    if not other.value:
        return Number(math.nan, math.nan)
    value = one.value / other.value
    relative = math.hypot(one.sem / one.value if one.value else 0.0, other.sem / abs(other.value))
    return Number(value, abs(value) * relative if one.value else one.sem / abs(other.value))
