"""Arrivals so rare that they hardly change the rate of a neuron, or that it hardly ever fires."""

from dataclasses import replace

import numpy as np
from scipy import stats

# Share of the effect of rare arrivals that a grid may miss: for short time constants it was found
# within 2 % of what finite jumps do.
_MISSED = 0.05
_POTENTIALS = 9  # between reset and threshold, where a train must lower v
_MEMORY = 8.0  # time constants after which an arrival is forgotten


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

    An arrival of a train that lowers v, or of any train if the leak alone makes the neuron fire, is
    felt for about the time constants of the synapse and of v, during which the rate is somewhere
    between zero and twice what it was. The change is estimated as three times the share of time in
    which arrivals are felt.

    Parameters
    ----------
    membrane : Membrane
    most : float
        Change that is allowed.
    """
    R = np.array(membrane.rates)
    v = np.linspace(membrane.reset, membrane.threshold, _POTENTIALS)
    fires = bool(np.all(without(membrane, (True, True)).drift(v) > 0))
    tau = membrane.rest()[1]
    if fires and not np.isfinite(tau):
        tau = 0.0  # no resting point that a disturbance could decay to: it is carried along
    with np.errstate(invalid="ignore"):
        felt = 3 * R * (np.array(membrane.taus) + tau)
    rare = (R > 0) & (felt <= most) & (fires | lowering(membrane))
    return rare, float(felt[rare].sum())


def most_often(membrane):
    """A bound on the rate (Hz) of a neuron whose leak holds it below the threshold.

    n arrivals that raise v must come within eight time constants of the membrane and the synapse,
    n being the distance from the leak's resting potential to the threshold in their largest jumps.
    Arrivals that lower v only make it more. Infinite where the leak does not pull v back all the
    way.
    """
    alone = without(membrane, (True, True))
    mu, tau = alone.rest()
    if not np.isfinite(mu):
        return np.inf
    v = np.linspace(mu, membrane.threshold, _POTENTIALS)
    if not (mu < membrane.threshold and np.all(alone.drift(v[1:]) < 0)):
        return np.inf
    highest = [float(np.max(h(v))) for h in membrane.jumps]
    R = sum(R for R, h in zip(membrane.rates, highest, strict=True) if h > 0)
    if R == 0:
        return 0.0
    needed = np.ceil((membrane.threshold - mu) / max(highest))
    within = R * _MEMORY * (tau + max(membrane.taus))
    return float(R * stats.poisson.sf(needed - 2, within))


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
