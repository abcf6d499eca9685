"""The result of a simulation of a network of named populations."""

import dataclasses

import numpy as np

from ...results import Result, variable
from ...results.by_population import ByPopulation
from ...results.spikes import SpikeReadings
from .measured import recorded
from .populations import by_population, unknown_errors

_P = ("population",)


def _each(unit=None, key=None, meaning=""):
    return variable(unit, _P, key, meaning)


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NetworkSimulation(SpikeReadings, ByPopulation, Result):
    """One simulated network of P populations; ``result["PV"]`` is what one of them does.

    Standard errors are those over noise within this one graph; they know nothing of how networks
    of other graphs differ. They are NaN, and `notes` say so, where the measured time is too short
    to tell, or rates wander on their own for as long.

    The potential is that of up to 100 neurons of each population, refractory time left out. CV2
    and LvR (R = 5 ms) are means over neurons with at least ten pairs of intervals. Where 1 ms is
    no whole number of time steps, a bin has the nearest whole number.

    References
    ----------
    Holt, Softky, Koch & Douglas, J. Neurophysiol. 75, 1806 (1996) (CV2).
    Shinomoto et al., PLoS Comput. Biol. 5, e1000433 (2009) (LvR).
    """

    populations: tuple = variable(None, _P, "populations", "names")
    sizes: object = _each(None, "sizes", "neurons")
    rate: object = _each("Hz", "rate_Hz", "rates")
    rate_sem: object = _each("Hz", "rate_Hz_sem", "standard errors of rate")
    cv: object = _each(None, "cv", "CV of the intervals")
    cv_sem: object = _each(None, "cv_sem", "standard error of cv")
    cv_count: object = _each(None, "cv_count", "neurons that cv rests on")
    cv2: object = _each(None, "cv2", "CV2 of successive intervals")
    cv2_sem: object = _each(None, "cv2_sem", "standard error of cv2")
    lvr: object = _each(None, "lvr", "LvR of successive intervals")
    lvr_sem: object = _each(None, "lvr_sem", "standard error of lvr")
    cv2_count: object = _each(None, "cv2_count", "neurons that cv2 and lvr rest on")
    fano_1ms: object = _each(None, "fano_1ms", "Fano factor of the count in 1 ms")
    fano_1ms_sem: object = _each(None, "fano_1ms_sem", "standard error of fano_1ms")
    V_mean: object = _each("mV", "V_mean_mV", "mean membrane potential")
    V_mean_sem: object = _each("mV", None, "standard error of V_mean")
    V_sd: object = _each("mV", "V_sd_mV", "standard deviation of the potential")
    V_sd_sem: object = _each("mV", None, "standard error of V_sd")
    V_grid: object = variable("mV", (*_P, "voltage"), None, "potentials of V_density")
    V_density: object = variable("1/V", (*_P, "voltage"), None, "density of the potential")
    V_outside: object = _each(None, None, "share of the potential outside of V_grid")
    spike_counts: object = variable(dims=("neuron",), meaning="spikes of every neuron")
    count_1ms: object = variable(dims=(*_P, "bin"), meaning="spikes in bins of 1 ms")
    synapses: int = variable(key="synapses", meaning="recurrent synapses")
    dt: object = variable("ms", key="dt_ms", meaning="time step")
    dt_bias: float = variable(key="dt_bias", meaning="not estimated")
    transient: object = variable("s", key="transient_s", meaning="time discarded first")
    duration: object = variable("s", key="duration_s", meaning="time measured")
    seed: int = variable(key="seed", meaning="seed of external input and initial values")
    graph_seed: int = variable(key="graph_seed", meaning="seed of the graph")
    storage: str = variable(key="storage", meaning="how synapses are kept")
    notes: str = variable(key="notes", meaning="what is not known, and why")
    wall_s: float = variable(key="wall_s", meaning="seconds for everything")
    build_s: float = variable(key="build_s", meaning="seconds until the program ran")
    simulate_s: float = variable(key="simulate_s", meaning="seconds that it ran")
    peak_rss_MB: float = variable(key="peak_rss_MB", meaning="memory of the simulating process")
    recorded: object = variable(dims=("recorded",), meaning="neurons whose spikes are recorded")
    spike_neurons: object = variable(dims=("spike",), meaning="neuron of each recorded spike")
    spike_times: object = variable("s", dims=("spike",), meaning="recorded spikes")
    trace_times: object = variable("s", dims=("time",), meaning="times of the traces")
    traced: object = variable(dims=("traced",), meaning="neurons of the traces")
    V_traces: object = variable("mV", dims=("time", "traced"), meaning="recorded potentials")

    @property
    def N(self):
        """All neurons."""
        return int(np.sum(self.sizes))

    def neurons(self, population):
        """The neurons of a population among all, first to last.

        Parameters
        ----------
        population : str

        Returns
        -------
        range
        """
        k = self[population]._index
        first = int(np.sum(self.sizes[:k]))
        return range(first, first + int(self.sizes[k]))


def measure(accumulated):
    """Statistics of what a simulation accumulated.

    Parameters
    ----------
    accumulated : Accumulated

    Returns
    -------
    fields : dict
        Fields of :class:`NetworkSimulation`.
    doubts : list of str
        Numbers among them that should not be trusted, and why.
    """
    fields, notes, doubts = by_population(accumulated)
    fields = {n: x for n, x in fields.items() if not n.startswith("current_")}
    fields |= {
        "populations": accumulated.observation.names,
        "sizes": np.array(accumulated.observation.sizes),
        "spike_counts": accumulated.spikes.astype(int),
        "count_1ms": accumulated.counts.astype(int),
    }
    fields |= recorded(accumulated)
    fields["notes"] = "; ".join([*unknown_errors(fields, accumulated), *notes, *doubts])
    return fields, doubts
