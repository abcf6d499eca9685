"""Run many simulations side by side, sharing compiled programs and drawn synapses."""

import os
import tempfile
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import CbnetWarning
from ..parameters import POPULATIONS, to_quantity
from . import interpreted, processes, standalone, timestep, wiring
from .job import TARGET_BIAS
from .measured import Simulation, measure


class Silent:
    """Progress for nobody."""

    def stage(self, name):
        """What is being done now."""

    def update(self, fraction):
        """How much of it."""


def run_jobs(jobs, processes_at_once=1, progress=None):
    """Run simulations, each distinct program compiled once and each wiring drawn once.

    Parameters
    ----------
    jobs : list of Job
    processes_at_once : int
        Programs that run side by side.
    progress : object, optional
        With methods ``stage(name)`` and ``update(fraction)``.

    Returns
    -------
    list of Simulation
        In the order of the jobs.
    """
    progress = progress or Silent()
    missing = standalone.compiler_missing()
    if missing:
        interpreted.warn(missing)
        progress.stage("simulating without a compiler")
        return [_run_interpreted(one, progress) for one in jobs]
    with (
        tempfile.TemporaryDirectory(prefix="cbnet-") as scratch,
        ThreadPoolExecutor(processes_at_once) as pool,
        processes.Cancellation(),  # leaves first: the pool waits for its children
    ):
        return _Workshop(Path(scratch), pool, processes_at_once, progress).run(jobs)


@dataclass(frozen=True)
class Wired:
    """Synapses as runs need them: in a folder, with what statistics need to know of them.

    Attributes
    ----------
    folder : Path or None
    external : ndarray of int, shape (N,)
        Number of external inputs of each neuron.
    synapses : dict of str to int
        By source population.
    fan_out : ndarray of int, shape (N,)
        Out-degrees.
    seconds : float
        Time it took.
    """

    folder: Path
    external: np.ndarray
    synapses: dict
    fan_out: np.ndarray
    seconds: float


def _sizes(one, drawn):
    fan_out = [
        np.bincount(drawn[population].sources, minlength=one.layout.size(population))
        for population in POPULATIONS
    ]
    return {p: len(drawn[p].sources) for p in POPULATIONS}, np.concatenate(fan_out)


class _Workshop:
    """Compiled programs and drawn synapses of one call, in one scratch folder."""

    def __init__(self, scratch, pool, workers, progress):
        self.scratch, self.pool, self.workers, self.progress = scratch, pool, workers, progress
        self.wired, self.programs = {}, {}
        self.locks = {}
        self.guard = threading.Lock()

    def run(self, jobs):
        first = {}
        for one in jobs:
            first.setdefault(one.program_key, one)
        self.progress.stage(f"compiling {len(first)} program{'s' * (len(first) > 1)}")
        share = max(1, (os.cpu_count() or 1) // self.workers)
        self._map(lambda one: self._program(one, share), list(first.values()))
        self.progress.stage(f"simulating {len(jobs)} network{'s' * (len(jobs) > 1)}")
        # the longest first, so that the last ones to finish are short
        order = sorted(range(len(jobs)), key=lambda i: -jobs[i].layout.synapses)
        fractions = np.zeros(len(jobs))
        weights = np.array([one.layout.synapses for one in jobs], float)

        def execute(i):
            def report(fraction):
                fractions[i] = fraction
                self.progress.update(float(fractions @ weights / weights.sum()))

            return self._execute(jobs[i], report)

        done = self._map(execute, order)
        return [result for _, result in sorted(zip(order, done, strict=True), key=lambda x: x[0])]

    def _map(self, work, items):
        futures = [self.pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise

    def _once(self, store, key, make):
        with self.guard:
            lock = self.locks.setdefault((id(store), key), threading.Lock())
        with lock:
            if key not in store:
                store[key] = make()
            return store[key]

    def _wiring(self, one):
        def make():
            started = time.perf_counter()
            drawn = wiring.draw(one.params, one.layout, one.dt, one.streams[0])
            folder = self.scratch / f"wiring-{one.wiring_key}"
            folder.mkdir()
            standalone.write_wiring(folder, drawn[0], one.dt)
            return Wired(folder, drawn[1], *_sizes(one, drawn[0]), time.perf_counter() - started)

        return self._once(self.wired, one.wiring_key, make)

    def _program(self, one, jobs_at_once):
        def make():
            values = [one.params.resolve(p) for p in POPULATIONS]
            if all(v["law"] == "fixed" for v in values):
                sizes = {
                    source: sum(one.layout.in_degree[source, t] * one.layout.size(t) for t in "EI")
                    for source in POPULATIONS
                }
            else:
                sizes = self._wiring(one).synapses
            folder = self.scratch / f"program-{one.program_key}"
            folder.mkdir()
            listed = np.union1d(one.probes, one.recorded)
            return standalone.compile_network(
                one.params, one.layout, sizes, one.dt, one.whole_time, listed, folder, jobs_at_once
            )

        return self._once(self.programs, one.program_key, make)

    def _execute(self, one, report):
        started = time.perf_counter()
        program = self.programs[one.program_key]
        wired = self._wiring(one)
        arrays, timing = program.run(
            one.params, wired.folder, wired.external, one.initial_voltage, one.input_seed, report
        )
        timing |= {
            "build_s": program.build_s,
            "wire_s": wired.seconds + timing["total_s"] - timing["loop_s"],
            "wall_s": time.perf_counter() - started + program.build_s,
        }
        return _result(one, arrays, timing, wired, "Brian2 Synapses, C++ standalone")


def _run_interpreted(one, progress):
    started = time.perf_counter()
    drawn, external = wiring.draw(one.params, one.layout, one.dt, one.streams[0])
    wired = Wired(None, external, *_sizes(one, drawn), time.perf_counter() - started)
    arrays, timing = interpreted.run(one, drawn, external, progress.update)
    timing |= {
        "build_s": 0.0,
        "wire_s": wired.seconds + timing["total_s"] - timing["loop_s"],
        "wall_s": time.perf_counter() - started,
    }
    return _result(one, arrays, timing, wired, "Brian2 Synapses, numpy at run time")


def _result(one, arrays, timing, wired, storage):
    fields, first, second, differ = measure(
        one.params,
        one.layout,
        arrays,
        one.dt,
        one.transient,
        one.duration,
        one.probes,
        one.recorded,
    )
    if differ:
        N = one.layout.N
        warnings.warn(
            f"the rate drifts: {first.value / N:.4g} ± {first.sem / N:.2g} Hz in the first half of "
            f"the measured time, {second.value / N:.4g} ± {second.sem / N:.2g} Hz in the second; "
            "take a longer transient or duration",
            CbnetWarning,
            stacklevel=2,
        )
    spikes = np.bincount(arrays["spikes_i"], minlength=one.layout.N)
    return Simulation(
        parameters=one.params,
        N=one.layout.N,
        N_E=one.layout.N_E,
        synapses=sum(wired.synapses.values()),
        law="/".join(dict.fromkeys(one.params.resolve(p)["law"] for p in POPULATIONS)),
        storage=storage,
        dt=to_quantity(one.dt, "ms"),
        dt_bias=_bias_at(one, fields),
        transient=to_quantity(one.transient, "s"),
        duration=to_quantity(one.duration, "s"),
        seed=one.seed,
        initial=one.initial if isinstance(one.initial, str) else f"{one.initial * 1e3:g} mV",
        wall_s=timing["wall_s"],
        build_s=timing["build_s"],
        wire_s=timing["wire_s"],
        simulate_s=timing["loop_s"],
        events=int(spikes @ wired.fan_out),
        peak_rss_MB=timing["peak_bytes"] / 1e6 if "peak_bytes" in timing else _own_peak(),
        **fields,
    )


def _own_peak():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _bias_at(one, fields):
    """Estimated bias at the rates that were measured, with a warning if the step is too long."""
    nu_E, nu_I = (float(fields[f"rate_{p}"]) for p in POPULATIONS)
    worst = 0.0
    for population in POPULATIONS if one.params.differing() else ("E",):
        r_E = one.params.resolve(population)["nu_X"] + nu_E
        found = timestep.bias(one.params, one.dt, r_E, nu_I, population)
        if np.isfinite(found) and abs(found) > abs(worst):
            worst = found
    if abs(worst) > 2 * TARGET_BIAS:
        warnings.warn(
            f"dt = {one.dt * 1e3:g} ms shifts the rate of a neuron by an estimated {worst:+.1%}; "
            f"leave dt out for a step that keeps it within {TARGET_BIAS:.0%}",
            CbnetWarning,
            stacklevel=3,
        )
    return float(worst)
