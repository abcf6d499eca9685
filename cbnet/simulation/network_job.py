"""One simulation of a network of named populations, checked before anything is allocated."""

import dataclasses
import functools
from dataclasses import dataclass

import numpy as np

from ..errors import ParameterError, warn
from ..model.entry import SEED, Entry
from ..model.network import Network
from ..model.units import unit
from . import network_times, times
from .backends import network_values, standalone
from .brian import statements
from .measure import recording as recordings
from .measure.online import Observation
from .wiring import classes, storage

_PROBES = 100  # neurons of each population whose voltage is seen
_SAMPLES = 2_000_000  # voltages of a population that are kept until they are summed
_BINS = 200  # of the histogram of the voltage
_BELOW = 3.0  # the histogram begins so many times threshold − reset below the reset
_FEWEST_SAMPLES = 1000  # of the voltage in time, unless there are fewer steps
_BYTES_PER_SYNAPSE = 64  # Brian2's indices, queues, efficacy and delay, and the graph as drawn
_BYTES_STORED = 3  # of a synapse in the compiled core, which draws it
_BYTES_LISTED = 64  # of one that it is told, and that is drawn here
_BYTES_PER_SPIKE = 80  # Brian2's list, and its copies in order
_RATE = 50.0  # Hz, at which memory for spikes is counted


@dataclass(frozen=True)
class NetworkJob:
    """One simulation, checked and ready to run; times in s.

    Attributes
    ----------
    net : Network
        With sizes.
    dt, duration, transient : float
    seed, graph_seed : int
    recording : cbnet.simulation.measure.recording.Recording
    every : int
        Time steps from one voltage that enters statistics to the next.
    """

    net: object
    dt: float
    duration: float
    transient: float
    seed: int
    graph_seed: int
    recording: recordings.Recording
    every: int

    def to_dict(self):
        """Plain data, for a process of its own."""
        kept = dataclasses.asdict(self.recording)
        return {
            **{n: getattr(self, n) for n in ("dt", "duration", "transient", "every")},
            **{n: getattr(self, n) for n in ("seed", "graph_seed")},
            "net": self.net.to_dict(),
            "recording": {n: x.tolist() if hasattr(x, "tolist") else x for n, x in kept.items()},
        }

    @classmethod
    def from_dict(cls, stored):
        """The inverse of :meth:`to_dict`."""
        kept = stored["recording"]
        listed = {n: np.array(kept[n], np.int32) for n in ("spikes", "traced")}
        recording = recordings.Recording(**{**kept, **listed})
        return cls(**{**stored, "net": Network.from_dict(stored["net"]), "recording": recording})

    @functools.cached_property
    def refusal(self):
        """Why Brian2's own objects simulate it, and not the compiled core; empty if that does."""
        return (
            "there is no compiler" if standalone.compiler_missing() else classes.refusal(self.net)
        )

    @property
    def spans(self):
        """Where every population is."""
        return spans(self.net)

    @functools.cached_property
    def observation(self):
        """What is measured, and when."""
        lows, highs, references = zip(*map(_range, self.net.populations), strict=True)
        return Observation(
            sizes=self.spans.sizes,
            first_step=round(self.transient / self.dt),
            steps=round(self.duration / self.dt),
            dt=self.dt,
            probes=tuple(len(p) for p in self.probes),
            low=lows,
            high=highs,
            reference=references,
            bins=_BINS,
            recording=self.recording,
            correlation_time=network_times.correlation_time(self.net),
            connected=bool(self.net.projections),
            names=self.net.names,
            kinds=(),
            neighbours=True,
        )

    @property
    def probes(self):
        """The neurons of each population whose voltage is seen, counted within it."""
        return [_evenly(size, _PROBES) for size in self.spans.sizes]


def spans(net):
    """Where every population of a network is among all neurons."""
    return recordings.Spans(net.names, tuple(net.sizes[name] for name in net.names))


def _evenly(size, number):
    return np.unique(np.linspace(0, size - 1, min(size, number)).round().astype(int))


def _range(population):
    """Low and high end of the voltage's histogram, and where squares are summed about, in V."""
    means = {n: network_times.mean(x) for n, x in population.values.items()}
    low, high = (float(x) for x in statements.starting(population.neuron, means))
    if not low < high:
        low, high = min(low, -0.1), max(high, 0.05)
    return low - _BELOW * (high - low), high, low


def prepare(
    net,
    duration="1s",
    *,
    transient=None,
    dt=None,
    seed=0,
    graph_seed=None,
    record=0,
    memory=None,
):
    """Check the arguments of :func:`cbnet.simulate` for a network.

    Raises
    ------
    ParameterError
        If something asked for cannot be simulated.
    """
    _check_network(net)
    duration = _seconds(duration, "duration", above=0)
    seed = SEED.parse(seed, "seed")
    graph_seed = seed if graph_seed is None else SEED.parse(graph_seed, "graph_seed")
    step = network_times.step(net) if dt is None else _seconds(dt, "dt", above=0)
    _check_delays(net, step)
    if duration < 10 * step:
        raise ParameterError(
            f"duration: got {duration:g} s; expected at least ten steps of dt = {step * 1e3:g} ms"
        )
    slowest = network_times.of_network(net)
    if transient is None:
        ended = max((one.until for one in net.inputs if one.until), default=0.0)
        transient = times.transient_of(slowest, duration) + ended
    else:
        transient = _seconds(transient, "transient", at_least=0)
    recording = recordings.choose(record, spans(net), step, duration)
    kept = recording.every * step  # potentials are seen at multiples of it
    transient = kept * np.ceil(transient / kept - 1e-6) if len(recording.traced) else transient
    steps = round(duration / step)
    samples = max(_FEWEST_SAMPLES, _SAMPLES // _PROBES)
    job = NetworkJob(
        net=net,
        dt=step,
        duration=duration,
        transient=float(transient),
        seed=seed,
        graph_seed=graph_seed,
        recording=recording,
        every=max(1, -(-steps // samples)),
    )
    _check_memory(job, memory)
    times.check_run(slowest, transient, duration)
    for one in slowest:
        if one.kind == "time constant" and one.seconds < step:
            warn(f"{one} is below dt = {times.shown(step)}; take a shorter dt")
    return job


def _seconds(value, label, at_least=None, above=None):
    return Entry(label, 0, unit="s", at_least=at_least, above=above).parse(value, label)


def _check_network(net):
    for p in net.populations:
        if p.size is None:
            raise ParameterError(
                f"{p.name}.size: got none; expected how many neurons there are, to simulate them"
            )
        if p.neuron.variables["v"] != unit("mV")[1]:
            raise ParameterError(f"{p.name}: got a v that is no voltage; expected one in volt")


def _check_delays(net, dt):
    """Refuse delays between zero, which is the next step, and a step; tell which are rounded."""
    rounded = {}
    for p in net.projections:
        shortest, longest = network_times.ends(p.delay)
        if 0 < shortest < dt * (1 - 1e-9) or shortest < 0 or (shortest == 0 and longest > 0):
            raise ParameterError(
                f"{p.place}.delay: got delays from {shortest * 1e3:g} ms; expected at least dt = "
                f"{dt * 1e3:g} ms; take a shorter dt"
            )
        taken = max(1, round(shortest / dt)) * dt
        if shortest == longest > 0 and abs(taken - shortest) > 1e-6 * shortest:
            rounded[times.shown(shortest)] = times.shown(float(f"{taken:.6g}"))
    if rounded:
        told = ", ".join(f"{given} to {taken}" for given, taken in rounded.items())
        warn(f"delays are rounded to whole steps of dt = {times.shown(dt)}: {told}")


def _check_memory(job, memory):
    """Refuse what does not fit, before anything is allocated."""
    net, seen = job.net, job.observation
    synapses = sum(p.total for p in net.projections)
    if not job.refusal:
        listed = sum(
            p.total
            for p in net.projections
            if network_values.is_listed(p, net.sizes[p.target], job.dt)
        )
        own = _BYTES_STORED * (synapses - listed) + _BYTES_LISTED * listed
        per_spike, probes = 0, 0
    else:
        own, per_spike, probes = _BYTES_PER_SYNAPSE * synapses, _BYTES_PER_SPIKE, sum(seen.probes)
    available = storage.available_memory() if memory is None else memory
    spikes = seen.N * (job.transient + job.duration) * _RATE
    traces = job.recording.bytes(seen.steps)
    voltages = 9 * probes * (seen.steps // job.every)
    parts = {
        f"{synapses:.3g} synapses": own,
        f"spikes at {_RATE:g} Hz": per_spike * spikes,
        "voltages": 3 * (traces + voltages),
        "statistics": seen.bytes + 1000 * seen.N,
    }
    total = storage.BYTES + sum(parts.values())
    if total > available:
        told = ", ".join(f"{size / 1e9:.3g} GB for {what}" for what, size in parts.items())
        raise ParameterError(
            f"memory: got a network that takes about {total / 1e9:.3g} GB ({told}); expected at "
            f"most the {available / 1e9:.3g} GB available: take fewer neurons or synapses "
            "(net.resized), a shorter duration, or fewer traces"
        )
