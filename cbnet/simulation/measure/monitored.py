"""What a simulation accumulates, from lists of its spikes and traces of its potentials."""

import numpy as np

from .local_variation import pair_sums
from .online import (
    BLOCKS,
    GROUPS,
    INTERVAL_BINS,
    PARTS,
    Accumulated,
    arrays,
    block_lengths,
    place,
    slices,
)


def from_monitors(observation, neurons, steps, v, refractory, currents=(), traces=None):
    """The sums that a compiled simulation makes while it runs.

    Parameters
    ----------
    observation : Observation
    neurons, steps : ndarray of int
        Neuron and step of every spike of the simulation.
    v : ndarray, shape (T, probes)
        Voltage of the probes of all populations in V at the end of every step of the window, or at
        equal intervals of it. With instantaneous synapses it is advanced by half a step of the
        leak.
    refractory : ndarray of bool, shape (T, probes)
    currents : sequence of ndarray, shape (steps, probes)
        Their input in V/s, of each kind.
    traces : ndarray, shape (rows, traced), optional
        Voltage for the recording, as it stands.

    Returns
    -------
    Accumulated
    """
    o = observation
    order = np.lexsort((neurons, steps))
    neurons, steps = np.asarray(neurons)[order], np.asarray(steps)[order] - o.first_step
    sums, histogram = _all_intervals(o, neurons, steps)
    before = neurons[steps < 0]
    inside = (steps >= 0) & (steps < o.steps)
    neurons, steps = neurons[inside], steps[inside]
    squares, lengths = _intervals(o, neurons, steps)
    mine = np.isin(neurons, o.recording.spikes)
    population = np.repeat(np.arange(len(o.sizes)), o.sizes)[neurons]
    by_population = [steps[population == p] for p in range(len(o.sizes))]
    found = {
        "spikes": np.bincount(neurons, minlength=o.N),
        "spikes_before": np.bincount(before, minlength=o.N),
        "interval_squares": squares,
        "interval_lengths": lengths,
        "interval_sums": sums,
        "interval_histogram": histogram,
        "counts": [_binned(o, part) for part in by_population],
        "block_spikes": [_per_block(o.steps, part) for part in by_population],
        **_of_probes(o, v, refractory, currents),
        "recorded_neurons": neurons[mine],
        "recorded_steps": steps[mine] + o.first_step,
        "traces": np.empty((0, 0)) if traces is None else traces,
    }
    if o.neighbours:
        found["local_sums"] = pair_sums(o, neurons, steps)
    found = {
        name: np.asarray(found[name], dtype).reshape(shape)
        for name, (dtype, shape) in arrays(o).items()
    }
    return Accumulated(o, **found)


def _of_probes(o, v, refractory, currents):
    """Sums and histograms of the probes of each population."""
    found = {"voltage_sums": [], "histogram": [], "current_sums": []}
    for p, mine in enumerate(slices(o.probes)):
        own, held = v[:, mine], refractory[:, mine]
        found["voltage_sums"].append(_sums_of_pieces(o, own - o.reference[p], ~held))
        found["histogram"].append(_histogram(o, p, own[~held]))
        found["current_sums"].append(_current_sums(o, held, [one[:, mine] for one in currents]))
    return found


def _binned(o, steps):
    return np.bincount(steps // o.steps_per_bin, minlength=o.whole_bins)[: o.whole_bins]


def _per_block(total, steps):
    return np.bincount(place(total, steps, BLOCKS), minlength=BLOCKS)


def _all_intervals(o, neurons, steps):
    """Sums over the intervals that end in the window, and their histogram."""
    order = np.argsort(neurons, kind="stable")
    neurons, steps = neurons[order], steps[order]
    ends = np.flatnonzero(neurons[1:] == neurons[:-1]) + 1
    x, owners, at = steps[ends] - steps[ends - 1], neurons[ends], steps[ends]
    inside = (at >= 0) & (at < o.steps) & (x < o.longest_interval)
    x, owners, at = x[inside], owners[inside], at[inside]
    seen = np.where(x > o.first_step, o.first_step + o.steps - x, o.steps)
    weight = o.steps / np.maximum(seen, 1)
    P = len(o.sizes)
    population = np.repeat(np.arange(P), o.sizes)[owners]
    bins = (x * float(INTERVAL_BINS) / o.longest_interval).astype(int) + INTERVAL_BINS * population
    histogram = np.bincount(bins, weight, P * INTERVAL_BINS).reshape(P, INTERVAL_BINS)
    k = owners - _before(o.sizes)[population]
    mine = k < np.array(o.followed)[population]
    slot = (k + _before(o.followed)[population]) * PARTS + place(o.steps, at, PARTS)
    size = sum(o.followed) * PARTS
    sums = [
        np.bincount(slot[mine], weight[mine] * x[mine] ** float(power), size) for power in range(3)
    ]
    return np.transpose(sums).reshape(-1, PARTS, 3), histogram


def _before(lengths):
    return np.cumsum((0, *lengths))[:-1]


def _intervals(o, neurons, steps):
    order = np.argsort(neurons, kind="stable")
    neurons, steps = neurons[order], steps[order]
    same = neurons[1:] == neurons[:-1]
    x, owners = np.diff(steps)[same], neurons[1:][same]
    group = (np.arange(len(owners)) - np.searchsorted(owners, owners)) % GROUPS
    slot, shape = owners * GROUPS + group, (o.N, GROUPS)
    squares = np.bincount(slot, x**2 / (o.steps - x), minlength=o.N * GROUPS)
    lengths = np.bincount(slot, x, minlength=o.N * GROUPS)
    return squares.reshape(shape), lengths.reshape(shape)


def _sums_of_pieces(o, values, kept):
    """Number, sum and sum of squares of the values kept, in pieces along the first axis."""
    found = np.zeros((o.pieces, 3))
    if not values.size:
        return found
    ends = np.append(0, np.cumsum(block_lengths(len(values), o.pieces)))
    values = np.where(kept, values, 0)
    rows = np.stack([kept.sum(axis=1), values.sum(axis=1), (values**2).sum(axis=1)], axis=1)
    some = np.flatnonzero(np.diff(ends))
    found[some] = np.add.reduceat(rows.astype(float), ends[some], axis=0)
    return found


def _histogram(o, p, v):
    slots = np.clip(1 + (v - o.low[p]) * (o.bins / (o.high[p] - o.low[p])), 0, o.bins + 1)
    return np.bincount(slots.astype(int), minlength=o.bins + 2)


def _current_sums(o, refractory, currents):
    """Of each kind and of all together."""

    def binned(values):
        whole = values[: o.whole_bins * o.steps_per_bin]
        return whole.reshape(o.whole_bins, o.steps_per_bin, values.shape[1])

    if not o.kinds:
        return np.empty((0, o.pieces, 3))
    kept = ~binned(refractory).any(axis=1)
    each = [binned(current).mean(axis=1) for current in currents]
    return [_sums_of_pieces(o, values, kept) for values in (*each, sum(each))]
