"""Laws of in-degrees, as values; `spread` is the standard deviation over target neurons."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FixedIn:
    """Every target neuron has the same in-degree."""

    def spread(self, number, source_size=None, target_size=None):
        return 0.0


@dataclass(frozen=True)
class Bernoulli:
    """Every pair independently: binomial in-degrees, Poisson ones where the size is unknown."""

    def spread(self, number, source_size=None, target_size=None):
        share = number / source_size if source_size else 0.0
        return (number * (1 - share)) ** 0.5


@dataclass(frozen=True)
class GaussianIn:
    """Gaussian in-degrees with a coefficient of variation."""

    cv: float

    def spread(self, number, source_size=None, target_size=None):
        return self.cv * number
