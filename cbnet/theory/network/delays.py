"""Laws of transmission delays, by the mean of e^(−λD)."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, wofz


@dataclass(frozen=True)
class Uniform:
    """Delays uniform between two (s); one delay if they are equal."""

    low: float
    high: float

    @property
    def longest(self):
        """The longest delay, s."""
        return self.high

    @property
    def mean(self):
        """The mean delay, s."""
        return (self.low + self.high) / 2

    def laplace(self, lam):
        """Mean of e^(−λD) for complex λ in 1/s."""
        x = lam * (self.high - self.low)
        small = np.abs(x) < 1e-6
        safe = np.where(small, 1.0, x)
        return np.exp(-lam * self.low) * np.where(small, 1 - x / 2, -np.expm1(-safe) / safe)


@dataclass(frozen=True)
class TruncatedNormal:
    """Normal delays, drawn again where they fall below one bound or above another (s).

    Parameters
    ----------
    center, sd : float
        Of the law before it is cut.
    low, high : float
        The bounds.
    """

    center: float
    sd: float
    low: float = 0.0
    high: float = np.inf

    @property
    def longest(self):
        """The longest delay, or beyond which there is one in 10⁵."""
        return min(self.high, max(self.center, self.low) + 4 * self.sd)

    @property
    def mean(self):
        """The mean delay, s."""
        a, b = ((x - self.center) / self.sd for x in (self.low, self.high))
        density = (np.exp(-a * a / 2) - np.exp(-b * b / 2)) / np.sqrt(2 * np.pi)
        return self.center + self.sd * density / (ndtr(b) - ndtr(a))

    def laplace(self, lam):
        """Mean of e^(−λD) for complex λ in 1/s.

        Notes
        -----
        e^(−λd + λ²s²/2) [Φ(γ + λs) − Φ(α + λs)]/[Φ(γ) − Φ(α)], α and γ the bounds in units of s,
        by the Faddeeva function: no exponential overflows.
        """
        lam = np.asarray(lam, complex)
        a, b = ((x - self.center) / self.sd for x in (self.low, self.high))
        above = self._tail(lam, a) - (self._tail(lam, b) if np.isfinite(b) else 0.0)
        return above / (2 * (ndtr(-a) - ndtr(-b)))

    def _tail(self, lam, a):
        """2 e^(−λd + λ²s²/2) [1 − Φ(a + λs)]."""
        z = (a + lam * self.sd) / np.sqrt(2)
        right = z.real >= 0
        near = np.exp(-lam * (self.center + a * self.sd) - a * a / 2) * wofz(
            1j * np.where(right, z, -z)
        )
        whole = np.exp(np.where(right, 0, -lam * self.center + (lam * self.sd) ** 2 / 2))
        return np.where(right, near, 2 * whole - near)
