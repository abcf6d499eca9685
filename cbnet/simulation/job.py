"""One simulation, checked before anything is allocated."""

import contextlib
import functools
from dataclasses import dataclass, field

import numpy as np

from ..errors import ParameterError
from ..model import reduced
from ..model.entry import SEED, Entry
from ..model.parameters import POPULATIONS, Parameters, require
from . import times
from .backends.standalone import compiler_missing
from .measure import recording as recordings
from .measure.online import Observation
from .step import timestep
from .wiring import drawing
from .wiring import storage as storages
from .wiring.layout import Layout, Wires, inputs, layout, projections

TARGET_BIAS = 0.01
ARRIVALS = ("random", "brian2")
_PROBES = 100  # excitatory neurons whose voltage and input are seen in every step
_BINS = 200  # of the histogram of the voltage
_MOST_STEPS_HELD = 2**24  # that a floating-point number of four bytes counts one by one
_LONGEST_DELAY = 1e3  # s: a step of 1 µs still counts it in four bytes


@dataclass(frozen=True)
class Job:
    """One simulation, checked and ready to run; times in s.

    Attributes
    ----------
    params : Parameters
    layout : Layout
    dt, duration, transient : float
    seed, graph_seed : int
        Of the noise and the initial voltage; of the drawing.
    recording : cbnet.simulation.measure.recording.Recording
        Neurons whose spikes and voltage are handed out.
    initial : str or float
        Initial voltage.
    storage : str
        How synapses are kept; ``"synapses"`` if Brian2's own deliver, ``"none"`` if there are none.
    arrivals : str
        Order within a step.
    counts : str
        Type of the numbers of arrivals.
    graph : dict, optional
        Explicit synapses by source population; delays in steps.
    """

    params: Parameters
    layout: Layout
    dt: float
    duration: float
    transient: float
    seed: int
    graph_seed: int
    recording: recordings.Recording
    initial: object
    storage: str
    arrivals: str = "random"
    counts: str = "int32"
    graph: dict | None = field(default=None, repr=False)

    @property
    def reduced(self):
        """Functions of the excitatory neurons."""
        return reduced.of_model(self.params.model, self.params.resolve("E"))

    @functools.cached_property
    def observation(self):
        """What is measured, and when."""
        values = self.params.resolve("E")
        threshold, reset = (
            float(self.reduced.constant(name, {**values, "R_E": 0.0, "R_I": 0.0}))
            for name in ("threshold", "reset")
        )
        return Observation(
            sizes=(self.layout.N_E, self.layout.N - self.layout.N_E),
            first_step=round(self.transient / self.dt),
            steps=round(self.duration / self.dt),
            dt=self.dt,
            probes=(min(_PROBES, self.layout.N_E), 0),
            low=(self._lowest(values, threshold, reset),) * 2,
            high=(threshold,) * 2,
            reference=(reset,) * 2,
            bins=_BINS,
            recording=self.recording,
            correlation_time=self.correlation_time,
            connected=self.storage != "none" or bool(self.graph),
        )

    @property
    def correlation_time(self):
        """Time over which activity may be correlated, in s, by time constants and delays.

        The longest of the membrane's time constant, three times a synaptic one (what synapses have
        filtered is filtered again by membranes and by the network) and the delays.
        """
        times = []
        for population in POPULATIONS:
            values = self.params.resolve(population) | {"R_E": 0.0, "R_I": 0.0}
            found = reduced.of_model(self.params.model, values)
            middle = (found.constant("threshold", values) + found.constant("reset", values)) / 2
            pull = -float(found.function("dleak", values)(middle))
            times += [1 / pull] if pull > 0 else []
            if found.filtered:
                times += [3 * float(found.constant(name, values)) for name in ("tau_E", "tau_I")]
            if self.storage != "none" and not self.graph:
                times.append(values["D_max"])
        for _, _, delays in (self.graph or {}).values():
            times.append(self.dt * delays.max(initial=0))
        return float(max(times, default=0.0))

    def _lowest(self, values, threshold, reset):
        """A voltage below which the membrane is not seen, or not often."""
        lowest = reset - 5 * (threshold - reset)
        v = np.linspace(lowest, reset, 1000)
        inhibits = self.reduced.function("jump_I", values)(v) < 0
        leaks = self.reduced.function("leak", values)(v) < 0
        down = np.flatnonzero(~(inhibits | leaks))  # where nothing pulls further down
        return float(v[down[-1]] if down.size else lowest)

    @property
    def streams(self):
        """Seeds of the wiring, the initial voltage, and the external input."""
        wiring_stream = np.random.SeedSequence(self.graph_seed).spawn(1)[0]
        return wiring_stream, *np.random.SeedSequence(self.seed).spawn(3)[1:]

    @functools.cached_property
    def wires(self):
        """How the populations are connected, with a seed for everything that is drawn."""
        wiring_stream, _, input_stream = self.streams
        rng = np.random.default_rng(wiring_stream)
        connected = self.storage != "none"
        external = {one.name: self._number(one, rng) for one in inputs(self.params, connected)}
        names = [name for name, _, _ in projections(self.params, connected)]
        *graph_seeds, synapse_seed = _whole_numbers(wiring_stream, len(names) + 1)
        order_seed, *drive_seeds = _whole_numbers(input_stream, 1 + len(external))
        return Wires(
            storage=self.storage,
            external=external,
            graph=self.graph,
            graph_seeds=dict(zip(names, graph_seeds, strict=True)),
            synapse_seed=synapse_seed % 2**32,
            drive_seeds=dict(zip(external, drive_seeds, strict=True)),
            order_seed=order_seed,
        )

    def _number(self, given, rng):
        """How many trains of an input every neuron has."""
        drawn = []
        for population in POPULATIONS if given.target is None else (given.target,):
            values = self.params.resolve(population)
            unlimited = [None] * self.layout.size(population)
            mean = given.mean_number(values)
            drawn.append(drawing.in_degrees(values["law"], mean, values["CV_K"], unlimited, rng))
        return np.concatenate(drawn)

    @property
    def initial_voltage(self):
        """Of every neuron, in V."""
        rng = np.random.default_rng(self.streams[1])
        drawn = rng.random(self.layout.N)
        parts = []
        for population in POPULATIONS:
            first, last = self.layout.span(population)
            values = {**self.params.resolve(population), "R_E": 0.0, "R_I": 0.0}
            low, high = (float(self.reduced.constant(n, values)) for n in ("reset", "threshold"))
            if self.initial == "uniform":
                parts.append(low + (high - low) * drawn[first:last])
            else:
                at = {"low": low, "high": high}.get(self.initial, self.initial)
                parts.append(np.full(last - first, at))
        return np.concatenate(parts)


def _whole_numbers(stream, count):
    """Seeds as C++ and numpy take them: of 63 bits."""
    return [int(x >> 1) for x in stream.generate_state(count, np.uint64)]


def _seconds(value, label, at_least=None, above=None):
    row = Entry(label, 0, unit="s", at_least=at_least, above=above)
    return row.parse(value, label)


def prepare(
    params,
    N=10_000,
    duration="1s",
    *,
    transient=None,
    dt=None,
    seed=0,
    graph_seed=None,
    record=0,
    initial="uniform",
    fraction_excitatory=0.8,
    storage="auto",
    arrivals="random",
    graph=None,
    feedforward=False,
    memory=None,
):
    """Check the arguments of :func:`cbnet.simulate` and choose the time step.

    Raises
    ------
    ParameterError
        If something asked for cannot be simulated.
    """
    require(params)
    duration = _seconds(duration, "duration", above=0)
    if transient is None:
        transient = times.transient(params, duration, connected=not feedforward)
    else:
        transient = _seconds(transient, "transient", at_least=0)
    seed = SEED.parse(seed, "seed")
    graph_seed = seed if graph_seed is None else SEED.parse(graph_seed, "graph_seed")
    sizes = layout(params, N, fraction_excitatory, connected=not feedforward)
    if isinstance(initial, str) and initial in ("uniform", "low", "high"):
        start = initial
    else:
        try:
            start = Entry("initial", 0, unit="mV").parse(initial, "initial")
        except ParameterError as error:
            raise ParameterError(f"{error}; or 'uniform', 'low', 'high'") from None
    recordings.parse(record)  # refused before a step is looked for
    _check_synapses(params)
    listed = _listed(params, sizes, graph)
    shortest = _shortest_delay(params, listed, connected=not feedforward)
    if arrivals not in ARRIVALS:
        raise ParameterError(f"arrivals: got {arrivals!r}; expected 'random' or 'brian2'")
    if storage not in storages.CHOICES:
        raise ParameterError(
            f"storage: got {storage!r}; expected {', '.join(map(repr, storages.CHOICES))}"
        )
    if dt is None:
        if sizes.in_degree:  # what does not fit with the longest step is refused before the search
            _kept(params, sizes, min(timestep.LADDER[0], shortest), storage, memory, feedforward)
        compiled = not compiler_missing()
        step, _ = timestep.choose(params, TARGET_BIAS, not feedforward, compiled, shortest)
    else:
        step = _seconds(dt, "dt", above=0)
    _check_delay(step, shortest, dt is None, listed)
    longest = max(params.resolve(p)["tau_rp"] for p in POPULATIONS)
    if longest / step > _MOST_STEPS_HELD:
        raise ParameterError(
            f"tau_rp: got {longest:g} s with dt = {step * 1e3:g} ms; expected at most "
            f"{_MOST_STEPS_HELD} steps; take a longer dt"
        )
    if duration < 10 * step:
        raise ParameterError(
            f"duration: got {duration:g} s; expected at least ten steps of dt = {step * 1e3:g} ms"
        )
    synapses = listed and {
        population: (*pairs, times.in_steps(delays, step))
        for population, (*pairs, delays) in listed.items()
    }
    if synapses:
        sizes = sizes.of_graph(synapses)
    if synapses and storage not in ("auto", "stored"):
        raise ParameterError(f"storage: got {storage!r} with an explicit graph; expected 'stored'")
    recording = recordings.choose(record, sizes, step, duration)
    traces = recording.bytes(round(duration / step))
    kept = _kept(params, sizes, step, storage, memory, feedforward, traces)
    one = Job(
        params=params,
        layout=sizes,
        dt=step,
        duration=duration,
        transient=transient,
        seed=seed,
        graph_seed=graph_seed,
        recording=recording,
        initial=start,
        storage=kept,
        arrivals=arrivals,
        counts=storages.count_type(params, sizes, step, kept != "none", synapses),
        graph=synapses,
    )
    _ = one.observation  # refuses what cannot be measured
    storages.check_traces(one, memory)
    times.check_step(one)
    return one


def _check_synapses(params):
    """Refuse populations that are not both instantaneous, or both filtered for both kinds."""
    first, second = (params.model.coupling(params.resolve(p)) for p in POPULATIONS)
    if first != second:
        raise ParameterError(
            "tau_S, jump: got different kinds of synapses on E and I; expected both instantaneous "
            "or both with a time constant, and one kind of jump"
        )
    for population in POPULATIONS:
        found = reduced.of_model(params.model, params.resolve(population))
        if found.partly_filtered:
            kind, target = next((k, t) for k, t in found.targets.items() if t != "v")
            raise ParameterError(
                f"model {params.model.name!r}: got a time constant of {kind} alone ({target!r}); "
                "expected one for both kinds of synapses or for none; give the other a short one"
            )


def _kept(params, sizes, dt, storage, memory, feedforward, traces=0):
    """How synapses are kept: a storage, ``"synapses"`` (Brian2's own) or ``"none"``.

    They share the memory with `traces` bytes, unless nothing fits beside these.
    """
    if traces:
        memory = storages.available_memory() if memory is None else memory
        with contextlib.suppress(ParameterError):
            return _kept(params, sizes, dt, storage, memory - traces, feedforward)
    if feedforward:
        return "none"
    if reduced.of_model(params.model, params.resolve("E")).affine_jumps:
        return storages.choose(params, sizes, dt, storage, memory)
    if storage not in ("auto", "stored"):
        raise ParameterError(
            f"storage: got {storage!r} with an on_pre that is not affine in v; expected 'auto'"
        )
    storages.check_brian2(params, sizes, memory)
    return "synapses"


def _shortest_delay(params, listed, connected=True):
    """The shortest delay of all synapses, s; infinite if there are none."""
    if not connected:
        return np.inf
    if listed:
        return min(
            (float(delays.min()) for *_, delays in listed.values() if delays.size), default=np.inf
        )
    shortest = min(params.resolve(p)["D_min"] for p in POPULATIONS)
    if shortest <= 0:
        raise ParameterError(
            f"D_min: got {shortest * 1e3:g} ms; expected a delay of at least one time step"
        )
    return shortest


def _check_delay(step, shortest, chosen, listed):
    """Refuse a step that is longer than the shortest delay."""
    # delays of an explicit graph are rounded to steps, of which one must be left
    fits = np.rint(shortest / step) >= 1 if listed else step <= shortest * (1 + 1e-9)
    if np.isinf(shortest) or fits:
        return
    if chosen:
        raise ParameterError(
            f"{'graph' if listed else 'D_min'}: got {shortest * 1e3:g} ms; expected at least the "
            f"shortest time step, "
            f"{step * 1e3:g} ms"
        )
    if listed:
        raise ParameterError(
            f"graph: got delays of {shortest * 1e3:g} ms, below dt = {step * 1e3:g} ms; expected "
            "at least one time step"
        )
    raise ParameterError(
        f"dt: got {step * 1e3:g} ms; expected at most the shortest delay, "
        f"D_min = {shortest * 1e3:g} ms"
    )


def _listed(params, sizes, graph):
    """An explicit graph with delays in s, checked; None for the other laws."""
    laws = {params.resolve(p)["law"] for p in POPULATIONS}
    if graph is None:
        if "explicit" in laws:
            raise ParameterError(
                "law: got 'explicit' without a graph; expected graph={'E': (sources, targets, "
                "delays), 'I': ...} (in Python)"
            )
        return None
    if laws != {"explicit"}:
        raise ParameterError(f"graph: got one with law {laws.pop()!r}; expected law='explicit'")
    if set(graph) != set(POPULATIONS):
        raise ParameterError(f"graph: got {sorted(graph)}; expected the sources 'E' and 'I'")
    found = {}
    for population in POPULATIONS:
        try:
            sources, targets, delays = graph[population]
        except (TypeError, ValueError):
            raise ParameterError(
                f"graph[{population!r}]: got {type(graph[population]).__name__}; expected "
                "(sources, targets, delays)"
            ) from None
        arrays = []
        for what, given, bound in (
            ("sources", sources, sizes.size(population)),
            ("targets", targets, sizes.N),
        ):
            array = np.asarray(given)
            if (
                array.ndim != 1
                or (array.size and array.dtype.kind not in "iu")
                or (array.size and not 0 <= array.min() <= array.max() < bound)
            ):
                raise ParameterError(
                    f"graph[{population!r}]: got {what} that are not whole numbers from 0 to "
                    f"{bound - 1}"
                )
            arrays.append(array.astype(np.int32))
        if len(arrays[0]) != len(arrays[1]):
            raise ParameterError(
                f"graph[{population!r}]: got {len(arrays[0])} sources and {len(arrays[1])} targets"
            )
        if isinstance(delays, str):
            delays = Entry("D", None, "ms").parse(delays, f"graph[{population!r}] delays")
        elif np.size(delays) and str(getattr(delays, "dim", "")) != "s":
            got = "a unit of " + str(delays.dim) if hasattr(delays, "dim") else "no unit"
            raise ParameterError(
                f"graph[{population!r}]: got delays with {got}; expected times, as in 1*ms"
            )
        try:
            given = np.broadcast_to(np.asarray(delays, float), arrays[0].shape)
        except ValueError:
            raise ParameterError(
                f"graph[{population!r}]: got delays that are not one time, or {len(arrays[0])} of "
                "them, in s"
            ) from None
        if not np.all((given > 0) & (given < _LONGEST_DELAY)):
            raise ParameterError(
                f"graph[{population!r}]: got delays that are not above 0 and below "
                f"{_LONGEST_DELAY:g} s; expected times of at least one time step"
            )
        found[population] = (*arrays, given)
    return found
