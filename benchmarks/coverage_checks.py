"""What a check of a stated error is, and how many of them make a row of a table."""

import math
import warnings
from dataclasses import dataclass

import numpy as np

import cbnet
from cbnet.errors import CbnetWarning, ConvergenceError

SHARE = 0.99  # of the checks of a row that must be within
WORST = 3.0  # times the stated error, that none may exceed
LEAST_CV = 0.2  # below which the stated error of a CV is relative to this
ROUNDING = 1e-11  # of doubles, after a few thousand operations
SHOWN = {"rate": 1.0, "cv": 1.0, "V_mean": 1e3, "V_sd": 1e3}  # of SI units, in the references'


@dataclass(frozen=True)
class Check:
    """One number beside its reference.

    Attributes
    ----------
    solver, statistic : str
        Which row it belongs to.
    off : float
        Relative deviation from the reference; NaN if there was no answer.
    stated : float
        The error that the answer stated.
    sem : float
        Relative standard error of the reference.
    about : str
        What makes the neuron again.
    """

    solver: str
    statistic: str
    off: float
    stated: float
    sem: float
    about: str

    @property
    def known(self):
        """Whether the answer said how wrong it may be."""
        return math.isfinite(self.stated) and math.isfinite(self.off)

    @property
    def within(self):
        """Whether it is as right as it says, but for the noise of the reference."""
        return self.off <= self.stated + 3 * self.sem + ROUNDING

    @property
    def times(self):
        """By what factor the stated error is exceeded at least."""
        return max(self.off - 3 * self.sem - ROUNDING, 0) / max(self.stated, 1e-300)


def respond(neuron, **options):
    """cbnet's answer, the best there is if it did not reach its accuracy; no warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CbnetWarning)
        try:
            return cbnet.respond(neuron.params(), **options)
        except ConvergenceError as failure:
            return failure.best


def compared(solver, response, reference, neuron, statistics=tuple(SHOWN)):
    """The checks of a response.

    The mean of v is relative to its standard deviation: it depends on where potentials start.
    """
    checks = []
    for name in statistics:
        right = reference.found[name]
        if not math.isfinite(right) or (name == "cv" and not math.isfinite(reference.sem[name])):
            continue
        unit = {"cv": max(right, LEAST_CV), "V_mean": reference.found["V_sd"]}.get(name, right)
        off = abs(float(getattr(response, name)) * SHOWN[name] - right) / unit
        sem = reference.sem[name] / unit
        checks.append(Check(solver, name, off, float(response.error), sem, repr(neuron)))
    return checks


def row(checks):
    """Of the checks of one solver and statistic: a dictionary of what the table shows."""
    known = [check for check in checks if check.known]
    worst = max(known, key=lambda check: check.times, default=None)
    return {
        "solver": checks[0].solver,
        "statistic": checks[0].statistic,
        "checks": len(known),
        "not known": len(checks) - len(known),
        "within": np.mean([check.within for check in known]) if known else math.nan,
        "worst": worst.times if worst else math.nan,
        "stated": float(np.median([check.stated for check in known])) if known else math.nan,
        "reference": float(np.median([check.sem for check in known])) if known else math.nan,
    }


def failures(checks):
    """Those checks that are not within, the worst first."""
    found = [check for check in checks if check.known and not check.within]
    return sorted(found, key=lambda check: -check.times)


def met(checks):
    """Whether a row keeps what it must: nearly all within, none far beyond."""
    this = row(checks)
    if not this["checks"]:
        return True
    few = math.ceil((1 - SHARE) * this["checks"] - 1e-9)
    return len(failures(checks)) <= few and this["worst"] <= WORST
