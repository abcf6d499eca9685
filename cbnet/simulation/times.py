"""The times of a model, and the transient, length and step of a run that can show them."""

import re
from dataclasses import dataclass

import numpy as np

from ..errors import ParameterError, warn
from ..model.parameters import POPULATIONS
from ..model.units import unit

SHORTEST_S = 0.2  # transient that is not asked for
_RELAXED = 10.0  # times of the slowest one until nothing is left of the initial state
_LEAST = 2.5  # of them, in which a tenth of it is left
_LONGEST_S = 10.0  # transient that is taken without being asked for, however short the run
_ROUNDED = 1e-6  # share of a delay that rounding may change without a word


@dataclass(frozen=True)
class Time:
    """One time of a model.

    Attributes
    ----------
    kind : {"time constant", "refractory time", "delay"}
    name : str
    seconds : float
    """

    kind: str
    name: str
    seconds: float

    def __str__(self):
        return f"{self.name} = {shown(self.seconds)}"


def shown(seconds):
    """A time as a person writes it."""
    return f"{seconds:g} s" if seconds >= 0.5 else f"{seconds * 1e3:g} ms"


def of_params(params, connected=True):
    """Every time of a model: constants in its equations, refractory times, delays.

    Parameters
    ----------
    params : Parameters
    connected : bool
        Whether there are synapses between the neurons.

    Returns
    -------
    list of Time
        Slowest first.
    """
    found = {}
    for population in POPULATIONS:
        values = params.resolve(population)
        names = dict.fromkeys(re.findall(r"[A-Za-z_]\w*", params.model.coupling(values).equations))
        kinds = {name: "time constant" for name in names if _is_time(params.model, name)}
        kinds |= {"tau_rp": "refractory time"}
        kinds |= {"D_max": "delay"} if connected else {}
        for name, kind in kinds.items():
            if values[name] > 0:
                found[name, values[name]] = Time(kind, name, float(values[name]))
    return sorted(found.values(), key=lambda one: -one.seconds)


def slowest_constant(params):
    """The slowest time constant in the equations, s; 0 if there is none."""
    constants = [one for one in of_params(params, False) if one.kind == "time constant"]
    return constants[0].seconds if constants else 0.0


def _is_time(model, name):
    entry = model.entries.get(name)
    return entry is not None and not entry.choices and unit(entry.unit)[1] == unit("s")[1]


def transient(params, duration, connected=True):
    """How long a network is simulated before it is measured, if nothing is said: s.

    Ten times the slowest of its times, and at least 0.2 s.

    Raises
    ------
    ParameterError
        If that is very long.
    """
    return transient_of(of_params(params, connected), duration)


def transient_of(times, duration):
    """The same from a list of times, slowest first."""
    if not times:
        return SHORTEST_S
    slowest = times[0]
    found = max(SHORTEST_S, _RELAXED * slowest.seconds)
    if found > max(_LONGEST_S, _RELAXED * duration):
        raise ParameterError(
            f"transient: got none beside {slowest}, of which ten are {shown(found)}; expected one, "
            f"as in {shown(found)}, and a duration in which {slowest.name} can be seen"
        )
    return found


def check_length(job):
    """Warn of times that a run is too short for.

    Parameters
    ----------
    job : cbnet.simulation.job.Job
    """
    times = of_params(job.params, job.storage != "none")
    if job.graph:
        longest = max((int(d.max()) for *_, d in job.graph.values() if len(d)), default=0)
        times = [one for one in times if one.kind != "delay"]
        times.append(Time("delay", "the longest delay", longest * job.dt))
        times.sort(key=lambda one: -one.seconds)
    check_run(times, job.transient, job.duration)


def check_run(times, transient, duration):
    """Warn of times, a list with the slowest first, that a run is too short for."""
    if not times:
        return
    total = transient + duration
    for one in times:
        if one.kind == "delay" and one.seconds > total:
            _warn(f"{one} is longer than the run of {shown(total)}: some spikes never arrive")
        elif one.kind == "refractory time" and one.seconds >= duration:
            _warn(
                f"{one} is as long as the measured time of {shown(duration)}: no neuron fires "
                "twice in it; take a longer duration"
            )
        elif one.kind == "time constant" and one.seconds > duration:
            _warn(
                f"{one} is longer than the measured time of {shown(duration)}, which shows "
                "less than one of it; take a longer duration"
            )
    slowest = times[0]
    # who asks for none wants the beginning, unless there is little else
    wanted = transient == 0 and 4 * slowest.seconds <= duration
    if transient < _LEAST * slowest.seconds * (1 - 1e-9) and not wanted:
        _warn(
            f"transient: {shown(transient)} is short beside {slowest}: what is measured still "
            f"depends on the initial state; take {shown(_RELAXED * slowest.seconds)}"
        )


def in_steps(given, dt):
    """Delays of an explicit graph, in s, in whole steps; a warning says how much that changes."""
    steps = np.rint(given / dt).astype(np.int32)
    off = np.abs(given - steps * dt).max(initial=0.0)
    if off > _ROUNDED * dt:
        _warn(
            f"graph: delays are rounded to whole steps of dt = {shown(dt)}, by up to "
            f"{off * 1e3:.3g} ms"
        )
    return steps


def check_step(job):
    """Warn of what a time step cannot represent.

    Parameters
    ----------
    job : cbnet.simulation.job.Job
    """
    dt = job.dt
    for one in of_params(job.params, False):
        if one.kind == "time constant" and one.seconds < dt:
            _warn(
                f"{one} is below dt = {shown(dt)}: what happens within a step is not resolved; "
                "take a shorter dt"
            )
    width = max(1, round(1e-3 / dt)) * dt
    if abs(width - 1e-3) > 0.05 * 1e-3:
        _warn(
            f"dt = {shown(dt)}: no number of such steps is 1 ms; fano_1ms, counts and currents are "
            f"of bins of {shown(width)}"
        )
    if job.storage == "none" or job.graph:
        return
    rounded = {}
    for population in POPULATIONS:
        values = job.params.resolve(population)
        for name in ("D_min", "D_max"):
            taken = max(1, round(values[name] / dt)) * dt
            if abs(taken - values[name]) > _ROUNDED * values[name]:
                rounded[f"{name} = {shown(values[name])}"] = f"{taken * 1e3:.6g} ms"
    if rounded:
        told = ", ".join(f"{given} to {taken}" for given, taken in rounded.items())
        _warn(f"delays are rounded to whole steps of dt = {shown(dt)}: {told}")


def _warn(text):
    warn(text)
