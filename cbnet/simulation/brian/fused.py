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
        As for a NeuronGroup; the equations also declare ``held`` and the counters.
    step : Step
        The C++ that a step is.
    populations : list of Population
        Together all neurons, in order.
    counts : dtype
        Of the counters.
    name : str
    """

    def __init__(self, N, model, threshold, reset, step, populations, counts, name):
        super().__init__(
            N,
            model,
            threshold=threshold,
            reset=reset,
            refractory="tau_rp",
            namespace={},
            dtype={**dict.fromkeys(step.counters, counts), "held": np.float32},
            name=name,
        )
        replaced = [self.state_updater, *self.thresholder.values(), *self.resetter.values()]
        for part in replaced:
            self.contained_objects.remove(part)
        self.add_attribute("kernel")
        self.kernel = Update(self, step, populations)
        self.contained_objects.append(self.kernel)


class Update(Kernel):
    """The kernel of :class:`FusedNeurons`."""

    def __init__(self, neurons, step, populations):
        super().__init__("neurons", neurons.clock, "thresholds", 0, f"{neurons.name}_update")
        add = self.variables
        add.add_constant("N", len(neurons))
        add.add_array("order_seed", 1, dtype=np.int64, scalar=True, constant=True)
        self.used = ["v", "held", *step.counters, "not_refractory", "lastspike", "_spikespace"]
        self.used += sorted(step.states)
        for name in self.used:
            add.add_reference(name, neurons, name)
        self._ready(
            ["order_seed", "t", "dt", *self.used],
            eventspace=neurons.variables["_spikespace"],
            populations=[
                {
                    "first": p.first,
                    "last": p.last,
                    "parameters": cpp_text.parameters(neurons, p.values_of, step.parameters),
                }
                for p in populations
            ],
            counters=[neurons.variables[name] for name in step.counters],
            states=[neurons.variables[name] for name in step.states],
            header=step.header,
            stepper=step.stepper,
            values=step.values,
            members=step.members,
        )


@dataclass(frozen=True)
class Step:
    """The C++ of a step of neurons.

    Attributes
    ----------
    header : str
        In ``cpp/``.
    stepper, values : str
        Types: of what makes a step, and of the values that it needs.
    members : list of str
        Of these values, from the parameters of a population.
    counters, states : list of str
        Variables that count arrivals, by class; variables that arrivals move, but for v.
    parameters : set of str
        That the members name.
    """

    header: str
    stepper: str
    values: str
    members: list
    counters: list
    states: list
    parameters: set


def step_of(reduced, arrivals):
    """The step of neurons whose arrivals are of one class a kind.

    Parameters
    ----------
    reduced : Diffusion
        The strings, reduced.
    arrivals : {"random", "brian2"}
        Order of the arrivals of a step.

    Returns
    -------
    Step
    """
    kind = _filtered(reduced) if reduced.filtered else _instantaneous(reduced, arrivals)
    expressions = [reduced.leak, reduced.threshold, reduced.reset, *kind.pop("expressions")]
    members = [*cpp_text.straight_line(reduced.leak), *kind.pop("members")]
    members += map(cpp_text.text, (reduced.threshold, reduced.reset))
    return Step(
        **kind,
        members=members,
        counters=[f"arrived_{kind}" for kind in reduced.synapses],
        parameters=cpp_text.names(*expressions) | {"tau_rp"},
    )


def _instantaneous(reduced, arrivals):
    jumps = [cpp_text.straight_line(jump) for jump in reduced.jumps.values()]
    order = {"random": "RandomOrder", "brian2": "Brian2Order"}[arrivals]
    return {
        "header": "instantaneous.h",
        "stepper": f"cbnet::{order}<{len(jumps)}>",
        "values": f"cbnet::Instantaneous<{len(jumps)}>",
        "members": [_braced([_braced(jump) for jump in jumps])],
        "states": [],
        "expressions": [*reduced.jumps.values()],
    }


def _filtered(reduced):
    synapses = list(reduced.synapses.values())
    states = list(dict.fromkeys(synapse.target for synapse in synapses))
    of_state = {synapse.target: synapse for synapse in synapses}
    variables = [
        _braced(
            [*cpp_text.straight_line(of_state[s].per_target), cpp_text.text(1 / of_state[s].decay)]
        )
        for s in states
    ]
    classes = [_braced([cpp_text.text(s.jump), str(states.index(s.target))]) for s in synapses]
    sizes = f"{len(states)}, {len(classes)}"
    return {
        "header": "filtered.h",
        "stepper": f"cbnet::FilteredNeurons<{sizes}>",
        "values": f"cbnet::Filtered<{sizes}>",
        "members": [_braced(variables), _braced(classes)],
        "states": states,
        "expressions": [x for s in synapses for x in (s.per_target, s.jump, s.decay)],
    }


def _braced(texts):
    return "{" + ", ".join(texts) + "}"
