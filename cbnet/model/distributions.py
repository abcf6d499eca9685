"""Laws of efficacies, delays and other values that differ from one to the next.

A law is given with units, or as plain numbers where the value has none; its fields are floats in SI
units. An array of means is for :func:`cbnet.matrix`, which takes it apart.
"""

import functools
import math
from dataclasses import dataclass, field

import numpy as np

from .law import QUANTILE, Law
from .normal import Normal

__all__ = ["Exponential", "Law", "Listed", "LogNormal", "Normal", "Uniform"]


@dataclass(frozen=True, init=False, repr=False)
class Uniform(Law):
    """Uniform between `low` and `high`.

    Parameters
    ----------
    low, high : Quantity, float or str

    Examples
    --------
    >>> from cbnet import Uniform
    >>> Uniform("1 ms", "3 ms").mean
    0.002
    """

    low: object
    high: object

    def __init__(self, low, high):
        self._fill(low=low, high=high)

    def _check(self):
        if self.low > self.high:
            self._refuse("low", f"at most high, {self.high:g}")

    @property
    def mean(self):
        """Mean, SI."""
        return (self.low + self.high) / 2

    @property
    def sd(self):
        """Standard deviation, SI."""
        return (self.high - self.low) / 12**0.5

    @property
    def shortest(self):
        """No value is less."""
        return self.low

    @property
    def longest(self):
        """No value is more."""
        return self.high

    def draw(self, rng, shape):
        """Values of this law."""
        return rng.uniform(self.low, self.high, shape)

    def laplace(self, lam):
        """⟨e^(−λx)⟩ = e^(−λ low) (1 − e^(−λΔ))/(λΔ), Δ = high − low."""
        lam = np.asarray(lam, complex)
        x = lam * (self.high - self.low)
        small = np.abs(x) < 1e-6
        safe = np.where(small, 1, x)
        return np.exp(-lam * self.low) * np.where(small, 1 - x / 2, -np.expm1(-safe) / safe)


@dataclass(frozen=True, init=False, repr=False)
class LogNormal(Law):
    """Log-normal, by the mean and the coefficient of variation of the values themselves.

    Parameters
    ----------
    mean : Quantity, float or str
        Above 0.
    cv : float
    """

    mean: object
    cv: object

    def __init__(self, mean, cv):
        self._fill(mean=mean, cv=cv)

    def _check(self):
        if not self.mean > 0:
            self._refuse("mean", "it above 0")
        if not self.cv >= 0:
            self._refuse("cv", "at least 0")

    @property
    def _log(self):
        """Mean and standard deviation of the logarithm."""
        variance = math.log1p(self.cv**2)
        return math.log(self.mean) - variance / 2, variance**0.5

    @property
    def sd(self):
        """Standard deviation, SI."""
        return self.mean * self.cv

    @property
    def shortest(self):
        """What one value in 10⁵ is below."""
        center, width = self._log
        return math.exp(center - QUANTILE * width)

    @property
    def longest(self):
        """What one value in 10⁵ is above."""
        center, width = self._log
        return math.exp(center + QUANTILE * width)

    def draw(self, rng, shape):
        """Values of this law."""
        return rng.lognormal(*self._log, shape)

    def laplace(self, lam):
        """⟨e^(−λx)⟩ for Re λ ≥ 0, by the trapezoidal rule in ln x; NaN elsewhere, where it is ∞."""
        lam = np.asarray(lam, complex)
        center, width = self._log
        # the integrand is smooth and vanishes at both ends; the phase turns by |λ| x d(ln x)
        turns = np.abs(lam).max(initial=0.0) * math.exp(center + 8 * width) * width
        u = np.linspace(-8, 8, 201 + 8 * int(min(turns, 1e5)))
        weight = np.exp(-u * u / 2)
        weight /= weight.sum()
        x = np.exp(center + width * u)
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.array([weight @ np.exp(-one * x) for one in np.ravel(lam)])
        return np.where(lam.real < 0, np.nan, found.reshape(lam.shape))


@dataclass(frozen=True, init=False, repr=False)
class Exponential(Law):
    """Exponential, of values from 0 up.

    Parameters
    ----------
    mean : Quantity, float or str
        Above 0.
    """

    mean: object

    def __init__(self, mean):
        self._fill(mean=mean)

    def _check(self):
        if not self.mean > 0:
            self._refuse("mean", "it above 0")

    @property
    def sd(self):
        """Standard deviation, SI."""
        return self.mean

    @property
    def shortest(self):
        """No value is less."""
        return 0.0

    @property
    def longest(self):
        """What one value in 10⁵ is above."""
        return self.mean * math.log(1e5)

    def draw(self, rng, shape):
        """Values of this law."""
        return rng.exponential(self.mean, shape)

    def laplace(self, lam):
        """⟨e^(−λx)⟩ = 1/(1 + λ mean), and what continues it to Re λ < −1/mean."""
        return 1 / (1 + np.asarray(lam, complex) * self.mean)


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Listed(Law):
    """Values that are given one by one, as those of every edge of a graph."""

    values: object = field(repr=False)

    def __init__(self, values):
        self._fill(values=values)

    shape = ()

    def at(self, row, column):
        """Itself: its array is no array of means."""
        return self

    def __eq__(self, other):
        if not isinstance(other, Listed):
            return False
        return self is other or np.array_equal(self.values, other.values)

    def __hash__(self):
        return self._hash

    @functools.cached_property
    def _hash(self):  # there may be millions of them
        return hash(self.values.tobytes())

    @property
    def mean(self):
        """Mean, SI."""
        return float(self.values.mean())

    @property
    def sd(self):
        """Standard deviation, SI."""
        return float(self.values.std())

    @property
    def shortest(self):
        """The least."""
        return float(self.values.min())

    @property
    def longest(self):
        """The largest."""
        return float(self.values.max())

    def draw(self, rng, shape):
        """Some of the values, any as likely as another."""
        return rng.choice(self.values, shape)

    def laplace(self, lam):
        """⟨e^(−λx)⟩."""
        lam = np.asarray(lam, complex)
        found = np.array([np.exp(-one * self.values).mean() for one in np.ravel(lam)])
        return found.reshape(lam.shape)
