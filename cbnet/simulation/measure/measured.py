"""The result of a network simulation."""

import dataclasses

import numpy as np

from ...model.parameters import POPULATIONS
from ...results import Result, variable
from .populations import by_population, unknown_errors

# Fields of the excitatory population alone.
_OF_E = (
    *("fano_1ms", "fano_1ms_sem", "V_mean", "V_mean_sem", "V_sd", "V_sd_sem"),
    *("V_grid", "V_density", "V_outside"),
    *("current_mean", "current_mean_sem", "current_sd", "current_sd_sem"),
)


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
    each, notes, doubts = by_population(accumulated)
    fields = {
        "spike_counts": accumulated.spikes.astype(int),
        "count_E_1ms": accumulated.counts[0].astype(int),
        "count_I_1ms": accumulated.counts[1].astype(int),
    }
    for k, population in enumerate(POPULATIONS):
        for name in ("rate", "cv"):
            fields[f"{name}_{population}"] = each[name][k]
            fields[f"{name}_{population}_sem"] = each[f"{name}_sem"][k]
        fields[f"cv_{population}_count"] = int(each["cv_count"][k])
    fields |= {name: each[name][0] for name in _OF_E}
    fields |= recorded(accumulated)
    fields["notes"] = "; ".join([*unknown_errors(fields, accumulated), *notes, *doubts])
    return fields, doubts


def recorded(accumulated):
    """What was kept of single neurons, as fields of a result."""
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
