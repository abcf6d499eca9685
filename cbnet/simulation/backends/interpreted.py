"""Simulation without a compiler: Brian2's numpy target, for small networks."""

import time

import brian2
import numpy as np

from ...errors import warn
from ..brian import network
from ..measure.monitored import from_monitors


def tell(missing):
    """Say in one line that there is no compiler, and how to get one."""
    warn(
        f"{missing} not found: simulating with Brian2's numpy target, tens of times slower; get "
        "a C++ compiler and make (Debian: apt install g++ make; macOS: xcode-select --install)"
    )


def run(job, on_progress):
    """Run a job in this process.

    Returns
    -------
    accumulated : cbnet.simulation.measure.online.Accumulated
    counted : dict
        ``synapses``, ``events``, ``wire_s``, ``loop_s``, ``total_s``.
    """
    started = time.perf_counter()
    target = brian2.prefs.codegen.target
    brian2.prefs.codegen.target = "numpy"
    brian2.defaultclock.dt = job.dt * brian2.second
    try:
        brian2.seed(job.wires.synapse_seed)
        parts = network.create(job.params, job.layout, job.dt, job.wires, job.arrivals)
        network.assign(parts, job.params, job.layout, job.wires)
        parts.neurons.v = job.initial_voltage * brian2.volt
        spikes, probes = _monitors(parts, job.observation.probes[0])
        kept, keep = _traces(parts, job.observation)
        together = parts.network
        together.add(spikes, probes, keep)
        brian2.seed(job.wires.order_seed % 2**32)
        wired = time.perf_counter()
        steps = job.observation.first_step + job.observation.steps
        together.run(
            steps * job.dt * brian2.second,
            namespace={},
            report=lambda elapsed, completed, start, whole: on_progress(float(completed)),
            report_period=0.5 * brian2.second,
        )
        loop_s = time.perf_counter() - wired
        counted = _count(parts)
    finally:
        brian2.prefs.codegen.target = target
    accumulated = _accumulate(job, parts, spikes, probes, kept)
    total_s = time.perf_counter() - started
    return accumulated, counted | {"wire_s": wired - started, "loop_s": loop_s, "total_s": total_s}


def _monitors(parts, probes):
    """Of all spikes, and of what the membrane of probes is like at the end of every step."""
    neurons = parts.neurons
    seen = ["v", "lastspike", "held", "arrived_E", "arrived_I", *sorted(parts.reduced.decays)]
    return (
        brian2.SpikeMonitor(neurons, name="spikes"),
        brian2.StateMonitor(
            neurons,
            [name for name in seen if name in neurons.variables],
            record=np.arange(probes),
            when="end",
            name="probes",
        ),
    )


def _traces(parts, seen):
    """Potentials that are kept, and what fills them in."""
    recording = seen.recording
    kept = np.empty((recording.rows(seen.steps), len(recording.traced)), recording.dtype)
    neurons = parts.neurons
    voltage = neurons.variables["v"]

    @brian2.network_operation(clock=neurons.clock, when="end", name="keep")
    def keep():
        now = int(neurons.clock.timestep[:]) - seen.first_step + 1
        row, rest = divmod(now, recording.every)
        if rest == 0 and 1 <= row <= len(kept):
            kept[row - 1] = voltage.get_value()[recording.traced]

    return kept, keep


def _refractory(job, recorded, tau_rp):
    """Whether neurons are so at the ends of steps."""
    seen = job.observation
    now = np.arange(seen.first_step, seen.first_step + seen.steps)[:, None] * job.dt
    since = now + job.dt - recorded["lastspike"]
    held = recorded.get("held", tau_rp)
    refractory = since < held - job.dt / 2
    if job.arrivals == "random":
        # One that wakes up when a step begins is seen in half of the cases: what it goes through
        # in the step of its next spike is not.
        unseen = np.random.default_rng(job.seed).random(since.shape) < 0.5
        refractory |= unseen & (since < held + job.dt / 2)
    return refractory


def _count(parts):
    totals = {"synapses": 0, "events": 0}
    for synapses in parts.synapses.values():
        if isinstance(synapses, network.Projection):
            for name in totals:
                totals[name] += int(synapses.variables[name].get_value()[0])
        else:
            totals["synapses"] += len(synapses)
    if parts.synapses and not totals["events"]:
        totals["events"] = int(np.sum(parts.neurons.delivered[:]))
    return totals


def _accumulate(job, parts, spikes, probes, kept):
    """What a compiled program accumulates while it runs."""
    seen = job.observation
    # Copies: since Brian2 2.10 what a monitor shows is memory that goes with the monitor.
    recorded = {
        name: np.array(getattr(probes, f"{name}_").T)[seen.first_step :]
        for name in probes.record_variables
    }
    values = job.params.resolve("E")
    v = recorded["v"]
    refractory = _refractory(job, recorded, values["tau_rp"])
    if not job.reduced.filtered:
        v = v + job.reduced.function("leak", values)(v) * job.dt / 2
        refractory |= v > seen.high[0]
    currents = {}
    for population in "EI":
        h = job.reduced.function(f"jump_{population}", values)(v)
        target = parts.reduced.synapses[population].target
        if target == "v":
            currents[population] = recorded[f"arrived_{population}"] * h / job.dt
        else:
            charge = float(job.reduced.constant(f"charge_{population}", values))
            currents[population] = recorded[target] * h / charge
    steps = np.rint(np.array(spikes.t_[:]) / job.dt).astype(int)
    both = [currents[kind] for kind in seen.kinds]
    return from_monitors(seen, np.array(spikes.i[:]), steps, v, refractory, both, kept)
