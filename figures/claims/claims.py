"""A claim, how it is decided, and what came out."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .verdicts import NOT_SUPPORTED, UNDECIDED, Number

ONE_NEURON, NETWORK = "one neuron", "network"
BEYOND = "beyond"


@dataclass(frozen=True)
class Outcome:
    """What a figure's data say.

    Attributes
    ----------
    verdict : str
        One of the three of :mod:`cbnet.figures.claims.verdicts`.
    theory, simulation : Number, optional
        The deciding number by each.
    note : str
        What else should be known.
    """

    verdict: str
    theory: Number | None = None
    simulation: Number | None = None
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """A claim or a part of one.

    Attributes
    ----------
    key : str
        A name of its own, as ``"2.1"``.
    claim : str
        Number of the paper's claim, or ``"beyond"``.
    says : str
        What is claimed.
    scope : {"one neuron", "network"}
    number : str
        What is measured, with its unit.
    criterion : str
        When it counts as supported: what `decide` does, in words.
    figure : str
        Whose data decide.
    decide : callable
        ``dataset -> Outcome``; pure.
    because : str
        Why it need not hold: what a row says that is not supported.
    """

    key: str
    claim: str
    says: str
    scope: str
    number: str
    criterion: str
    figure: str
    decide: Callable
    because: str = ""


@dataclass(frozen=True)
class Judged:
    """A claim with its outcome and the command that gives it again."""

    claim: Claim
    outcome: Outcome
    command: str


def judge(claims, data, command):
    """Judge claims by the data of figures.

    Parameters
    ----------
    claims : sequence of Claim
    data : dict of str to xarray.Dataset
        By name of figure. A claim whose figure is missing is undecided.
    command : callable
        Name of a figure -> the command that draws it.

    Returns
    -------
    list of Judged
    """
    judged = []
    for claim in claims:
        if claim.figure in data:
            outcome = claim.decide(data[claim.figure])
            if outcome.verdict == NOT_SUPPORTED and claim.because:
                note = "; ".join(filter(None, (outcome.note, claim.because)))
                outcome = replace(outcome, note=note)
        else:
            outcome = Outcome(UNDECIDED, note="the figure was not computed")
        judged.append(Judged(claim, outcome, command(claim.figure)))
    return judged


def number(array, sem=None):
    """A scalar of a dataset as a :class:`Number`."""
    return Number(float(array), 0.0 if sem is None else float(sem))


def largest(numbers):
    """The number of largest value; NaN if any is unknown."""
    numbers = list(numbers)
    if not numbers or not all(n.known for n in numbers):
        return Number(math.nan, math.nan)
    return max(numbers, key=lambda n: n.value)


def smallest(numbers):
    """The number of smallest value; NaN if any is unknown."""
    found = largest(Number(-n.value, n.sem) for n in numbers)
    return Number(-found.value, found.sem)


def numbers(values, sems):
    """Numbers of two arrays."""
    pairs = zip(np.ravel(values), np.ravel(sems), strict=True)
    return [Number(float(v), float(s)) for v, s in pairs]


def difference(one, other):
    """one − other with its error."""
    return Number(one.value - other.value, math.hypot(one.sem, other.sem))
