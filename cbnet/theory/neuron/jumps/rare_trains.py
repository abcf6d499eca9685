"""Arrivals so rare that they hardly change the rate of a neuron, or that it hardly ever fires."""

from dataclasses import replace

import numpy as np
from scipy import stats

# Share of the effect of rare arrivals that a grid may miss: for short time constants it was found
# within 2 % of what finite jumps do.
_MISSED = 0.05
_MISSED_OF_SPREAD = 0.5  # the same of CV and sd of v, which single arrivals make without its help
_STEPS = 2001  # of the way that the leak carries v
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
        # no resting point that a disturbance could decay to: the drift carries it along
        tau = np.array([_way_back(membrane, h) for h in membrane.jumps])
    with np.errstate(invalid="ignore"):
        felt = 3 * R * (np.array(membrane.taus) + tau)
    rare = (R > 0) & (felt <= most) & (fires | lowering(membrane))
    return rare, float(felt[rare].sum())


def _way_back(membrane, jump):
    """Time that the leak alone takes v from where an arrival may put it to the threshold, in s."""
    reset = membrane.reset + np.minimum(jump(np.array([membrane.reset])), 0.0)
    v = np.linspace(float(reset[0]), membrane.threshold, _STEPS)
    drift = without(membrane, (True, True)).drift(v)
    return float(np.trapezoid(1 / drift, v)) if np.all(drift > 0) else np.inf


def spread(membrane, rare, felt, found):
    """Relative change of CV (of 0.1, if it is less) and sd of v by trains that are left out.

    An arrival that is felt for a time d, with the chance R d at any moment, moves v by up to its
    jump, and the interval it falls into by up to d; by less where the leak soon makes up for it.

    Parameters
    ----------
    membrane : Membrane
    rare : ndarray of bool, shape (2,)
    felt : float
        Share of time, as of :func:`negligible`.
    found : Firing
        Of the membrane without them.
    """
    R = np.array(membrane.rates)[rare].sum()
    ends = np.array([membrane.reset, membrane.threshold])
    jumps = [np.abs(h(ends)).max() for h, gone in zip(membrane.jumps, rare, strict=True) if gone]
    variance = felt * max(jumps) ** 2
    sd = max(found.v_sd, 1e-3 * (ends[1] - ends[0]))
    drift = without(membrane, (True, True)).drift(
        np.linspace(ends[0] - max(jumps), ends[1], _STEPS)
    )
    late = felt / R
    if np.all(drift > 0):
        late = min(late, max(jumps) / drift.min())
    of_sd = np.sqrt(1 + variance / sd**2) - 1
    if not (found.rate > 0 and np.isfinite(found.cv)):
        return float(of_sd)
    cv = np.sqrt(found.cv**2 + R * late**2 * found.rate) - found.cv
    return float(max(of_sd, cv / max(found.cv, 0.1)))


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
    """How much of a relative error may come from trains that no grid can resolve.

    The error is a twentieth of their effect on rate and mean of v on the grid, which has their mean
    and variance, and half of that on CV and sd of v. It is infinite if they raise v, where single
    arrivals decide.

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
    width = membrane.threshold - membrane.reset
    sd = max(found.v_sd, 1e-3 * width)
    first = max(abs(np.log(found.rate / other.rate)), abs(found.v_mean - other.v_mean) / sd)
    second = max(
        abs(found.v_sd - other.v_sd) / sd,
        abs(found.cv - other.cv) / max(found.cv, 0.1),
    )
    return float(max(_MISSED * (first + other.error), _MISSED_OF_SPREAD * second))
