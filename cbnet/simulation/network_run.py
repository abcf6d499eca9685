"""Simulate a network of named populations: what :func:`cbnet.simulate` does with a Network."""

import os
import time

import numpy as np

from ..errors import warn
from . import network_times
from .backends import brian2_objects, network_core, processes, standalone
from .brian import statements
from .measure.network_simulation import NetworkSimulation, measure
from .measure.stationarity import drifts
from .network_job import prepare

_COARSE = 0.1  # of threshold - reset, by which arrivals of a step may move v


def simulate_network(net, duration="1s", *, progress=None, **options):
    """Simulate a network, on the compiled core if that takes it, else through Brian2's objects.

    Parameters
    ----------
    net : Network
        With sizes.
    duration : Quantity
    progress, **options
        As of :func:`cbnet.simulate`: `transient`, `dt`, `seed`, `graph_seed`, `record`, `memory`.

    Returns
    -------
    NetworkSimulation
    """
    return run(prepare(net, duration, **options), progress)


def run(job, progress=None):
    """Run a job that is checked.

    Parameters
    ----------
    job : NetworkJob
    progress : object, optional
        With methods ``stage(name)`` and ``update(fraction)``.

    Returns
    -------
    NetworkSimulation
    """
    started = time.perf_counter()
    missing = standalone.compiler_missing()
    if missing:
        from .backends import interpreted

        interpreted.tell(missing)
    if progress:
        progress.stage("simulating 1 network")
    update = progress.update if progress else lambda fraction: None
    with processes.Children() as children:
        if job.refusal:
            accumulated, counted = brian2_objects.run(
                job, children, update, compiled=not missing, jobs=os.cpu_count()
            )
        else:
            accumulated, counted = network_core.run(job, children, update, os.cpu_count())
    fields, doubts = measure(accumulated)
    for doubt in doubts:
        warn(doubt)
    if missing and statements.depend_on_order(job.net):
        added = "numpy adds up the jumps of one step where each should see those before it"
        fields["notes"] = "; ".join(filter(None, [fields["notes"], added]))
    _tell_drifts(accumulated, job.net)
    if job.refusal:  # the core tests the threshold within steps
        _tell_coarse_jumps(job, fields)
    return NetworkSimulation(
        parameters=job.net,
        synapses=counted["synapses"],
        dt=job.dt,
        dt_bias=np.nan,
        transient=job.transient,
        duration=job.duration,
        seed=job.seed,
        graph_seed=job.graph_seed,
        storage=("Brian2 Synapses" if job.refusal else "stored")
        + (", numpy at run time" if missing else ""),
        wall_s=time.perf_counter() - started,
        build_s=counted["build_s"],
        simulate_s=counted["simulate_s"],
        peak_rss_MB=counted["peak_bytes"] / 1e6 if counted["peak_bytes"] else np.nan,
        **fields,
    )


def _tell_drifts(accumulated, net):
    constants = [t.seconds for t in network_times.of_network(net) if t.kind == "time constant"]
    changing = drifts(accumulated, max(constants, default=0.0))
    if changing:
        told = ", ".join(map(str, changing[:3]))
        more = f" and {len(changing) - 3} more" if len(changing) > 3 else ""
        warn(
            f"the network drifts between the halves of the measured time: {told}{more}; take a "
            "longer transient or duration"
        )


def _tell_coarse_jumps(job, fields):
    """Warn where what arrives in one step moves v far: the threshold is tested at its end only."""
    net, worst = job.net, (0.0, "")
    rows = net.arrivals(fields["rate"])
    for p, name in enumerate(net.names):
        low, high = job.observation.reference[p], job.observation.high[p]
        values = {n: network_times.mean(x) for n, x in net.values(name).items()}
        values["v"], variance = float(fields["V_mean"][p]), 0.0
        for row in (r for r in rows if r.target == name):
            synapse = net[name].neuron.synapses[row.kind]
            jump = statements.jump(synapse, values, network_times.mean(row.w))
            variance += row.total * job.dt * jump**2
        worst = max(worst, (float(np.sqrt(variance)) / (high - low), name))
    apart, name = worst
    if apart > _COARSE:
        warn(
            f"dt = {job.dt * 1e3:g} ms: arrivals of one step move v of {name} by {apart:.0%} of "
            "threshold - reset (sd), but the threshold is tested once a step; take "
            f"dt={float(f'{job.dt * (_COARSE / apart) ** 2 * 1e3:.1g}'):g}ms"
        )
