"""Arrivals that lower v so rarely that they hardly change the rate of a neuron."""

from dataclasses import replace

import numpy as np

# Share of the effect of rare arrivals that a grid may miss: for short time constants it was found
# within 2 % of what finite jumps do.
_MISSED = 0.05
_POTENTIALS = 9  # between reset and threshold, where a train must lower v


def without(membrane, rare):
    """The membrane without some of its trains: `rare` is a pair of bool."""
    rates = (0.0 if gone else R for R, gone in zip(membrane.rates, rare, strict=True))
    return replace(membrane, rates=tuple(rates))


def lowering(membrane):
    """Whether each train lowers v wherever it may be."""
    v = np.linspace(membrane.reset, membrane.threshold, _POTENTIALS)
    return np.array([bool(np.all(h(v) <= 0)) for h in membrane.jumps])


def negligible(membrane, most):
    """Trains that may be left out, and the relative change of the rate if they are.

    An arrival of a train that lowers v is felt for about the time constants of the synapse and of
    v, during which the rate is somewhere between zero and twice what it was. The change is
    estimated as three times the share of time in which arrivals are felt.

    Parameters
    ----------
    membrane : Membrane
    most : float
        Change that is allowed.
    """
    R = np.array(membrane.rates)
    with np.errstate(invalid="ignore"):
        felt = 3 * R * (np.array(membrane.taus) + membrane.rest()[1])
    rare = (R > 0) & (felt <= most) & lowering(membrane)
    return rare, float(felt[rare].sum())


def effect(membrane, rare, found, solve):
    """How much of a relative error of a rate may come from trains that no grid can resolve.

    The error is a twentieth of their effect on the grid, which has their mean and variance. It is
    infinite if they raise v, where single arrivals decide.

    Parameters
    ----------
    membrane : Membrane
    rare : ndarray of bool, shape (2,)
    found : Firing
        Of the whole membrane.
    solve : callable
        ``membrane -> Firing``.
    """
    if not np.all(lowering(membrane)[rare]):
        return np.inf
    other = solve(without(membrane, rare))
    if not (found.rate > 0 and other.rate > 0):
        return np.inf
    return _MISSED * (abs(float(np.log(found.rate / other.rate))) + other.error)
