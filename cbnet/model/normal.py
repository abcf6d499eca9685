"""The normal law, cut where values cannot be."""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import ParameterError
from .law import QUANTILE, Law
from .quantities import ONE, split


@dataclass(frozen=True, init=False, repr=False)
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

    _optional = ("width", "at_least", "at_most")

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
        try:
            width = np.abs(self.center) * ratio
        except ValueError:
            raise ParameterError(
                f"Normal.cv: got shape {np.shape(ratio)}; expected one number, or as many as means"
            ) from None
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
        return max(self._bounds[0], self.center - QUANTILE * self.width)

    @property
    def longest(self):
        """The upper bound, or what one value in 10⁵ is above."""
        return min(self._bounds[1], self.center + QUANTILE * self.width)

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

    def shown(self):
        """The arguments by name, as a person writes them."""
        names = {"center": "mean", "width": "sd"}
        return {names.get(n, n): x for n, x in super().shown().items()}
