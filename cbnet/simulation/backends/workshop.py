"""Run many simulations side by side, sharing compiled programs."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ...errors import SimulationError, warn
from ...model import unused
from ...model.parameters import POPULATIONS
from .. import times
from ..job import TARGET_BIAS
from ..measure.measured import Simulation, measure
from ..measure.stationarity import drifts
from ..step import timestep
from . import processes, standalone, structure

_PATIENCE = 2.0  # s of waiting for another process, after which a user is told


class Silent:
    """Progress for nobody."""

    def stage(self, name):
        """What is being done now."""

    def update(self, fraction):
        """How much of it."""


def run_jobs(jobs, processes_at_once=1, progress=None, meanwhile=None, finished=None):
    """Run simulations, each distinct program compiled once.

    Parameters
    ----------
    jobs : list of Job
    processes_at_once : int
        Programs that run side by side.
    progress : object, optional
        With methods ``stage(name)`` and ``update(fraction)``.
    meanwhile : callable, optional
        Work for this thread while programs are compiled.
    finished : callable, optional
        Called with the place of a job and its result as soon as there is one, in any order and
        from any thread.

    Returns
    -------
    list of Simulation
        In the order of the jobs.
    """
    progress = progress or Silent()
    for one in jobs:
        times.check_length(one)
    missing = standalone.compiler_missing()
    if missing:
        from . import interpreted

        interpreted.tell(missing)
        if meanwhile:
            meanwhile()
        progress.stage("simulating without a compiler")
        return [
            _handed_on(finished, place, _run_interpreted(one, progress))
            for place, one in enumerate(jobs)
        ]
    with ThreadPoolExecutor(processes_at_once) as pool, processes.Children() as children:
        return _Workshop(children, pool, processes_at_once, progress).run(jobs, meanwhile, finished)


def _handed_on(finished, place, result):
    if finished:
        finished(place, result)
    return result


class _Workshop:
    """The simulations of one call."""

    def __init__(self, children, pool, workers, progress):
        self.children, self.pool, self.workers, self.progress = children, pool, workers, progress
        self.build_s = {}
        self.guard = threading.Lock()

    def run(self, jobs, meanwhile=None, finished=None):
        first = {}
        for one in jobs:
            first.setdefault(structure.of_job(one).key, one)
        self.progress.stage(f"preparing {len(first)} program{'s' * (len(first) > 1)}")
        share = max(1, (os.cpu_count() or 1) // min(self.workers, len(first)))

        def prepare(item):
            key, one = item
            started = time.perf_counter()
            with standalone.program(one, self.children, share, self._waiting()):
                self.build_s[key] = time.perf_counter() - started

        self._map(prepare, list(first.items()), meanwhile)
        self.progress.stage(f"simulating {len(jobs)} network{'s' * (len(jobs) > 1)}")
        # the longest first, so that the last ones to finish are short
        order = sorted(range(len(jobs)), key=lambda i: -jobs[i].layout.synapses)
        fractions = np.zeros(len(jobs))
        weights = np.array([one.layout.synapses + one.layout.N for one in jobs], float)

        def execute(i):
            def report(fraction):
                fractions[i] = fraction
                self.progress.update(float(fractions @ weights / weights.sum()))

            return _handed_on(finished, i, self._execute(jobs[i], report))

        done = self._map(execute, order)
        return [result for _, result in sorted(zip(order, done, strict=True), key=lambda x: x[0])]

    def _map(self, work, items, meanwhile=None):
        futures = [self.pool.submit(work, item) for item in items]
        try:
            if meanwhile:
                meanwhile()
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise

    def _waiting(self):
        """What to do while another process makes the same program: say so, end when told to."""
        started = time.monotonic()
        said = []

        def waiting(who):
            self.children.check()
            if not said and time.monotonic() - started > _PATIENCE:
                said.append(who)
                self.progress.stage(f"waiting for {who}, which makes the same program")

        return waiting

    def _execute(self, one, report):
        started = time.perf_counter()
        with standalone.program(one, self.children, waiting=self._waiting()) as program:
            accumulated, counted = program.run(one, self.children, report)
        build_s = self.build_s[structure.of_job(one).key]
        wall_s = time.perf_counter() - started + build_s
        storage = one.storage
        if storage == "synapses":
            storage = "Brian2 Synapses (an on_pre that is not affine in v)"
        return _result(one, accumulated, counted, storage, build_s, wall_s)


def _run_interpreted(one, progress):
    from . import interpreted

    started = time.perf_counter()
    accumulated, counted = interpreted.run(one, progress.update)
    wall_s = time.perf_counter() - started
    storage = "Brian2 Synapses" if one.storage == "synapses" else "stored"
    storage = f"{storage}, numpy at run time"
    return _result(one, accumulated, counted, storage, 0.0, wall_s, compiled=False)


def _result(one, accumulated, counted, storage, build_s, wall_s, compiled=True):
    if not np.isfinite(accumulated.voltage_sums).all():
        raise SimulationError(
            f"v: a potential is no number any more: the equations run away within dt = "
            f"{one.dt * 1e3:g} ms, before the threshold is tested; take a lower threshold or a "
            "shorter dt"
        )
    fields, doubts = measure(accumulated)
    for doubt in doubts:
        warn(doubt)
    changing = drifts(accumulated, times.slowest_constant(one.params))
    if changing:
        told = ", ".join(map(str, changing[:3]))
        more = f" and {len(changing) - 3} more" if len(changing) > 3 else ""
        warn(
            f"the network drifts between the halves of the measured time: {told}{more}; take a "
            "longer transient or duration",
        )
    return Simulation(
        parameters=one.params,
        unused=unused.find(one.params, unused.of_simulation(one.params, one.storage == "none")),
        N=one.layout.N,
        N_E=one.layout.N_E,
        synapses=counted["synapses"],
        law="/".join(dict.fromkeys(one.params.resolve(p)["law"] for p in POPULATIONS)),
        storage=storage,
        arrivals=one.arrivals,
        dt=one.dt,
        **_shifts(one, fields, compiled),
        transient=one.transient,
        duration=one.duration,
        seed=one.seed,
        graph_seed=one.graph_seed,
        initial=one.initial if isinstance(one.initial, str) else f"{one.initial * 1e3:g} mV",
        wall_s=wall_s,
        build_s=build_s,
        wire_s=counted["wire_s"],
        simulate_s=counted["loop_s"],
        events=counted["events"],
        peak_rss_MB=counted["peak_bytes"] / 1e6 if "peak_bytes" in counted else _own_peak(),
        **fields,
    )


def _own_peak():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _shifts(one, fields, compiled):
    """Estimated shifts by the step at the rates that were measured, as fields of the result.

    Warns if the step is too long.
    """
    nu_E, nu_I = (float(fields[f"rate_{p}"]) for p in POPULATIONS)
    found = []
    for population in POPULATIONS if one.params.differing() else ("E",):
        values = one.params.resolve(population)
        rates = values["nu_X"] + nu_E, nu_I
        if one.storage == "none":
            rates = values["r_E"], values["r_I"]
        state = (*rates, population, compiled, one.arrivals)
        found.append((timestep.shifts(one.params, one.dt, *state), state))
    worst, state = max(found, key=lambda x: abs(x[0].rate) if np.isfinite(x[0].rate) else -1.0)
    of_E, _ = found[0]  # whose voltage it is
    seen = one.observation
    relative = {
        "rate of a neuron": worst.rate,
        "CV of a neuron": worst.cv,
        "mean potential, in units of θ − V_r,": of_E.V_mean / (seen.high[0] - seen.reference[0]),
        "sd of the potential": of_E.V_sd / float(fields["V_sd"]) if fields["V_sd"] > 0 else np.nan,
    }
    what = max(
        relative, key=lambda name: abs(relative[name]) if np.isfinite(relative[name]) else -1
    )
    if abs(relative[what]) > 2 * TARGET_BIAS:
        warn(
            f"dt = {one.dt * 1e3:g} ms shifts the {what} by an estimated {relative[what]:+.1%}; "
            + _advice(one, state),
        )
    return {
        "dt_bias": float(worst.rate),
        "dt_bias_cv": float(of_E.cv),
        "dt_bias_V_mean": of_E.V_mean,
        "dt_bias_V_sd": of_E.V_sd,
    }


def _advice(one, state):
    """What to do about a step that is too long."""
    if one.arrivals == "brian2":
        return "that is Brian2's order of arrivals; random order does without"
    shorter = timestep.within(one.params, TARGET_BIAS, one.dt, *state)
    if shorter is None:
        return (
            f"no step down to {timestep.LADDER[-1] * 1e3:g} ms keeps the rate within "
            f"{TARGET_BIAS:.0%}; expected neurons that fire less than once in many steps"
        )
    return f"take dt={shorter * 1e3:g}ms, which keeps the rate within {TARGET_BIAS:.0%}"
