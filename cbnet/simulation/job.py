"""One simulation, checked before anything is allocated."""

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np

from ..errors import ParameterError
from ..parameters import POPULATIONS, Entry, Parameters
from . import timestep
from .layout import Layout, layout

TARGET_BIAS = 0.01
_PROBES = 100  # excitatory neurons whose voltage and input are recorded in every step
_TRACE_VALUES = 10_000_000  # of each recorded variable, beyond which fewer neurons are probed


@dataclass(frozen=True)
class Job:
    """One simulation, checked and ready to run; times in s."""

    params: Parameters
    layout: Layout
    dt: float
    duration: float
    transient: float
    seed: int
    recorded: np.ndarray
    initial: object
    probes: np.ndarray = field(init=False)

    def __post_init__(self):
        steps = (self.transient + self.duration) / self.dt
        most = int(np.clip(_TRACE_VALUES / steps, 10, _PROBES))
        object.__setattr__(self, "probes", np.arange(min(most, self.layout.N_E)))

    @property
    def whole_time(self):
        """Simulated time, a whole number of steps."""
        return round((self.transient + self.duration) / self.dt) * self.dt

    @property
    def program_key(self):
        """What has to be compiled anew when it changes."""
        values = [self.params.resolve(p) for p in POPULATIONS]
        return _digest(
            self.params.model.to_dict(),
            [self.layout.N_E, self.layout.N_I, self.dt, self.whole_time],
            [self.recorded.tolist(), self.probes.tolist(), list(self.params.differing())],
            [[v["tau_E"] > 0, v["jump"], v["D_min"] == v["D_max"], v["D_min"]] for v in values],
            self.wiring_key if any(v["law"] != "fixed" for v in values) else values[0]["law"],
            sorted((f"{k}", v) for k, v in self.layout.in_degree.items()),
        )

    @property
    def wiring_key(self):
        """What the synapses depend on."""
        names = ("K", "gamma", "D_min", "D_max", "law", "CV_K")
        values = [[self.params.resolve(p)[name] for name in names] for p in POPULATIONS]
        return _digest([self.layout.N_E, self.layout.N_I], values, self.dt, self.seed)

    @property
    def streams(self):
        """Seeds of the wiring, the initial voltage, and the external input."""
        return np.random.SeedSequence(self.seed).spawn(3)

    @property
    def input_seed(self):
        """Of the external input and the order of arrivals, as Brian2 takes it."""
        return int(self.streams[2].generate_state(1)[0] >> 1)

    @property
    def initial_voltage(self):
        """Of every neuron, in V."""
        rng = np.random.default_rng(self.streams[1])
        drawn = rng.random(self.layout.N)
        parts = []
        for population in POPULATIONS:
            first, last = self.layout.span(population)
            values = self.params.resolve(population)
            low, high = values["V_r"], values["theta"]
            if self.initial == "uniform":
                parts.append(low + (high - low) * drawn[first:last])
            else:
                at = {"low": low, "high": high}.get(self.initial, self.initial)
                parts.append(np.full(last - first, at))
        return np.concatenate(parts)


def _digest(*content):
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]


def _seconds(value, label, at_least=None, above=None):
    row = Entry(label, 0, unit="s", at_least=at_least, above=above)
    return row.parse(value, label)


def prepare(
    params,
    N=10_000,
    duration="1s",
    *,
    transient="0.2s",
    dt=None,
    seed=0,
    record=0,
    initial="uniform",
    fraction_excitatory=0.8,
):
    """Check the arguments of :func:`cbnet.simulate` and choose the time step.

    Raises
    ------
    ParameterError
        If something asked for cannot be simulated.
    """
    duration = _seconds(duration, "duration", above=0)
    transient = _seconds(transient, "transient", at_least=0)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ParameterError(f"seed: got {seed}; expected a whole number of at least 0")
    sizes = layout(params, N, fraction_excitatory)
    if isinstance(initial, str) and initial in ("uniform", "low", "high"):
        start = initial
    else:
        try:
            start = Entry("initial", 0, unit="mV").parse(initial, "initial")
        except ParameterError as error:
            raise ParameterError(f"{error}; or 'uniform', 'low', 'high'") from None
    recorded = _recorded(record, sizes)
    shortest = min(params.resolve(p)["D_min"] for p in POPULATIONS)
    if shortest <= 0:
        raise ParameterError(
            f"D_min: got {shortest * 1e3:g} ms; expected a delay of at least one time step"
        )
    if dt is None:
        step, _ = timestep.choose(params, TARGET_BIAS)
        if step > shortest * (1 + 1e-9):
            raise ParameterError(
                f"D_min: got {shortest * 1e3:g} ms; expected at least the shortest time step, "
                f"{step * 1e3:g} ms"
            )
    else:
        step = _seconds(dt, "dt", above=0)
        if step > shortest * (1 + 1e-9):
            raise ParameterError(
                f"dt: got {step * 1e3:g} ms; expected at most the shortest delay, "
                f"D_min = {shortest * 1e3:g} ms"
            )
    if duration < 10 * step:
        raise ParameterError(
            f"duration: got {duration:g} s; expected at least ten steps of dt = {step * 1e3:g} ms"
        )
    return Job(params, sizes, step, duration, transient, int(seed), recorded, start)


def _recorded(record, sizes):
    if isinstance(record, int | np.integer) and not isinstance(record, bool):
        if not 0 <= record <= sizes.N:
            raise ParameterError(f"record: got {record}; expected 0 to N = {sizes.N} neurons")
        return np.unique(np.linspace(0, sizes.N - 1, record).round().astype(int))
    try:
        chosen = np.asarray(record)
    except ValueError:  # nested, of different lengths
        chosen = np.empty((0, 0))
    if chosen.ndim == 1 and chosen.size == 0:
        return np.empty(0, int)
    if (
        chosen.ndim != 1
        or chosen.dtype.kind not in "iu"
        or not 0 <= chosen.min() <= chosen.max() < sizes.N
    ):
        shown = " ".join(f"{record!r}".split())
        shown = shown if len(shown) < 60 else f"{shown[:60]}..."
        raise ParameterError(
            f"record: got {shown}; expected a number of neurons, or indices below N = {sizes.N}"
        )
    return np.unique(chosen).astype(int)
