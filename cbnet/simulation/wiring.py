"""Who is connected to whom: in-degrees by law, distinct partners, presynaptic order."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array

from ..parameters import POPULATIONS


@dataclass(frozen=True)
class Wiring:
    """All synapses that leave one population.

    Attributes
    ----------
    sources : ndarray of int32, shape (S,)
        Presynaptic neuron, counted within its population, in ascending order: a spike then walks
        through memory once, which is two to four times faster than the order of drawing.
    targets : ndarray of int32, shape (S,)
        Postsynaptic neuron, counted in the whole network.
    delays : ndarray of int32, shape (S,)
        In time steps, ascending within a source.
    """

    sources: np.ndarray
    targets: np.ndarray
    delays: np.ndarray


def draw(params, layout, dt, seed):
    """Draw the synapses of a network.

    Parameters
    ----------
    params : Parameters
        Law of the in-degrees, and the range of the delays.
    layout : Layout
        Sizes and mean in-degrees.
    dt : float
        Time step in s; delays are rounded to it.
    seed : int or SeedSequence
        Of every draw.

    Returns
    -------
    wiring : dict of str to Wiring
        By source population.
    external : ndarray of int, shape (N,)
        Number of external inputs of each neuron.

    Notes
    -----
    Nobody connects twice to the same neuron (multapse) or to itself (autapse). Given its
    in-degree, a neuron's partners are a uniform draw without replacement, so that
    ``law="bernoulli"`` is the Erdős–Rényi graph of connection probability K/N.
    """
    rng = np.random.default_rng(seed)
    values = {target: params.resolve(target) for target in POPULATIONS}
    wiring = {}
    for source in POPULATIONS:
        sources, targets, delays = [], [], []
        for target in POPULATIONS:
            first, last = layout.span(target)
            possible = layout.size(source) - (source == target)
            degrees = _in_degrees(
                values[target], layout.in_degree[source, target], last - first, possible, rng
            )
            drawn = _partners(possible, degrees, rng)
            owners = np.repeat(np.arange(last - first, dtype=np.int32), degrees)
            if source == target:
                drawn += drawn >= owners  # nobody chooses itself
            sources.append(drawn)
            targets.append(owners + np.int32(first))
            d_min, d_max = values[target]["D_min"], values[target]["D_max"]
            drawn_delays = d_min + (d_max - d_min) * rng.random(len(drawn), dtype=np.float32)
            delays.append(np.rint(drawn_delays / dt).astype(np.int32))
        wiring[source] = _in_order(*map(np.concatenate, (sources, targets, delays)))
    external = np.concatenate(
        [
            _in_degrees(values[target], values[target]["K"], layout.size(target), None, rng)
            for target in POPULATIONS
        ]
    )
    return wiring, external


def _partners(possible, degrees, rng):
    """Distinct partners of every neuron, one neuron after the other."""
    k = degrees[0]
    if np.any(degrees != k) or k * 20 < possible:
        chosen = [rng.choice(possible, d, replace=False, shuffle=False) for d in degrees]
        return np.concatenate(chosen).astype(np.int32)
    # dense and equal: the k smallest of random keys take half the time of a draw each
    drawn = np.empty((len(degrees), k), np.int32)
    rows = max(1, 2_000_000 // possible)
    for first in range(0, len(degrees), rows):
        keys = rng.random((len(degrees[first : first + rows]), possible))
        drawn[first : first + rows] = np.argpartition(keys, k - 1, axis=1)[:, :k]
    return drawn.ravel()


def _in_degrees(values, mean, size, possible, rng):
    """In-degrees of `size` neurons; `possible` partners, or any number of them if None."""
    if values["law"] == "bernoulli":
        # independent Poisson trains of an external population have no upper number of members
        drawn = (
            rng.poisson(mean, size)
            if possible is None
            else rng.binomial(possible, mean / possible, size)
        )
    elif values["law"] == "gaussian":
        drawn = np.rint(rng.normal(mean, values["CV_K"] * mean, size)).astype(int)
    else:
        return np.full(size, mean)
    return np.clip(drawn, 0, possible)


def _in_order(sources, targets, delays):
    """Sort by source, then delay: as rows of a sparse matrix, which is a counting sort."""
    slots = int(delays.max(initial=0)) + 1
    shape = (slots * (int(sources.max(initial=0)) + 1), int(targets.max(initial=0)) + 1)
    rows = sources.astype(np.int64) * slots + delays
    matrix = coo_array((np.ones(len(rows), np.int8), (rows, targets)), shape=shape).tocsr()
    occupied = np.diff(matrix.indptr)
    source, delay = np.divmod(np.arange(shape[0]), slots)
    return Wiring(
        np.repeat(source.astype(np.int32), occupied),
        matrix.indices.astype(np.int32, copy=False),
        np.repeat(delay.astype(np.int32), occupied),
    )
