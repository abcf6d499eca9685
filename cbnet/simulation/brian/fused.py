"""Neurons whose leak, arrivals, threshold, refractory time and reset are one pass over memory.

To whoever reads them they are an ordinary ``NeuronGroup``: its equations, threshold and reset are
the model's strings, its variables can be monitored and changed. What Brian2 would do in four code
objects one does here, made from the same strings (``cpp/instantaneous.h``, ``cpp/filtered.h``).
"""

from dataclasses import dataclass

import numpy as np
from brian2 import NeuronGroup

from .. import cpp_text
from .kernel import Kernel


@dataclass(frozen=True)
class Population:
    """What the kernel needs to know of neurons that share all parameters.

    Attributes
    ----------
    first, last : int
        Indices.
    values_of : callable
        From the name of a parameter to the variable of the group that holds its value.
    """

    first: int
    last: int
    values_of: object


def can_fuse(reduced):
    """Whether the strings allow it: the leak and all jumps are straight lines in v."""
    return reduced.affine_leak and reduced.affine_jumps


class FusedNeurons(NeuronGroup):
    """A NeuronGroup whose own code is replaced by one kernel.

    Parameters
    ----------
    N, model, threshold, reset
        As for a NeuronGroup; the equations also declare ``held``, ``arrived_E`` and ``arrived_I``.
    reduced : Diffusion
        The strings, reduced.
    populations : list of Population
        Together all neurons, in order.
    arrivals : {"random", "brian2"}
        Order of the arrivals of a step.
    counts : dtype
        Of ``arrived_E`` and ``arrived_I``.
    name : str
    """

    def __init__(self, N, model, threshold, reset, reduced, populations, arrivals, counts, name):
        super().__init__(
            N,
            model,
            threshold=threshold,
            reset=reset,
            refractory="tau_rp",
            namespace={},
            dtype={"arrived_E": counts, "arrived_I": counts, "held": np.float32},
            name=name,
        )
        replaced = [self.state_updater, *self.thresholder.values(), *self.resetter.values()]
        for part in replaced:
            self.contained_objects.remove(part)
        self.add_attribute("kernel")
        self.kernel = Update(self, reduced, populations, arrivals)
        self.contained_objects.append(self.kernel)


class Update(Kernel):
    """The kernel of :class:`FusedNeurons`."""

    def __init__(self, neurons, reduced, populations, arrivals):
        super().__init__("neurons", neurons.clock, "thresholds", 0, f"{neurons.name}_update")
        add = self.variables
        add.add_constant("N", len(neurons))
        add.add_array("order_seed", 1, dtype=np.int64, scalar=True, constant=True)
        self.used = ["v", "held", "arrived_E", "arrived_I", "not_refractory", "lastspike"]
        self.used += ["_spikespace", *sorted(reduced.decays)]
        for name in self.used:
            add.add_reference(name, neurons, name)
        kind = _filtered(reduced) if reduced.filtered else _instantaneous(reduced, arrivals)
        expressions = kind.pop("expressions")
        names = cpp_text.names(*expressions) | {"tau_rp"}
        self._ready(
            ["order_seed", "t", "dt", *self.used],
            eventspace=neurons.variables["_spikespace"],
            populations=[
                {
                    "first": p.first,
                    "last": p.last,
                    "parameters": cpp_text.parameters(neurons, p.values_of, names),
                }
                for p in populations
            ],
            counts=neurons.variables["arrived_E"],
            states=[neurons.variables[name] for name in kind.pop("states")],
            **kind,
        )


def _instantaneous(reduced, arrivals):
    """The C++ type of the neurons and its members, from the strings."""
    members = list(cpp_text.straight_line(reduced.leak))
    for population in "EI":
        offset, slope = cpp_text.straight_line(reduced.jumps[population])
        members.append(f"{{{offset}, {slope}}}")
    order = {"random": "RandomOrder", "brian2": "Brian2Order"}[arrivals]
    return {
        "header": "instantaneous.h",
        "stepper": f"cbnet::{order}",
        "values": "cbnet::Instantaneous",
        "members": [*members, *map(cpp_text.text, (reduced.threshold, reduced.reset))],
        "states": [],
        "expressions": [reduced.leak, *reduced.jumps.values(), reduced.threshold, reduced.reset],
    }


def _filtered(reduced):
    members = list(cpp_text.straight_line(reduced.leak))
    expressions = [reduced.leak, reduced.threshold, reduced.reset]
    states = []
    for population in "EI":
        synapse = reduced.synapses[population]
        members += [*cpp_text.straight_line(synapse.per_target)]
        members += [cpp_text.text(synapse.jump), cpp_text.text(1 / synapse.decay)]
        expressions += [synapse.per_target, synapse.jump, synapse.decay]
        states.append(synapse.target)
    return {
        "header": "filtered.h",
        "stepper": "cbnet::FilteredNeurons",
        "values": "cbnet::Filtered",
        "members": [*members, *map(cpp_text.text, (reduced.threshold, reduced.reset))],
        "states": states,
        "expressions": expressions,
    }
