"""What is measured while a compiled program runs, and when it ends."""

from dataclasses import dataclass

import numpy as np

from .. import cpp_text
from .kernel import Kernel

# Observation (cpp/statistics.h) as variables: every run of a program brings its own, and with them
# the time step and the seeds of Brian2's random numbers.
SETTINGS = (
    ("first_step", np.int64),
    ("measured_steps", np.int64),
    ("steps_per_bin", np.int32),
    ("bins", np.int32),
    ("pieces", np.int32),
    ("trace_every", np.int32),
    ("trace_bytes", np.int32),
    ("refractoriness", float),
    ("time_step", float),
    ("brian_seed", np.int64),
    ("synapse_seed", np.int64),
)


# The same of each population.
OF_POPULATIONS = (
    ("sizes", np.int32),
    ("probes", np.int32),
    ("low", float),
    ("high", float),
    ("reference", float),
)


class Observer(Kernel):
    """Accumulates statistics at the end of every step; after the last one it writes them and stops.

    The program runs until the observer stops it, so that the duration is a run argument too. The
    results folder then holds what :func:`cbnet.simulation.measure.online.read` reads.

    Parameters
    ----------
    neurons : NeuronGroup
    populations : int
        How many.
    seen : Seen
        What to look at.
    name : str
    """

    def __init__(self, neurons, populations, seen, name="observer"):
        super().__init__("observer", neurons.clock, "end", 0, name)
        add = self.variables
        add.add_constant("N", len(neurons))
        for setting, dtype in SETTINGS:
            add.add_array(setting, 1, dtype=dtype, scalar=True, constant=True)
        for setting, dtype in OF_POPULATIONS:
            add.add_array(setting, populations, dtype=dtype, constant=True)
        for which in ("recorded", "traced"):
            add.add_array(which, len(neurons), dtype=bool, constant=True)
        for variable in seen.used:
            add.add_reference(variable, neurons, variable)
        for variable, owner in seen.others.items():
            add.add_reference(variable, owner, variable)
        self._ready(
            [
                *(setting for setting, _ in (*SETTINGS, *OF_POPULATIONS)),
                "recorded",
                "traced",
                "t",
                "dt",
                "t_in_timesteps",
                *seen.used,
                *seen.others,
            ],
            eventspace=neurons.variables["_spikespace"],
            populations=populations,
            **seen.keywords,
        )
        self.add_dependency(neurons)


@dataclass(frozen=True)
class Seen:
    """What an observer looks at: variables of the neurons and of others, and the C++ for them."""

    used: list
    others: dict
    keywords: dict


def of_reduced(neurons, reduced, values_of, fused, arrivals):
    """What is seen of excitatory neurons, from their strings.

    Parameters
    ----------
    neurons : NeuronGroup
    reduced : Diffusion
        The strings, reduced: they give the input currents.
    values_of : callable
        As in :class:`cbnet.simulation.brian.fused.Population`, for the excitatory neurons.
    fused : bool
        Whether the neurons are :class:`cbnet.simulation.brian.fused.FusedNeurons`.
    arrivals : {"random", "brian2"}
        Order of the arrivals of a step.

    Returns
    -------
    Seen
    """
    held = "held" if "held" in neurons.variables else values_of("tau_rp")
    counters = {kind: f"arrived_{kind}" for kind in reduced.synapses}
    used = ["v", "_spikespace", held, "lastspike"]
    used += [x for x in counters.values() if x in neurons.variables]
    used += sorted(reduced.decays)
    expressions = {
        kind: synapse.per_target if synapse.filtered else synapse.jump
        for kind, synapse in reduced.synapses.items()
    }
    names = cpp_text.names(reduced.leak, *expressions.values())
    keywords = {
        "parameters": cpp_text.parameters(neurons, values_of, names),
        "leak": cpp_text.text(reduced.leak),
        "kinds": list(reduced.synapses),
        "inputs": {kind: cpp_text.text(x) for kind, x in expressions.items()},
        "counters": {kind: neurons.variables[name] for kind, name in counters.items()},
        "synaptic": {kind: neurons.variables[s.target] for kind, s in reduced.synapses.items()}
        if reduced.filtered
        else None,
        "population_of": "0",
        "refractory_time": neurons.variables[held],
        "fused": fused,
        # steps between the end of a step and where v is: with arrivals at its beginning or end
        # the middle of the leak is the mean
        "lag": (0.0 if arrivals == "random" else -0.5) if fused else 0.5,
        "halved": arrivals == "random" and not fused,
    }
    return Seen(used, {}, keywords)
