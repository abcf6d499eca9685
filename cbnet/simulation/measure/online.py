"""What a simulation accumulates while it runs: sums that do not grow with the number of spikes.

The compiled simulation makes them in C++ (``cpp/statistics.h``) and leaves them in files
(:func:`read`); one that runs in numpy has monitors instead, whose arrays give the same numbers
(:func:`from_monitors`). What they mean is worked out in :mod:`cbnet.simulation.measure.statistics`.

A spike of step n belongs to the time n dt; a voltage is seen at the end of a step, after the
resets, and belongs to (n + 1) dt.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import ParameterError, SimulationError
from .recording import Recording

BLOCKS = 10
GROUPS = 4
PARTS = 32
INTERVAL_BINS = 128
FOLLOWED = 2048  # neurons of a population whose intervals are summed in parts
_PIECES = 2048
_LONG = ("traces",)
_BYTES_PER_NEURON = 96  # one line of the cache, and the largest array made of them at the end
_BYTES_FOLLOWED = 2 * 24 * PARTS


@dataclass(frozen=True, eq=False)
class Observation:
    """What is measured, and when.

    Attributes
    ----------
    N, N_E : int
        Neurons; the excitatory ones come first.
    first_step, steps : int
        First step of the measured window, and its steps.
    dt : float
        In s.
    probes : int
        Neurons 0 to probes − 1, all excitatory, whose voltage and input make the statistics.
    low, high, bins : float, float, int
        Histogram of the voltage, in V.
    reference : float
        Voltage near the mean, in V: squares are summed about it to keep their digits.
    recording : cbnet.simulation.measure.recording.Recording
        Neurons whose spikes are listed, and those whose voltage is kept.
    correlation_time : float
        Time over which correlations last in s.
    connected : bool
        Whether the neurons are a network, whose rates may wander together.

    Raises
    ------
    ParameterError
        If the window is shorter than ten steps or too long to be counted.
    """

    N: int
    N_E: int
    first_step: int
    steps: int
    dt: float
    probes: int
    low: float
    high: float
    reference: float
    bins: int = 100
    recording: Recording = Recording(np.empty(0, np.int32), np.empty(0, np.int32))
    correlation_time: float = 0.0
    connected: bool = True

    def __post_init__(self):
        if not BLOCKS <= self.steps < 2**31:
            raise ParameterError(
                f"duration: got {self.steps} steps of dt = {self.dt * 1e3:g} ms; expected at least "
                f"ten and fewer than 2^31"
            )

    @property
    def steps_per_bin(self):
        """Steps in a bin of 1 ms, or of one step if that is longer."""
        return max(1, round(1e-3 / self.dt))

    @property
    def whole_bins(self):
        """Whole bins in the window; what is left over at its end is in no bin."""
        return self.steps // self.steps_per_bin

    @property
    def pieces(self):
        """How many pieces voltage and current are summed in: bins of 1 ms, or some together."""
        return min(max(self.whole_bins, BLOCKS), _PIECES)

    @property
    def followed(self):
        """Neurons of E and of I whose intervals are summed in parts: the first of each."""
        return min(self.N_E, FOLLOWED), min(self.N - self.N_E, FOLLOWED)

    @property
    def longest_interval(self):
        """Steps from which on intervals are not seen well enough."""
        return self.first_step + self.steps - self.steps // 8

    @property
    def bytes(self):
        """Memory that accumulating takes, without the list of recorded spikes."""
        summed = 8 * self.whole_bins + 24 * 4 * self.pieces + self.recording.bytes(self.steps)
        return self.N * _BYTES_PER_NEURON + sum(self.followed) * _BYTES_FOLLOWED + summed


@dataclass(frozen=True, eq=False)
class Accumulated:
    """Sums over the measured window.

    The window is cut into ten blocks, 32 parts and `pieces` of the observation, each as equal as
    whole steps (bins) allow. The intervals between spikes of a neuron that lie in the window are
    dealt to four groups in turn, the first interval to the first group.

    Intervals that end in the window may begin before it. Those longer than the time before the
    window are seen in a part of it only; their weight is one over this part.

    Attributes
    ----------
    observation : Observation
    spikes, spikes_before : ndarray of uint32, shape (N,)
        Spikes of every neuron in the window, and before it.
    interval_squares : ndarray, shape (N, 4)
        Sum of x²/(T − x) over the intervals x of a group, x and T in steps.
    interval_lengths : ndarray of uint32, shape (N, 4)
        Sum of x.
    interval_sums : ndarray, shape (followed, 32, 3)
        Of the first neurons of E, then of I: number, sum and sum of squares in steps of the
        intervals that end in each part, all with weights.
    interval_histogram : ndarray, shape (2, 128)
        Weights of the intervals of all neurons of E and of I by their length, from 0 to
        `longest_interval` of the observation.
    count_E, count_I : ndarray of uint32, shape (whole_bins,)
        Spikes of a population in bins of 1 ms.
    block_spikes : ndarray of uint64, shape (2, 10)
        Spikes of E and of I in blocks of steps.
    voltage_sums : ndarray, shape (pieces, 3)
        Number, sum and sum of squares about the reference of the probes' voltage in V, in pieces
        of steps, refractory time excluded.
    histogram : ndarray of uint64, shape (bins + 2,)
        Of the same voltages; first those below the range, last those above it.
    current_sums : ndarray, shape (3, pieces, 3)
        The same three sums of E, I and net input in V/s, averaged over bins of 1 ms in which the
        neuron was never refractory, in pieces of bins.
    recorded_neurons : ndarray of int32
        Neuron of each spike of the recorded neurons in the window, in the order of time.
    recorded_steps : ndarray of int64
        Its step, counted from the beginning of the simulation.
    traces : ndarray, shape (rows, traced)
        Voltage in V of the neurons for which it is kept, at the ends of the steps `every`,
        2 `every`, ... of the window.
    """

    observation: Observation
    spikes: np.ndarray
    spikes_before: np.ndarray
    interval_squares: np.ndarray
    interval_lengths: np.ndarray
    interval_sums: np.ndarray
    interval_histogram: np.ndarray
    count_E: np.ndarray
    count_I: np.ndarray
    block_spikes: np.ndarray
    voltage_sums: np.ndarray
    histogram: np.ndarray
    current_sums: np.ndarray
    recorded_neurons: np.ndarray
    recorded_steps: np.ndarray
    traces: np.ndarray


def _arrays(observation):
    """Type and shape of every array; −1 where only the run tells the length."""
    N, bins = observation.N, observation.whole_bins
    recording = observation.recording
    traced = recording.rows(observation.steps), len(recording.traced)
    return {
        "spikes": ("<u4", (N,)),
        "spikes_before": ("<u4", (N,)),
        "interval_squares": ("<f8", (N, GROUPS)),
        "interval_lengths": ("<u4", (N, GROUPS)),
        "interval_sums": ("<f8", (sum(observation.followed), PARTS, 3)),
        "interval_histogram": ("<f8", (2, INTERVAL_BINS)),
        "count_E": ("<u4", (bins,)),
        "count_I": ("<u4", (bins,)),
        "block_spikes": ("<u8", (2, BLOCKS)),
        "voltage_sums": ("<f8", (observation.pieces, 3)),
        "histogram": ("<u8", (observation.bins + 2,)),
        "current_sums": ("<f8", (3, observation.pieces, 3)),
        "recorded_neurons": ("<i4", (-1,)),
        "recorded_steps": ("<i8", (-1,)),
        "traces": (np.dtype(recording.dtype).newbyteorder("<").str, traced),
    }


def read(folder, observation):
    """Read what the compiled simulation wrote.

    Parameters
    ----------
    folder : path
        One file an array, and ``written``, which was made last and has their lengths.
    observation : Observation
        What the simulation was asked for.

    Returns
    -------
    Accumulated

    Raises
    ------
    SimulationError
        If a file is missing or its length is not the one expected; the message names it.
    """
    folder = Path(folder)
    try:
        lines = (folder / "written").read_text().splitlines()
        if not lines or lines[-1] != "end":
            raise SimulationError(f"{folder / 'written'}: is not complete: the run did not finish")
        lengths = {name: int(length) for name, length in (line.split() for line in lines[:-1])}
        found = {}
        for name, (dtype, shape) in _arrays(observation).items():
            expected = lengths[name] if shape == (-1,) else int(np.prod(shape))
            size, wanted = (folder / name).stat().st_size, expected * np.dtype(dtype).itemsize
            if size != wanted or lengths[name] != expected:
                raise SimulationError(
                    f"{folder / name}: got {size} bytes of {lengths[name]} numbers; expected "
                    f"{wanted} bytes of {expected}"
                )
            if name in _LONG and size:
                # The file's own pages, which stay after its name is gone: no second copy.
                array = np.asarray(np.memmap(folder / name, dtype, "c"))
            else:
                array = np.fromfile(folder / name, dtype)
            found[name] = array.reshape(shape)
    except OSError as error:
        raise SimulationError(f"{error.filename}: {error.strerror}") from error
    return Accumulated(observation, **found)


def from_monitors(observation, neurons, steps, v, refractory, current_E, current_I, traces=None):
    """The same from lists of spikes and from traces.

    Parameters
    ----------
    observation : Observation
    neurons, steps : ndarray of int
        Neuron and step of every spike of the simulation.
    v : ndarray, shape (T, probes)
        Voltage of the probes in V at the end of every step of the window. With instantaneous
        synapses it is advanced by half a step of the leak.
    refractory : ndarray of bool, shape (T, probes)
    current_E, current_I : ndarray, shape (T, probes)
        Their input in V/s.
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
    excitatory = neurons < o.N_E
    mine = np.isin(neurons, o.recording.spikes)
    found = {
        "spikes": np.bincount(neurons, minlength=o.N),
        "spikes_before": np.bincount(before, minlength=o.N),
        "interval_squares": squares,
        "interval_lengths": lengths,
        "interval_sums": sums,
        "interval_histogram": histogram,
        "block_spikes": [_per_block(o.steps, steps[part]) for part in (excitatory, ~excitatory)],
        "voltage_sums": _sums_of_pieces(o, v - o.reference, ~refractory),
        "histogram": _histogram(o, v[~refractory]),
        "current_sums": _current_sums(o, refractory, current_E, current_I),
        "recorded_neurons": neurons[mine],
        "recorded_steps": steps[mine] + o.first_step,
        "traces": np.empty((0, 0)) if traces is None else traces,
    }
    for name, part in (("count_E", excitatory), ("count_I", ~excitatory)):
        counts = np.bincount(steps[part] // o.steps_per_bin, minlength=o.whole_bins)
        found[name] = counts[: o.whole_bins]
    return Accumulated(
        o, **{name: np.asarray(found[name], dtype) for name, (dtype, _) in _arrays(o).items()}
    )


def block_lengths(total, blocks=BLOCKS):
    """How many of `total` steps or bins each block has, as :func:`numpy.array_split` cuts them."""
    return np.full(blocks, total // blocks) + (np.arange(blocks) < total % blocks)


def _place(total, steps, blocks):
    return np.searchsorted(np.cumsum(block_lengths(total, blocks)), steps, side="right")


def _per_block(total, steps):
    return np.bincount(_place(total, steps, BLOCKS), minlength=BLOCKS)


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
    inhibitory = owners >= o.N_E
    bins = (x * float(INTERVAL_BINS) / o.longest_interval).astype(int) + INTERVAL_BINS * inhibitory
    histogram = np.bincount(bins, weight, 2 * INTERVAL_BINS).reshape(2, INTERVAL_BINS)
    k = owners - o.N_E * inhibitory
    mine = k < np.where(inhibitory, o.followed[1], o.followed[0])
    slot = (k + o.followed[0] * inhibitory) * PARTS + _place(o.steps, at, PARTS)
    size = sum(o.followed) * PARTS
    sums = [
        np.bincount(slot[mine], weight[mine] * x[mine] ** float(power), size) for power in range(3)
    ]
    return np.transpose(sums).reshape(-1, PARTS, 3), histogram


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


def _histogram(o, v):
    slots = np.clip(1 + (v - o.low) * (o.bins / (o.high - o.low)), 0, o.bins + 1)
    return np.bincount(slots.astype(int), minlength=o.bins + 2)


def _current_sums(o, refractory, current_E, current_I):
    def binned(values):
        whole = values[: o.whole_bins * o.steps_per_bin]
        return whole.reshape(o.whole_bins, o.steps_per_bin, o.probes)

    kept = ~binned(refractory).any(axis=1)
    E, I = (binned(current).mean(axis=1) for current in (current_E, current_I))  # noqa: E741
    return [_sums_of_pieces(o, values, kept) for values in (E, I, E + I)]
