"""How the synapses of a network are kept, and whether this machine can hold them."""

import os

import numpy as np

from ...errors import ParameterError
from ...model.parameters import POPULATIONS
from ..backends import structure
from .layout import inputs, projections

CHOICES = ("auto", "stored", "bitmap", "procedural")
BYTES = 20_000_000  # of a program without neurons
BYTES_PER_NEURON = 300  # state, statistics and spikes under way
_BRIAN2_LAWS = ("fixed", "bernoulli", "explicit")
_BYTES_BRIAN2 = 64  # a synapse of Brian2's Synapses, at the peak
_BLOCK = 65_536  # targets whose number takes two bytes (cpp/storage.h)
_DENSE = 1 / 20  # connection probability from which bits beat numbers of two bytes
_FEWEST = 32  # targets with which nobody is left to exchange a synapse to oneself with
_SHARE = 0.8  # of the memory that may be filled before synapses are computed rather than kept


def choose(params, layout, dt, asked="auto", memory=None):
    """How to keep the synapses: by memory, then by speed.

    Parameters
    ----------
    params : Parameters
    layout : Layout
    dt : float
        Time step, s.
    asked : {"auto", "stored", "bitmap", "procedural"}
    memory : int, optional
        Bytes that may be used; by default what the machine has available.

    Returns
    -------
    str

    Raises
    ------
    ParameterError
        If the network does not fit in memory, or cannot be kept as asked.

    Notes
    -----
    ``"stored"``: two bytes a synapse and four for each neuron and delay. ``"bitmap"``: one bit for
    every pair of neurons, for a single delay; faster than numbers in dense networks if the
    processor has AVX-512. ``"procedural"``: nothing; the targets of a spike are computed again.
    """
    available = available_memory() if memory is None else memory
    refused = {name: _refusal(name, params, layout, dt) for name in CHOICES[1:]}
    needed = {name: _bytes(name, params, layout, dt) for name in CHOICES[1:]}
    if asked == "auto":
        order = ["stored", "procedural"]
        if _is_dense(layout) and structure.has_avx512():
            order.insert(0, "bitmap")
        possible = [name for name in order if not refused[name]]
        fitting = [name for name in possible if needed[name] <= _SHARE * available]
        fitting += [name for name in possible if needed[name] <= available]
        if fitting:
            return fitting[0]
        if not possible:
            reasons = "; ".join(f"{name!r} storage: {refused[name]}" for name in order)
            raise ParameterError(
                f"N: got {layout.N} with {layout.synapses:.3g} synapses; {reasons}"
            )
        way = min(possible, key=needed.get)
    else:
        way = asked
    if way not in needed:
        raise ParameterError(f"storage: got {asked!r}; expected {', '.join(CHOICES)}")
    if refused[way]:
        why = refused[way]
        if way == "stored" and refused["procedural"]:  # which it advises
            why += f" ('procedural': {refused['procedural']})"
        raise ParameterError(f"storage: got {asked!r}; {why}")
    if needed[way] > available:
        raise _too_large(
            layout, needed[way], way, available, _otherwise(refused, needed, available)
        )
    return way


def needed(job):
    """Estimated peak memory of a simulation, in bytes.

    Parameters
    ----------
    job : cbnet.simulation.job.Job
    """
    traces = job.recording.bytes(job.observation.steps)
    if job.storage == "none":
        return BYTES + BYTES_PER_NEURON * job.layout.N + traces
    if job.storage == "synapses":
        size = BYTES + _BYTES_BRIAN2 * job.layout.synapses + BYTES_PER_NEURON * job.layout.N
        return int(size) + traces
    return _bytes(job.storage, job.params, job.layout, job.dt) + traces


def check_traces(job, memory=None):
    """Raise ParameterError unless there is memory for the traces, beside the network."""
    traces = job.recording.bytes(job.observation.steps)
    available = available_memory() if memory is None else memory
    if not traces or (total := needed(job)) <= available:
        return
    rows, neurons = job.recording.rows(job.observation.steps), len(job.recording.traced)
    raise ParameterError(
        f"record: got traces of {traces / 1e9:.3g} GB ({rows} potentials of {neurons} neurons), "
        f"{total / 1e9:.3g} GB with the network; expected at most the {available / 1e9:.3g} GB "
        "available: take fewer neurons, a longer interval (every), dtype float32, a shorter "
        "duration, or spikes alone"
    )


def check_brian2(params, layout, memory=None):
    """Raise ParameterError unless Brian2's own Synapses know the law and fit in memory."""
    for population in POPULATIONS:
        law = params.resolve(population)["law"]
        if law not in _BRIAN2_LAWS:
            raise ParameterError(
                f"law: got {law!r} with an on_pre that is not affine in v, which Brian2's Synapses "
                f"deliver; expected {', '.join(map(repr, _BRIAN2_LAWS))}"
            )
    available = available_memory() if memory is None else memory
    needed = _BYTES_BRIAN2 * layout.synapses + BYTES_PER_NEURON * layout.N
    if needed > available:
        raise _too_large(layout, needed, "Brian2's Synapses", available, "take a smaller N or K")


def _too_large(layout, needed, how, available, otherwise):
    return ParameterError(
        f"N: got {layout.N} with {layout.synapses:.3g} synapses, which take about "
        f"{needed / 1e9:.3g} GB ({how}); expected at most the {available / 1e9:.3g} GB available: "
        f"{otherwise}"
    )


def _otherwise(refused, needed, available):
    for name in ("procedural", "bitmap", "stored"):
        if not refused[name] and needed[name] <= available:
            return f"storage {name!r} takes {needed[name] / 1e9:.3g} GB"
    if refused["procedural"]:
        return f"take a smaller N or K; 'procedural' storage: {refused['procedural']}"
    return "take a smaller N or K"


def _is_dense(layout):
    return all(k >= _DENSE * layout.size(source) for (source, _), k in layout.in_degree.items())


def slots(values, dt):
    """How many different delays there are, in time steps."""
    return int(np.rint(values["D_max"] / dt) - np.rint(values["D_min"] / dt)) + 1


def _each(params, layout):
    for _, source, target in projections(params):
        targets = layout.size(target) if target else layout.N
        degree = layout.in_degree[source, target or "E"]
        yield layout.size(source), targets, degree, params.resolve(target or "E")


def _refusal(storage, params, layout, dt):
    """Why synapses cannot be kept in this way; empty if they can."""
    for sources, targets, degree, values in _each(params, layout):
        law = values["law"]
        if storage == "stored" and degree * min(targets, _BLOCK) >= 2**32:
            return (
                f"{degree} synapses into each of {_BLOCK} neurons are more than 2^32; expected "
                "fewer: take a smaller K, or 'procedural' storage"
            )
        if storage == "bitmap" and (slots(values, dt) > 1 or law == "explicit"):
            return "expected one delay for all, as with D=1.5ms, and another law than 'explicit'"
        if storage != "procedural":
            continue
        if targets >= 2**30:
            return "expected fewer than 2^30 neurons"
        if targets < _FEWEST:
            return f"expected at least {_FEWEST} neurons"
        if law == "explicit":
            return "law 'explicit' has no procedural form; expected another law"
        if law == "gaussian" and values["CV_K"] < (least := _least_spread(params, layout)):
            return (
                f"CV_K {values['CV_K']:g} is below that of a random graph; expected "
                f"CV_K={least:.2g} or more, or another law"
            )
        if law == "fixed" and sources % degree:
            return (
                f"in-degree {degree} does not divide the {sources} neurons it comes from, which "
                "law='fixed' needs here; expected an N and K that do, or law='bernoulli'"
            )
    return ""


def _least_spread(params, layout):
    """The largest CV that in-degrees have if every pair is connected with the same probability."""
    variances = [
        max(0.0, 1 - degree / sources) / degree
        for sources, _, degree, _ in _each(params, layout)
        if degree
    ]
    return _upwards(np.sqrt(max(variances, default=0.0)))


def _upwards(value):
    """Two digits of it, such that they may be taken where at least this is needed."""
    step = 10 ** (np.floor(np.log10(value)) - 1) if value > 0 else 1.0
    return float(np.ceil(value / step) * step)


def _bytes(storage, params, layout, dt):
    """Estimated peak memory."""
    total = BYTES + BYTES_PER_NEURON * layout.N
    for sources, targets, degree, values in _each(params, layout):
        delays = 4 * sources * slots(values, dt)
        if storage == "stored":
            blocks = -(-targets // _BLOCK)
            total += 2 * degree * targets + blocks * delays + 4 * sources
            total += delays * (values["law"] == "bernoulli")  # while it is drawn
        elif storage == "bitmap":
            total += sources * targets // 8
        else:
            total += delays + 24 * sources + 4 * targets * (1 + (values["law"] == "gaussian"))
    return int(total)


def count_type(params, layout, dt, connected=True, graph=None):
    """Type of the number of arrivals of a step: two bytes where they cannot overflow.

    Raises
    ------
    ParameterError
        If even four bytes could.
    """
    most = outside = 0
    for population in POPULATIONS:
        values = params.resolve(population)
        for one in inputs(params, connected):
            mean = one.mean_number(values) * values[one.rate] * dt
            if values["law"] == "gaussian":
                mean *= 1 + 8 * values["CV_K"]
            outside = max(outside, mean + 12 * np.sqrt(mean) + 40)
            if outside > 65_000:
                raise ParameterError(
                    f"{one.rate}: got {mean:.3g} external spikes into a neuron in a step of "
                    f"{dt * 1e3:g} ms; expected fewer than 65000: take a shorter dt"
                )
        for source in POPULATIONS if connected else ():
            degree = layout.in_degree[source, population]
            # the most that can arrive: all presynaptic neurons fire at once
            spread = {
                "bernoulli": 12 * np.sqrt(degree) + 40,
                "gaussian": 8 * values["CV_K"] * degree,
            }
            most = max(most, degree + spread.get(values["law"], 0))
    for _, targets, _ in (graph or {}).values():
        if len(targets):
            most = max(most, np.bincount(targets).max())
    most += outside
    if most >= 2**31:
        raise ParameterError(
            f"K: got up to {most:.3g} arrivals in a step; expected fewer than 2^31: take a "
            "smaller K"
        )
    return "uint16" if most < 65_000 else "int32"


def available_memory():
    """Bytes of memory that can still be had."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
