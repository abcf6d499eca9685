"""Who is connected to whom, drawn with numpy: for small networks that run without a compiler.

The compiled program draws the same laws in C++ (``cpp/rows.h``), not the same graphs.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Wiring:
    """The synapses of one projection.

    Attributes
    ----------
    sources : ndarray of int32, shape (S,)
        Presynaptic neuron, counted within its population, in ascending order.
    targets : ndarray of int32, shape (S,)
        Postsynaptic neuron, counted within its population.
    delays : ndarray of int32, shape (S,)
        In time steps, ascending within a source.
    """

    sources: np.ndarray
    targets: np.ndarray
    delays: np.ndarray


def draw(sources, targets, offset, law, mean, cv, delay, seed):
    """Draw the synapses of a projection.

    Parameters
    ----------
    sources, targets : int
        Sizes of the populations.
    offset : int or None
        Where the targets begin among the sources, if they are the same neurons: target t is source
        t + offset. None if they are not.
    law : {"fixed", "bernoulli", "gaussian"}
    mean : int
        Mean in-degree.
    cv : float
        Coefficient of variation of the in-degree, for ``"gaussian"``.
    delay : tuple of float
        Shortest and longest delay in time steps.
    seed : int

    Returns
    -------
    Wiring

    Notes
    -----
    Given its in-degree, a neuron's partners are a uniform draw without replacement, itself not
    among them, so that ``law="bernoulli"`` is the Erdős–Rényi graph.
    """
    rng = np.random.default_rng(seed)
    own = np.arange(targets) + offset if offset is not None else np.full(targets, -1)
    has_self = (own >= 0) & (own < sources)
    possible = sources - has_self
    degrees = in_degrees(law, mean, cv, possible, rng)
    drawn = np.concatenate(
        [
            rng.choice(most, degree, replace=False, shuffle=False)
            for most, degree in zip(possible, degrees, strict=True)
        ]
        or [np.empty(0, int)]
    )
    owners = np.repeat(np.arange(targets, dtype=np.int32), degrees)
    drawn += has_self[owners] & (drawn >= own[owners])  # nobody chooses itself
    shortest, longest = delay
    delays = np.rint(shortest + (longest - shortest) * rng.random(len(drawn))).astype(np.int32)
    return in_order(drawn, owners, delays)


def in_degrees(law, mean, cv, possible, rng):
    """In-degrees of neurons with so many possible partners each; without a limit where it is None.

    Independent Poisson trains of an external population have no upper number of members: its
    ``"bernoulli"`` in-degrees are Poisson numbers.
    """
    size = len(possible)
    if law == "bernoulli":
        if possible[0] is None:
            return rng.poisson(mean, size)
        return rng.binomial(possible, np.minimum(mean / np.maximum(possible, 1), 1.0))
    degrees = np.full(size, mean)
    if law == "gaussian":
        degrees = np.rint(rng.normal(mean, cv * mean, size)).astype(int)
    return np.clip(degrees, 0, None if possible[0] is None else possible)


def in_order(sources, targets, delays):
    """Sort by source, then delay."""
    order = np.lexsort((delays, sources))
    return Wiring(*(np.asarray(x)[order].astype(np.int32) for x in (sources, targets, delays)))
