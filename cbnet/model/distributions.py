"""Laws of efficacies, delays and other values that differ from one to the next.

A law is given with units, or as plain numbers where the value has none; its fields are floats in SI
units. An array of means is for :func:`cbnet.matrix`, which takes it apart.
"""

import math
from dataclasses import dataclass, field, fields

import numpy as np

from ..errors import ParameterError
from .quantities import ONE, pick, split

# Beyond `longest`, and below `shortest`, of a law without bounds there is one value in 10⁵.
_QUANTILE = 4.264890793922602


class Law:
    """What all laws have in common."""

    _plain = ("cv",)  # fields without a unit

    def _fill(self, **given):
        """Set the fields, in SI units, and the dimensions that they share."""
        label, dims = type(self).__name__, None
        for name, raw in given.items():
            value = raw
            if raw is not None:
                value, its = split(raw, f"{label}.{name}")
                if not np.all(np.isfinite(value)):
                    raise ParameterError(f"{label}.{name}: got {raw}; expected finite numbers")
                expected = ONE if name in self._plain else dims
                if expected is not None and its != expected:
                    raise ParameterError(
                        f"{label}.{name}: got {raw}; expected "
                        f"{'no unit' if name in self._plain else 'the unit of the others'}"
                    )
                dims = dims if name in self._plain else its
            object.__setattr__(self, name, value)
        object.__setattr__(self, "dims", dims)
        if not self.shape:
            self._check()

    def _check(self):
        """Refuse values that make no law."""

    def _refuse(self, name, expected):
        raise ParameterError(
            f"{type(self).__name__}.{name}: got {getattr(self, name):g} in SI units; "
            f"expected {expected}"
        )

    @property
    def shape(self):
        """Of the arrays of means; () of one law."""
        return np.broadcast_shapes(*(np.shape(getattr(self, f.name)) for f in fields(self)))

    def at(self, row, column):
        """The law of one element of arrays of means."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        return self.changed(
            **{n: float(pick(x, row, column)) for n, x in arrays.items() if np.ndim(x)}
        )

    def changed(self, **values):
        """A copy with other fields, in SI units."""
        made = object.__new__(type(self))
        for one in fields(self):
            object.__setattr__(made, one.name, values.get(one.name, getattr(self, one.name)))
        object.__setattr__(made, "dims", self.dims)
        if not made.shape:
            made._check()
        return made

    def scaled(self, factor):
        """The law of the values times a factor."""
        return self.changed(**{
            f.name: getattr(self, f.name) * factor
            for f in fields(self)
            if f.name not in self._plain and getattr(self, f.name) is not None
        })  # fmt: skip


@dataclass(frozen=True, init=False)
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


@dataclass(frozen=True, init=False)
class Normal(Law):
    """Normal; values below `at_least` or above `at_most` are drawn again.

    Efficacies and delays are never negative: there, `at_least` is 0 unless it is given.

    Parameters
    ----------
    mean : Quantity, float or str
        Of the law before it is cut.
    sd : Quantity, float or str, optional
        Its standard deviation, or
    cv : float, optional
        in units of the mean's size.
    at_least, at_most : Quantity, float or str, optional
        Bounds.

    Notes
    -----
    Attributes `mean`, `sd` and so on are of what is drawn, after the cut.

    Examples
    --------
    >>> from cbnet import Normal
    >>> round(Normal("1.5 ms", cv=0.5, at_least="0 ms").mean * 1e3, 4)
    1.5414
    """

    center: object
    width: object
    at_least: object = None
    at_most: object = None

    def __init__(self, mean, sd=None, *, cv=None, at_least=None, at_most=None):
        if (sd is None) == (cv is None):
            raise ParameterError("Normal: got both or neither of sd and cv; expected one of them")
        if cv is None:
            self._fill(center=mean, width=sd, at_least=at_least, at_most=at_most)
            return
        ratio, dims = split(cv, "Normal.cv")
        if dims != ONE or not np.all(np.isfinite(ratio)):
            raise ParameterError(f"Normal.cv: got {cv}; expected a finite number without a unit")
        self._fill(center=mean, width=None, at_least=at_least, at_most=at_most)
        width = np.abs(self.center) * ratio
        object.__setattr__(self, "width", width if np.ndim(width) else float(width))
        if not self.shape:
            self._check()

    def _check(self):
        if self.width is None:
            return
        if self.width < 0:
            self._refuse("width", "a standard deviation of at least 0")
        low, high = self._bounds
        if not low <= high or (self.width == 0 and not low <= self.center <= high):
            self._refuse("center", f"it between {low:g} and {high:g}")
        if self.width and self._kept < 1e-3:
            self._refuse("center", f"more than one value in 1000 between {low:g} and {high:g}")

    @property
    def _bounds(self):
        low = -math.inf if self.at_least is None else self.at_least
        return low, math.inf if self.at_most is None else self.at_most

    @property
    def _ends(self):
        """Bounds in standard deviations from the centre."""
        return tuple((x - self.center) / self.width for x in self._bounds)

    @property
    def _kept(self):
        """The share of values that are not drawn again."""
        a, b = (math.erf(x / 2**0.5) for x in self._ends)
        return (b - a) / 2

    @property
    def _moments(self):
        """Mean and variance of what is drawn, in standard deviations from the centre."""
        density = [math.exp(-x * x / 2) / (2 * math.pi) ** 0.5 for x in self._ends]
        first = (density[0] - density[1]) / self._kept
        edges = [d * x if d else 0.0 for d, x in zip(density, self._ends, strict=True)]
        return first, 1 + (edges[0] - edges[1]) / self._kept - first**2

    @property
    def mean(self):
        """Mean, SI."""
        return self.center + self.width * self._moments[0] if self.width else self.center

    @property
    def sd(self):
        """Standard deviation, SI."""
        return self.width * self._moments[1] ** 0.5 if self.width else 0.0

    @property
    def shortest(self):
        """The lower bound, or what one value in 10⁵ is below."""
        return max(self._bounds[0], self.center - _QUANTILE * self.width)

    @property
    def longest(self):
        """The upper bound, or what one value in 10⁵ is above."""
        return min(self._bounds[1], self.center + _QUANTILE * self.width)

    def draw(self, rng, shape):
        """Values of this law."""
        drawn = np.asarray(rng.normal(self.center, self.width, shape))
        low, high = self._bounds
        while (wrong := (drawn < low) | (drawn > high)).any():
            drawn[wrong] = rng.normal(self.center, self.width, int(wrong.sum()))
        return drawn

    def laplace(self, lam):
        """⟨e^(−λx)⟩.

        Notes
        -----
        e^(−λd + λ²s²/2) [Φ(γ + λs) − Φ(α + λs)]/[Φ(γ) − Φ(α)], α and γ the bounds in units of s
        from the centre d, by the Faddeeva function: no exponential overflows.
        """
        lam = np.asarray(lam, complex)
        if not self.width:
            return np.exp(-lam * self.center)
        return sum(
            sign * self._tail(lam, a)
            for sign, a in zip((1, -1), self._ends, strict=True)
            if a < math.inf
        ) / (2 * self._kept)

    def _tail(self, lam, a):
        """2 e^(−λd + λ²s²/2) [1 − Φ(a + λs)]."""
        from scipy.special import wofz  # a tenth of a second, which only theory needs

        whole = -lam * self.center + (lam * self.width) ** 2 / 2
        if a == -math.inf:
            return 2 * np.exp(whole)
        z = (a + lam * self.width) / np.sqrt(2)
        right = z.real >= 0
        near = np.exp(-lam * (self.center + a * self.width) - a * a / 2) * wofz(
            1j * np.where(right, z, -z)
        )
        return np.where(right, near, 2 * np.exp(np.where(right, 0, whole)) - near)


@dataclass(frozen=True, init=False)
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
        return math.exp(center - _QUANTILE * width)

    @property
    def longest(self):
        """What one value in 10⁵ is above."""
        center, width = self._log
        return math.exp(center + _QUANTILE * width)

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


@dataclass(frozen=True, init=False)
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


@dataclass(frozen=True, init=False, eq=False)
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
        return isinstance(other, Listed) and np.array_equal(self.values, other.values)

    def __hash__(self):
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
