"""What a simulation accumulates while it runs: sums that do not grow with the number of spikes.

The compiled simulation makes them in C++ (``cpp/statistics.h``) and leaves them in files
(:func:`read`); one that runs in numpy has monitors instead, whose arrays give the same numbers
(:mod:`cbnet.simulation.measure.monitored`). What they mean is worked out in
:mod:`cbnet.simulation.measure.statistics`.

A spike of step n belongs to the time n dt; a voltage is seen at the end of a step, after the
resets, and belongs to (n + 1) dt.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ...errors import ParameterError, SimulationError
from ...model.parameters import POPULATIONS
from .recording import Recording

BLOCKS = 10
GROUPS = 4
PARTS = 32
INTERVAL_BINS = 128
REFRACTORINESS = 5e-3  # s, R of LvR
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
    sizes : tuple of int
        Neurons of each population, one after the other.
    first_step, steps : int
        First step of the measured window, and its steps.
    dt : float
        In s.
    probes : tuple of int
        How many neurons of each population have voltage and input in the statistics.
    low, high : tuple of float
        Of the histogram of each population's voltage, in V.
    reference : tuple of float
        Voltages near the mean, in V: squares are summed about them to keep their digits.
    bins : int
        Of each histogram.
    recording : cbnet.simulation.measure.recording.Recording
        Neurons whose spikes are listed, and those whose voltage is kept.
    correlation_time : float
        Time over which correlations last in s.
    connected : bool
        Whether the neurons are a network, whose rates may wander together.
    names : tuple of str
        Of the populations.
    kinds : tuple of str
        Of input whose currents are summed; none are without.
    neighbours : bool
        Whether successive intervals are compared (CV2 and LvR).

    Raises
    ------
    ParameterError
        If the window is shorter than ten steps or too long to be counted.
    """

    sizes: tuple
    first_step: int
    steps: int
    dt: float
    probes: tuple
    low: tuple
    high: tuple
    reference: tuple
    bins: int = 100
    recording: Recording = Recording(np.empty(0, np.int32), np.empty(0, np.int32))
    correlation_time: float = 0.0
    connected: bool = True
    names: tuple = POPULATIONS
    kinds: tuple = POPULATIONS
    neighbours: bool = False

    def __post_init__(self):
        if not BLOCKS <= self.steps < 2**31:
            raise ParameterError(
                f"duration: got {self.steps} steps of dt = {self.dt * 1e3:g} ms; expected at least "
                f"ten and fewer than 2^31"
            )

    @property
    def N(self):
        """All neurons."""
        return sum(self.sizes)

    @property
    def spans(self):
        """The neurons of each population, a list of slices."""
        return slices(self.sizes)

    @property
    def seen(self):
        """Indices of the populations that have probes."""
        return [p for p, number in enumerate(self.probes) if number]

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
        """How many neurons of each population have intervals summed in parts: the first of each."""
        return tuple(min(size, FOLLOWED) for size in self.sizes)

    @property
    def inputs(self):
        """Names of the currents that are summed: of each kind, and the net input."""
        return (*self.kinds, "net") if self.kinds else ()

    @property
    def longest_interval(self):
        """Steps from which on intervals are not seen well enough."""
        return self.first_step + self.steps - self.steps // 8

    @property
    def bytes(self):
        """Memory that accumulating takes, without the list of recorded spikes."""
        sums = 24 * (1 + len(self.inputs)) * self.pieces
        summed = len(self.sizes) * (4 * self.whole_bins + sums) + self.recording.bytes(self.steps)
        followed = sum(self.followed) * _BYTES_FOLLOWED * (1 + self.neighbours)
        return self.N * _BYTES_PER_NEURON + followed + summed


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
        Of the first neurons of each population: number, sum and sum of squares in steps of the
        intervals that end in each part, all with weights.
    interval_histogram : ndarray, shape (P, 128)
        Weights of the intervals of all neurons of each population by their length, from 0 to
        `longest_interval` of the observation.
    counts : ndarray of uint32, shape (P, whole_bins)
        Spikes of each population in bins of 1 ms.
    block_spikes : ndarray of uint64, shape (P, 10)
        Spikes of each population in blocks of steps.
    voltage_sums : ndarray, shape (P, pieces, 3)
        Number, sum and sum of squares about the reference of the probes' voltage in V, in pieces
        of steps, refractory time excluded.
    histogram : ndarray of uint64, shape (P, bins + 2)
        Of the same voltages; first those below the range, last those above it.
    current_sums : ndarray, shape (P, kinds + 1, pieces, 3)
        The same three sums of the input of each kind and of the net input in V/s, averaged over
        bins of 1 ms in which the neuron was never refractory, in pieces of bins.
    recorded_neurons : ndarray of int32
        Neuron of each spike of the recorded neurons in the window, in the order of time.
    recorded_steps : ndarray of int64
        Its step, counted from the beginning of the simulation.
    traces : ndarray, shape (rows, traced)
        Voltage in V of the neurons for which it is kept, at the ends of the steps `every`,
        2 `every`, ... of the window.
    local_sums : ndarray, shape (followed, 32, 3), optional
        Of pairs of successive intervals in the window of the first neurons of each population, by
        the part that they end in: number, and
        sums of their terms of CV2 and of LvR, all with weights
        (:mod:`cbnet.simulation.measure.local_variation`).
    """

    observation: Observation
    spikes: np.ndarray
    spikes_before: np.ndarray
    interval_squares: np.ndarray
    interval_lengths: np.ndarray
    interval_sums: np.ndarray
    interval_histogram: np.ndarray
    counts: np.ndarray
    block_spikes: np.ndarray
    voltage_sums: np.ndarray
    histogram: np.ndarray
    current_sums: np.ndarray
    recorded_neurons: np.ndarray
    recorded_steps: np.ndarray
    traces: np.ndarray
    local_sums: np.ndarray | None = None


def slices(lengths):
    """Slices of these lengths, one after the other."""
    ends = np.cumsum((0, *lengths)).tolist()
    return [slice(*pair) for pair in pairwise(ends)]


def arrays(observation):
    """Type and shape of every array; −1 where only the run tells the length."""
    N, P, bins = observation.N, len(observation.sizes), observation.whole_bins
    pieces = observation.pieces
    recording = observation.recording
    traced = recording.rows(observation.steps), len(recording.traced)
    neighbours = {"local_sums": ("<f8", (sum(observation.followed), PARTS, 3))}
    return (neighbours if observation.neighbours else {}) | {
        "spikes": ("<u4", (N,)),
        "spikes_before": ("<u4", (N,)),
        "interval_squares": ("<f8", (N, GROUPS)),
        "interval_lengths": ("<u4", (N, GROUPS)),
        "interval_sums": ("<f8", (sum(observation.followed), PARTS, 3)),
        "interval_histogram": ("<f8", (P, INTERVAL_BINS)),
        "counts": ("<u4", (P, bins)),
        "block_spikes": ("<u8", (P, BLOCKS)),
        "voltage_sums": ("<f8", (P, pieces, 3)),
        "histogram": ("<u8", (P, observation.bins + 2)),
        "current_sums": ("<f8", (P, len(observation.inputs), pieces, 3)),
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
        for name, (dtype, shape) in arrays(observation).items():
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


def block_lengths(total, blocks=BLOCKS):
    """How many of `total` steps or bins each block has, as :func:`numpy.array_split` cuts them."""
    return np.full(blocks, total // blocks) + (np.arange(blocks) < total % blocks)


def place(total, steps, blocks):
    return np.searchsorted(np.cumsum(block_lengths(total, blocks)), steps, side="right")
