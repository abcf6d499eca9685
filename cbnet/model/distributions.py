"""Laws of delays, in SI."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Uniform:
    """Uniform between `low` and `high`."""

    low: float
    high: float

    @property
    def mean(self):
        return (self.low + self.high) / 2

    @property
    def sd(self):
        return (self.high - self.low) / 12**0.5

    @property
    def shortest(self):
        return self.low

    @property
    def longest(self):
        return self.high

    def draw(self, rng, shape):
        """Values of this law."""
        return rng.uniform(self.low, self.high, shape)

    def laplace(self, lam):
        """⟨e^(−λx)⟩, e^(−λ low) (1 − e^(−λΔ))/(λΔ)."""
        lam = np.asarray(lam, complex)
        x = lam * (self.high - self.low)
        safe = np.where(x == 0, 1, x)
        return np.exp(-lam * self.low) * np.where(x == 0, 1, -np.expm1(-safe) / safe)
