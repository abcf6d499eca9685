"""The result of a network simulation."""

import dataclasses

import numpy as np

from ...results import Result, variable
from . import irregularity, long_run, statistics
from .online import PARTS


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Simulation(Result):
    """One simulated network.

    Standard errors are those over noise within this one graph; they know nothing of how networks
    of other graphs differ. They are NaN, and `notes` say so, where the measured time is too short
    to tell, or rates wander on their own for as long
    (``cbnet.simulation.measure.long_run.wander``).

    Voltage, currents and Fano factor are those of the excitatory population; voltage and currents
    leave out refractory time. Currents are displacements of v a millisecond, in bins of 1 ms.
    Where 1 ms is no whole number of time steps, a bin has the nearest whole number.
    """

    rate_E: object = variable("Hz", key="rate_E_Hz", meaning="rate of the excitatory population")
    rate_I: object = variable("Hz", key="rate_I_Hz", meaning="rate of the inhibitory population")
    rate_E_sem: object = variable("Hz", key="rate_E_Hz_sem", meaning="its standard error")
    rate_I_sem: object = variable("Hz", meaning="standard error of rate_I")
    cv_E: float = variable(key="cv_E", meaning="CV of inter-spike intervals, E")
    cv_I: float = variable(key="cv_I", meaning="CV of inter-spike intervals, I")
    cv_E_sem: float = variable(meaning="standard error of cv_E")
    cv_I_sem: float = variable(meaning="standard error of cv_I")
    cv_E_count: int = variable(key="cv_E_count", meaning="neurons that cv_E rests on")
    cv_I_count: int = variable(key="cv_I_count", meaning="neurons that cv_I rests on")
    fano_1ms: float = variable(key="fano_1ms", meaning="Fano factor of the count in 1 ms, E")
    fano_1ms_sem: float = variable(meaning="standard error of fano_1ms")
    V_mean: object = variable("mV", key="V_mean_mV", meaning="mean membrane potential")
    V_mean_sem: object = variable("mV", meaning="standard error of V_mean")
    V_sd: object = variable("mV", key="V_sd_mV", meaning="standard deviation of the potential")
    V_sd_sem: object = variable("mV", meaning="standard error of V_sd")
    V_grid: object = variable("mV", dims=("voltage",), meaning="potentials of V_density")
    V_density: object = variable("1/V", dims=("voltage",), meaning="density of the potential")
    V_outside: float = variable(meaning="share of the potential outside of V_grid")
    current_mean: object = variable(
        "mV/ms", dims=("current",), meaning="mean of E, I and net input"
    )
    current_mean_sem: object = variable("mV/ms", dims=("current",), meaning="its standard error")
    current_sd: object = variable("mV/ms", dims=("current",), meaning="sd of E, I and net input")
    current_sd_sem: object = variable("mV/ms", dims=("current",), meaning="its standard error")
    spike_counts: object = variable(dims=("neuron",), meaning="spikes of every neuron")
    count_E_1ms: object = variable(dims=("bin",), meaning="spikes of E in bins of 1 ms")
    count_I_1ms: object = variable(dims=("bin",), meaning="spikes of I in bins of 1 ms")
    N: int = variable(key="N", meaning="neurons")
    N_E: int = variable(key="N_E", meaning="excitatory neurons, which come first")
    synapses: int = variable(key="synapses", meaning="recurrent synapses")
    law: str = variable(key="law", meaning="law of the in-degrees")
    storage: str = variable(key="storage", meaning="how synapses are kept")
    arrivals: str = variable(meaning="order of the arrivals of a step")
    dt: object = variable("ms", key="dt_ms", meaning="time step")
    dt_bias: float = variable(
        key="dt_bias", meaning="estimated relative error of an open-loop rate"
    )
    dt_bias_cv: float = variable(key="dt_bias_cv", meaning="the same of the CV, E")
    dt_bias_V_mean: object = variable(
        "mV", key="dt_bias_V_mean_mV", meaning="estimated error of V_mean from the step"
    )
    dt_bias_V_sd: object = variable(
        "mV", key="dt_bias_V_sd_mV", meaning="estimated error of V_sd from the step"
    )
    transient: object = variable("s", key="transient_s", meaning="time discarded first")
    duration: object = variable("s", key="duration_s", meaning="time measured")
    seed: int = variable(key="seed", meaning="seed of external input and initial voltage")
    graph_seed: int = variable(key="graph_seed", meaning="seed of the wiring")
    initial: str = variable(meaning="initial voltage")
    notes: str = variable(key="notes", meaning="what is not known, and why")
    wall_s: float = variable(key="wall_s", meaning="seconds for everything")
    build_s: float = variable(key="build_s", meaning="seconds compiling")
    wire_s: float = variable(key="wire_s", meaning="CPU seconds wiring and loading synapses")
    simulate_s: float = variable(key="simulate_s", meaning="CPU seconds in the loop over time")
    events: int = variable(key="events", meaning="recurrent synaptic events")
    peak_rss_MB: float = variable(key="peak_rss_MB", meaning="memory of the simulating process")
    recorded: object = variable(dims=("recorded",), meaning="neurons whose spikes are recorded")
    spike_neurons: object = variable(dims=("spike",), meaning="neuron of each recorded spike")
    spike_times: object = variable("s", dims=("spike",), meaning="recorded spikes")
    trace_times: object = variable("s", dims=("time",), meaning="times of the traces")
    traced: object = variable(dims=("traced",), meaning="neurons of the traces")
    V_traces: object = variable("mV", dims=("time", "traced"), meaning="recorded potentials")


def measure(accumulated):
    """Statistics of what a simulation accumulated.

    Parameters
    ----------
    accumulated : Accumulated

    Returns
    -------
    fields : dict
        Fields of :class:`Simulation`.
    doubts : list of str
        Numbers among them that should not be trusted, and why.
    """
    seen = accumulated.observation
    window = seen.steps * seen.dt
    bin_s = seen.steps_per_bin * seen.dt
    fields = {
        "spike_counts": accumulated.spikes.astype(int),
        "count_E_1ms": accumulated.count_E.astype(int),
        "count_I_1ms": accumulated.count_I.astype(int),
    }
    notes, doubts = [], []
    wander = seen.connected and long_run.wander(
        accumulated.interval_sums[:, :, 0], seen.correlation_time / window * PARTS
    )
    lasting = np.inf if wander else seen.correlation_time
    parts = {"E": slice(0, seen.N_E), "I": slice(seen.N_E, seen.N)}
    for population, mine in parts.items():
        rate = statistics.rate(
            fields[f"count_{population}_1ms"],
            bin_s,
            mine.stop - mine.start,
            accumulated.spikes[mine].sum(),
            window,
            lasting,
        )
        cv = irregularity.measured(accumulated, population, lasting)
        if cv.doubt:
            (notes if np.isnan(cv.value) else doubts).append(f"cv_{population} {cv.doubt}")
        fields |= {
            f"rate_{population}": rate.value,
            f"rate_{population}_sem": rate.sem,
            f"cv_{population}": cv.value,
            f"cv_{population}_sem": cv.sem,
            f"cv_{population}_count": cv.count,
        }
    fano = statistics.fano(accumulated.count_E, lasting / bin_s)
    fields |= {"fano_1ms": fano.value, "fano_1ms_sem": fano.sem}
    fields |= _membrane(accumulated, lasting) | _recorded(accumulated)
    fields["notes"] = "; ".join(
        [*_unknown_errors(fields, window, seen.correlation_time, wander), *notes, *doubts]
    )
    return fields, doubts


def _unknown_errors(fields, window, known, wander):
    """Why standard errors are not known, in no sentence or one."""
    if not long_run.long_enough(window, known):
        return [
            f"standard errors need {long_run.SHORTEST} times the {known * 1e3:.4g} ms over which "
            f"activity may be correlated: measure for {long_run.SHORTEST * known:.3g} s"
        ]
    if wander:
        return [
            "standard errors: the neurons' rates wander together, which fluctuates too slowly for "
            f"{window:.3g} s: take several seeds"
        ]
    names = [name.removesuffix("_sem") for name in fields if name.endswith("_sem")]
    unknown = [
        name
        for name in names
        if np.any(np.isfinite(fields[name]) & np.isnan(fields[f"{name}_sem"]))
    ]
    if not unknown:
        return []
    return [f"standard error of {', '.join(unknown)}: fluctuates too slowly for {window:.3g} s"]


def _membrane(accumulated, lasting):
    seen = accumulated.observation
    pieces = lasting / (seen.steps * seen.dt) * seen.pieces
    mean, sd = statistics.mean_and_sd(accumulated.voltage_sums, seen.reference, pieces)
    grid, heights, outside = statistics.density(accumulated.histogram, seen.low, seen.high)
    found = [statistics.mean_and_sd(sums, 0.0, pieces) for sums in accumulated.current_sums]
    return {
        "V_mean": mean.value,
        "V_mean_sem": mean.sem,
        "V_sd": sd.value,
        "V_sd_sem": sd.sem,
        "V_grid": grid,
        "V_density": heights,
        "V_outside": outside,
        "current_mean": np.array([m.value for m, _ in found]),
        "current_mean_sem": np.array([m.sem for m, _ in found]),
        "current_sd": np.array([s.value for _, s in found]),
        "current_sd_sem": np.array([s.sem for _, s in found]),
    }


def _recorded(accumulated):
    seen = accumulated.observation
    # a voltage is seen at the end of its step
    steps = seen.first_step + seen.recording.every * (1 + np.arange(len(accumulated.traces)))
    return {
        "recorded": np.asarray(seen.recording.spikes, int),
        "traced": np.asarray(seen.recording.traced, int),
        "spike_neurons": accumulated.recorded_neurons.astype(int),
        "spike_times": accumulated.recorded_steps * seen.dt,
        "trace_times": steps * seen.dt,
        "V_traces": accumulated.traces,
    }
