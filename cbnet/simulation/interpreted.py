"""Simulation without a compiler: Brian2's numpy target, for small networks."""

import time
import warnings

import brian2
import numpy as np

from ..errors import CbnetWarning
from . import network


def warn(missing):
    """Say in one line that there is no compiler, and how to get one."""
    warnings.warn(
        f"{missing} not found: simulating with Brian2's numpy target, tens of times slower; get "
        "a C++ compiler and make (Debian: apt install g++ make; macOS: xcode-select --install)",
        CbnetWarning,
        stacklevel=3,
    )


def run(job, wiring, external, on_progress):
    """Run a job in this process.

    Returns
    -------
    arrays : dict of str to ndarray
        What the monitors recorded.
    timing : dict
        ``total_s``, ``loop_s``.
    """
    started = time.perf_counter()
    target = brian2.prefs.codegen.target
    brian2.prefs.codegen.target = "numpy"
    try:
        parts = network.create(job.params, job.layout, job.dt)
        network.connect(parts, wiring, external, job.dt)
        parts.neurons.v = job.initial_voltage * brian2.volt
        spikes, traces = network.record(parts, np.union1d(job.probes, job.recorded), job.dt)
        together = parts.network
        together.add(spikes, traces)
        brian2.seed(job.input_seed)
        looped = time.perf_counter()
        together.run(
            job.whole_time * brian2.second,
            namespace={},
            report=lambda elapsed, completed, start, whole: on_progress(float(completed)),
            report_period=0.5 * brian2.second,
        )
        loop_s = time.perf_counter() - looped
    finally:
        brian2.prefs.codegen.target = target
    # Copies: since Brian2 2.10 what a monitor shows is memory that goes with the monitor.
    recorded = {"spikes_i": spikes.i, "spikes_t": spikes.t_, "traces_t": traces.t_}
    arrays = {name: np.array(view[:]) for name, view in recorded.items()}
    for name in traces.record_variables:
        arrays[f"traces_{name}"] = np.array(getattr(traces, f"{name}_").T)
    return arrays, {"total_s": time.perf_counter() - started, "loop_s": loop_s}
