"""Every synapse of a projection between named populations, drawn with numpy."""

from dataclasses import dataclass

import numpy as np

from ...model.distributions import Law
from ...model.wirings import Bernoulli, Explicit, FixedIn, FixedTotal, GaussianIn


@dataclass(frozen=True)
class Edges:
    """The synapses of one projection, in ascending order of their sources.

    Attributes
    ----------
    i, j : ndarray of int32, shape (S,)
        Source and target, each counted within its population.
    steps : ndarray of int32, shape (S,)
        Delays in time steps, at least one.
    w : ndarray, shape (S,), or float or None
        Efficacies in SI; a number if they are all the same, None if the kind has none.
    """

    i: np.ndarray
    j: np.ndarray
    steps: np.ndarray
    w: object


def draw(projection, sources, targets, dt, rng):
    """The synapses of a projection.

    Parameters
    ----------
    projection : cbnet.Projection
        As a network holds it, in SI.
    sources, targets : int
        Sizes of the populations.
    dt : float
        Time step in s.
    rng : numpy.random.Generator

    Returns
    -------
    Edges

    Notes
    -----
    Given its in-degree, a neuron's partners are a uniform draw without replacement, itself not
    among them, for FixedIn, Bernoulli and GaussianIn. FixedTotal draws pairs, of which a neuron
    with itself is one; with `multapses`, with replacement.
    """
    wiring = projection.wiring
    if isinstance(wiring, Explicit):
        i, j = wiring.i, wiring.j
    elif isinstance(wiring, FixedTotal):
        i, j = _pairs(projection.total, wiring.multapses, sources, targets, rng)
    else:
        within = projection.source == projection.target
        degrees = _in_degrees(projection, sources - within, targets, rng)
        i, j = _partners(degrees, sources, within, rng)
    order = np.argsort(i, kind="stable")
    steps = np.rint(_values(projection.delay, len(i), rng) / dt)
    w = projection.w
    if isinstance(w, Law):
        w = _values(w, len(i), rng)[order]
    return Edges(
        np.asarray(i)[order].astype(np.int32),
        np.asarray(j)[order].astype(np.int32),
        np.maximum(steps, 1)[order].astype(np.int32),
        w,
    )


def numbers(wiring, mean, size, rng):
    """How many trains of an input each neuron of a population has.

    Trains of an input have no upper number: of Bernoulli they are Poisson numbers, of FixedTotal
    `mean` times `size` in all.
    """
    if isinstance(wiring, Bernoulli):
        return rng.poisson(mean, size).astype(float)
    if isinstance(wiring, GaussianIn):
        return np.maximum(np.rint(rng.normal(mean, wiring.cv * mean, size)), 0)
    if isinstance(wiring, FixedTotal):
        return rng.multinomial(round(mean * size), np.full(size, 1 / size)).astype(float)
    return np.full(size, float(mean))


def _values(given, count, rng):
    """One for each synapse, in the order of drawing."""
    if not isinstance(given, Law):
        return np.full(count, float(given))
    listed = getattr(given, "values", None)  # of the edges of a graph
    return listed if listed is not None else given.draw(rng, count)


def _in_degrees(projection, possible, targets, rng):
    wiring, mean = projection.wiring, projection.number
    if isinstance(wiring, FixedIn):
        # a mean between two whole numbers: some have one more
        least, more = divmod(round(mean * targets), targets)
        degrees = np.full(targets, least)
        degrees[rng.choice(targets, more, replace=False)] += 1
    elif isinstance(wiring, Bernoulli):
        degrees = rng.binomial(possible, min(mean / max(possible, 1), 1.0), targets)
    else:
        degrees = np.rint(rng.normal(mean, wiring.cv * mean, targets)).astype(int)
    return np.clip(degrees, 0, possible)


def _partners(degrees, sources, within, rng):
    """Distinct sources of each target, which is none of them."""
    possible = sources - within
    drawn = [rng.choice(possible, k, replace=False, shuffle=False) for k in degrees]
    i = np.concatenate(drawn or [np.empty(0, int)])
    j = np.repeat(np.arange(len(degrees)), degrees)
    return (i + (i >= j) if within else i), j


def _pairs(total, multapses, sources, targets, rng):
    if multapses:
        return rng.integers(sources, size=total), rng.integers(targets, size=total)
    degrees = rng.multivariate_hypergeometric(np.full(targets, sources), total, method="marginals")
    return _partners(degrees, sources, False, rng)
