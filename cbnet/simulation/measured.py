"""The result of a network simulation."""

import dataclasses

import numpy as np

from .. import diffusion
from ..parameters import to_quantity
from ..results import Result, variable
from . import statistics


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Simulation(Result):
    """One simulated network.

    Standard errors are batch means over ten blocks of time; that of the CV is over neurons.

    Voltage, currents and Fano factor are those of the excitatory population; voltage and currents
    leave out refractory time. Currents are displacements of v a millisecond, in bins of 1 ms.
    """

    rate_E: object = variable("Hz", key="rate_E_Hz", meaning="rate of the excitatory population")
    rate_I: object = variable("Hz", key="rate_I_Hz", meaning="rate of the inhibitory population")
    rate_E_sem: object = variable("Hz", key="rate_E_Hz_sem", meaning="its standard error")
    rate_I_sem: object = variable("Hz", meaning="standard error of rate_I")
    cv_E: float = variable(key="cv_E", meaning="CV of intervals, E, neurons with at least ten")
    cv_I: float = variable(key="cv_I", meaning="CV of intervals, I, neurons with at least ten")
    cv_E_sem: float = variable(meaning="standard error of cv_E")
    cv_I_sem: float = variable(meaning="standard error of cv_I")
    cv_E_count: int = variable(meaning="neurons that cv_E averages")
    cv_I_count: int = variable(meaning="neurons that cv_I averages")
    fano_1ms: float = variable(key="fano_1ms", meaning="Fano factor of the count in 1 ms, E")
    fano_1ms_sem: float = variable(meaning="standard error of fano_1ms")
    V_mean: object = variable("mV", key="V_mean_mV", meaning="mean membrane potential")
    V_mean_sem: object = variable("mV", meaning="standard error of V_mean")
    V_sd: object = variable("mV", key="V_sd_mV", meaning="standard deviation of the potential")
    V_sd_sem: object = variable("mV", meaning="standard error of V_sd")
    V_grid: object = variable("mV", dims=("voltage",), meaning="potentials of V_density")
    V_density: object = variable("1/V", dims=("voltage",), meaning="density of the potential")
    current_mean: object = variable(
        "mV/ms", dims=("current",), meaning="mean of E, I and net input"
    )
    current_mean_sem: object = variable("mV/ms", dims=("current",), meaning="its standard error")
    current_sd: object = variable("mV/ms", dims=("current",), meaning="sd of E, I and net input")
    current_sd_sem: object = variable("mV/ms", dims=("current",), meaning="its standard error")
    N: int = variable(key="N", meaning="neurons")
    N_E: int = variable(key="N_E", meaning="excitatory neurons, which come first")
    synapses: int = variable(key="synapses", meaning="recurrent synapses")
    law: str = variable(key="law", meaning="law of the in-degrees")
    storage: str = variable(key="storage", meaning="how synapses are kept")
    dt: object = variable("ms", key="dt_ms", meaning="time step")
    dt_bias: float = variable(
        key="dt_bias", meaning="estimated relative error of an open-loop rate"
    )
    transient: object = variable("s", key="transient_s", meaning="time discarded first")
    duration: object = variable("s", key="duration_s", meaning="time measured")
    seed: int = variable(key="seed", meaning="seed of wiring, external input, initial voltage")
    initial: str = variable(meaning="initial voltage")
    wall_s: float = variable(key="wall_s", meaning="seconds for everything")
    build_s: float = variable(key="build_s", meaning="seconds compiling")
    wire_s: float = variable(key="wire_s", meaning="seconds wiring and loading synapses")
    simulate_s: float = variable(key="simulate_s", meaning="seconds in the loop over time")
    events: int = variable(key="events", meaning="recurrent synaptic events")
    peak_rss_MB: float = variable(key="peak_rss_MB", meaning="memory of the simulating process")
    recorded: object = variable(dims=("recorded",), meaning="recorded neurons")
    spike_neurons: object = variable(dims=("spike",), meaning="neuron of each recorded spike")
    spike_times: object = variable("s", dims=("spike",), meaning="recorded spikes")
    trace_times: object = variable("s", dims=("time",), meaning="times of the traces")
    V_traces: object = variable("mV", dims=("time", "recorded"), meaning="recorded potentials")


def measure(params, layout, arrays, dt, transient, duration, probes, recorded):
    """Statistics of the arrays that the monitors recorded.

    Parameters
    ----------
    params : Parameters
    layout : Layout
    arrays : dict of str to ndarray
        From a program's run.
    dt, transient, duration : float
        In s.
    probes, recorded : ndarray of int
        Excitatory neurons whose voltage and input make the statistics; neurons to hand out.

    Returns
    -------
    fields : dict
        Fields of :class:`Simulation`.
    first, second, differ
        See :func:`statistics.drift`; of all neurons.
    """
    start, stop = transient, transient + duration
    neurons, times = arrays["spikes_i"], arrays["spikes_t"]
    kept = times >= start
    neurons, times = neurons[kept], times[kept]
    excitatory = neurons < layout.N_E
    fields = {}
    for population, mine in (("E", excitatory), ("I", ~excitatory)):
        rate = statistics.rate(times[mine], layout.size(population), start, stop)
        cv, count = statistics.isi_cv(neurons[mine], times[mine], duration)
        fields |= {
            f"rate_{population}": to_quantity(rate.value, "Hz"),
            f"rate_{population}_sem": to_quantity(rate.sem, "Hz"),
            f"cv_{population}": cv.value,
            f"cv_{population}_sem": cv.sem,
            f"cv_{population}_count": count,
        }
    fano = statistics.fano(times[excitatory], start, stop)
    fields |= {"fano_1ms": fano.value, "fano_1ms_sem": fano.sem}
    fields |= _membrane(params, arrays, dt, start, np.union1d(probes, recorded), probes)
    listed = np.union1d(probes, recorded)
    columns = np.searchsorted(listed, recorded)
    now = arrays["traces_t"] >= start - dt / 2
    mine = np.isin(neurons, recorded)
    fields |= {
        "recorded": np.asarray(recorded, int),
        "spike_neurons": neurons[mine].astype(int),
        "spike_times": to_quantity(times[mine], "s"),
        "trace_times": to_quantity(arrays["traces_t"][now] if len(recorded) else np.empty(0), "s"),
        "V_traces": to_quantity(
            arrays["traces_v"][now][:, columns] if len(recorded) else np.empty((0, 0)), "mV"
        ),
    }
    return fields, *statistics.drift(times, start, stop)


def _membrane(params, arrays, dt, start, listed, probes):
    now = arrays["traces_t"] >= start - dt / 2
    columns = np.searchsorted(listed, probes)
    v = arrays["traces_v"][now][:, columns]
    active = arrays["traces_not_refractory"][now][:, columns].astype(bool)
    values = params.resolve("E")
    reduced = diffusion.of_model(params.model, values)
    currents = {}
    for population in "EI":
        jump = reduced.function(f"jump_{population}", values)(v)
        name, displacement = reduced.targets[population]
        if name == "v":
            arrived = arrays[f"traces_arrived_{population}"][now][:, columns]
            currents[population] = arrived * jump / dt
        else:
            # one spike adds `displacement` to s and moves v by `jump` in all, at the rate of decay
            per_s = displacement / reduced.decays[name]
            charge = float(per_s.subs({x: values[x.name] for x in per_s.free_symbols}))
            currents[population] = arrays[f"traces_{name}"][now][:, columns] * jump / charge
    currents["net"] = currents["E"] + currents["I"]
    if not reduced.filtered:
        # the leak has been applied for the whole step: halfway it is as in continuous time
        v = v - reduced.function("leak", values)(v) * dt / 2
    mean, sd = statistics.voltage(v, active)
    grid, heights = statistics.density(v, active)
    found = [statistics.current(currents[name], active, dt) for name in ("E", "I", "net")]
    return {
        "V_mean": to_quantity(mean.value, "mV"),
        "V_mean_sem": to_quantity(mean.sem, "mV"),
        "V_sd": to_quantity(sd.value, "mV"),
        "V_sd_sem": to_quantity(sd.sem, "mV"),
        "V_grid": to_quantity(grid, "mV"),
        "V_density": to_quantity(heights, "1/V"),
        "current_mean": to_quantity(np.array([m.value for m, _ in found]), "mV/ms"),
        "current_mean_sem": to_quantity(np.array([m.sem for m, _ in found]), "mV/ms"),
        "current_sd": to_quantity(np.array([s.value for _, s in found]), "mV/ms"),
        "current_sd_sem": to_quantity(np.array([s.sem for _, s in found]), "mV/ms"),
    }
