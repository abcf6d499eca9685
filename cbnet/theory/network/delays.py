"""Laws of transmission delays, by the mean of e^(−λD)."""

from dataclasses import dataclass

import numpy as np


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
