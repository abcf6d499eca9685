"""Brian2 objects of a network of any populations, each of which does all that there is of a kind.

One group has all neurons, one object all projections and one all inputs, so that a program has few
objects to compile, and depends on nothing but sizes and numbers of populations, projections, inputs
and classes: whatever else there is, it is told when it runs.
"""

import numpy as np
from brian2 import NeuronGroup, ms

from .kernel import Kernel
from .observer import Observer, Seen

OF_SYNAPSES = (
    ("source_first", np.int32),
    ("source_end", np.int32),
    ("target_first", np.int32),
    ("target_end", np.int32),
    ("counter", np.int32),
    ("law", np.int32),
    ("storage", np.int32),
    ("in_degree", np.int32),
    ("cv", float),
    ("shortest", float),
    ("longest", float),
    ("tabulated", np.int32),
    ("total", np.int64),
    ("seed", np.int64),
)
OF_INPUTS = (
    ("target_first", np.int32),
    ("target_end", np.int32),
    ("counter", np.int32),
    ("rate", float),
    ("until", float),
    ("seed", np.int64),
)


class Neurons(NeuronGroup):
    """All neurons of a network, stepped by one kernel.

    Parameters
    ----------
    shape : cbnet.simulation.backends.network_core.Shape
    """

    def __init__(self, shape):
        counters = [f"arrived_{c}" for c in range(shape.classes)]
        states = [f"s_{s}" for s in range(shape.variables)]
        lines = ["v : volt", "held : 1", *(f"{c} : integer" for c in counters)]
        super().__init__(
            shape.N,
            "\n".join([*lines, *(f"{s} : 1" for s in states)]),
            threshold="v > 0*volt",
            reset="",
            refractory=0 * ms,
            namespace={},
            dtype={**dict.fromkeys(counters, np.dtype(shape.counts)), "held": np.float32},
            name="neurons",
        )
        replaced = [self.state_updater, *self.thresholder.values(), *self.resetter.values()]
        for part in replaced:
            if part in self.contained_objects:
                self.contained_objects.remove(part)
        self.add_attribute("kernel")
        self.kernel = _Update(self, shape, counters, states)
        self.contained_objects.append(self.kernel)

    def counters(self):
        """The variables that count arrivals, by class."""
        return [v for n, v in self.variables.items() if n.startswith("arrived_")]


class _Update(Kernel):
    def __init__(self, neurons, shape, counters, states):
        super().__init__("network_neurons", neurons.clock, "thresholds", 0, "update")
        add = self.variables
        add.add_constant("N", len(neurons))
        add.add_array("order_seed", 1, dtype=np.int64, scalar=True, constant=True)
        add.add_array("ends", shape.populations + 1, dtype=np.int32, constant=True)
        add.add_array("constants", shape.populations * shape.row, constant=True)
        used = ["v", "held", *counters, *states, "not_refractory", "lastspike", "_spikespace"]
        for name in used:
            add.add_reference(name, neurons, name)
        if states:
            kind, sizes = ("FilteredNeurons", "Filtered"), f"{len(states)}, {len(counters)}"
        else:
            kind, sizes = ("RandomOrder", "Instantaneous"), f"{len(counters)}"
        self._ready(
            ["order_seed", "ends", "constants", "t", "dt", *used],
            eventspace=neurons.variables["_spikespace"],
            populations=shape.populations,
            row=shape.row,
            stepper=f"cbnet::{kind[0]}<{sizes}>",
            values=f"cbnet::{kind[1]}<{sizes}>",
            counters=[neurons.variables[name] for name in counters],
            states=[neurons.variables[name] for name in states],
        )


class _All(Kernel):
    """What counts arrivals at all neurons, from arrays with one value for each of its parts."""

    def __init__(self, template, neurons, number, settings, extra=(), outputs=()):
        super().__init__(template, neurons.clock, "synapses", -1, template.split("_")[1])
        add = self.variables
        add.add_constant("N", len(neurons))
        for name, dtype in settings:
            add.add_array(name, number, dtype=dtype, constant=True)
        for name, size in extra:
            add.add_array(name, size, constant=True)
        for name in outputs:
            add.add_array(name, 1, scalar=True, read_only=True)
        counters = [n for n in neurons.variables if n.startswith("arrived_")]
        for name in (*counters, "_spikespace"):
            add.add_reference(name, neurons, name)
        names = [*(n for n, _ in settings), *(n for n, _ in extra), *outputs, *counters]
        self._ready(
            [*names, "_spikespace", "t", "dt"],
            number=number,
            eventspace=neurons.variables["_spikespace"],
            counters=[neurons.variables[name] for name in counters],
        )
        self.add_dependency(neurons)


def create(shape):
    """Objects of a network, by name.

    Parameters
    ----------
    shape : cbnet.simulation.backends.network_core.Shape

    Returns
    -------
    dict
        ``neurons``, ``observer``, and ``synapses`` and ``inputs`` if there are any.
    """
    neurons = Neurons(shape)
    found = {"neurons": neurons}
    if shape.projections:
        outputs = ("synapses", "events", "build_seconds")
        found["synapses"] = _All(
            "network_synapses", neurons, shape.projections, OF_SYNAPSES, outputs=outputs
        )
    if shape.inputs:
        trains = [("trains", shape.trains)]
        found["inputs"] = _All("network_inputs", neurons, shape.inputs, OF_INPUTS, trains)
    found["observer"] = Observer(neurons, shape.populations, _seen(neurons, bool(shape.variables)))
    return found


def _seen(neurons, filtered):
    keywords = {
        "parameters": [],
        "leak": "0.0",  # v is seen where the middle of the leak is
        "kinds": [],
        "inputs": {},
        "counters": {},
        "synaptic": {"v": None} if filtered else None,
        "population_of": "population_at(i)",
        "refractory_time": neurons.variables["held"],
        "fused": True,
        "lag": 0.0,
        "halved": False,
    }
    return Seen(["v", "_spikespace", "held", "lastspike"], {}, keywords)
