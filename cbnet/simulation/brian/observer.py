"""What is measured while a compiled program runs, and when it ends."""

import numpy as np

from .. import cpp_text
from .kernel import Kernel

# Observation (cpp/statistics.h) as variables: every run of a program brings its own, and with them
# the time step and the seeds of Brian2's random numbers.
SETTINGS = (
    ("first_step", np.int64),
    ("measured_steps", np.int64),
    ("steps_per_bin", np.int32),
    ("probes", np.int32),
    ("low", float),
    ("high", float),
    ("bins", np.int32),
    ("pieces", np.int32),
    ("reference", float),
    ("trace_every", np.int32),
    ("trace_bytes", np.int32),
    ("time_step", float),
    ("brian_seed", np.int64),
    ("synapse_seed", np.int64),
)


class Observer(Kernel):
    """Accumulates statistics at the end of every step; after the last one it writes them and stops.

    The program runs until the observer stops it, so that the duration is a run argument too. The
    results folder then holds what :func:`cbnet.simulation.measure.online.read` reads.

    Parameters
    ----------
    neurons : NeuronGroup
        Excitatory neurons first.
    N_E : int
    reduced : Diffusion
        The strings, reduced: they give the input currents.
    values_of : callable
        As in :class:`cbnet.simulation.brian.fused.Population`, for the excitatory neurons.
    fused : bool
        Whether the neurons are :class:`cbnet.simulation.brian.fused.FusedNeurons`.
    arrivals : {"random", "brian2"}
        Order of the arrivals of a step.
    name : str
    """

    def __init__(self, neurons, N_E, reduced, values_of, fused, arrivals, name="observer"):
        super().__init__("observer", neurons.clock, "end", 0, name)
        add = self.variables
        add.add_constant("N", len(neurons))
        for setting, dtype in SETTINGS:
            add.add_array(setting, 1, dtype=dtype, scalar=True, constant=True)
        for which in ("recorded", "traced"):
            add.add_array(which, len(neurons), dtype=bool, constant=True)
        held = "held" if "held" in neurons.variables else values_of("tau_rp")
        used = ["v", "_spikespace", held, "lastspike"]
        used += [x for x in ("arrived_E", "arrived_I") if x in neurons.variables]
        used += sorted(reduced.decays)
        for variable in used:
            add.add_reference(variable, neurons, variable)
        expressions = {"leak": reduced.leak}
        for population in "EI":
            synapse = reduced.synapses[population]
            expressions[population] = synapse.per_target if synapse.filtered else synapse.jump
        names = cpp_text.names(*expressions.values())
        self._ready(
            [
                *(setting for setting, _ in SETTINGS),
                "recorded",
                "traced",
                "t",
                "dt",
                "t_in_timesteps",
                *used,
            ],
            eventspace=neurons.variables["_spikespace"],
            N_E=N_E,
            parameters=cpp_text.parameters(neurons, values_of, names),
            leak=cpp_text.text(expressions["leak"]),
            inputs={p: cpp_text.text(expressions[p]) for p in "EI"},
            synaptic={p: neurons.variables[s.target] for p, s in reduced.synapses.items()}
            if reduced.filtered
            else None,
            refractory_time=neurons.variables[held],
            fused=fused,
            # steps between the end of a step and where v is: with arrivals at its beginning or end
            # the middle of the leak is the mean
            lag=(0.0 if arrivals == "random" else -0.5) if fused else 0.5,
            halved=arrivals == "random" and not fused,
        )
        self.add_dependency(neurons)
