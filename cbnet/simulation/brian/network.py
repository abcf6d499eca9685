"""From a model to Brian2 objects: create the neurons, connect them, run.

One step of length dt does, in this order,

1. the leak, by its exact flow; refractory neurons are held;
2. the arrivals of the step, in random order, with the threshold tested after each;
3. who is above threshold fires, and is reset;
4. in the slot ``synapses``: what arrives in the next step is counted.

Where the model's strings allow it, 1 to 3 are one kernel (:mod:`cbnet.simulation.brian.fused`), in
which refractory times begin and end within steps. Otherwise, and without a compiler, Brian2's own
state updater, threshold and reset do their part, and a function made of the strings applies the
arrivals (:mod:`cbnet.simulation.brian.arrivals`). A neuron that fires is then held for a random
whole number of steps, at least one, with the mean that makes the refractory time :math:`\\tau_{rp}`
from the time of the crossing: the middle of its step if an arrival made it.
"""

from dataclasses import dataclass, replace

import numpy as np
from brian2 import Network, NeuronGroup, Synapses, second
from brian2.devices.device import get_device
from brian2.equations.equations import (
    PARAMETER,
    SUBEXPRESSION,
    Equations,
    Expression,
    SingleEquation,
)
from brian2.units.fundamentalunits import get_or_create_dimension
from brian2.utils.stringtools import get_identifiers, word_substitute

from ...errors import ParameterError
from ...model import reduction
from ...model.parameters import POPULATIONS
from ...model.units import to_quantity, unit
from ..wiring.layout import inputs, projections
from . import arrivals as arriving
from . import brian2_text
from .drive import Drive
from .fused import FusedNeurons, Population, can_fuse, step_of
from .kernel import Kernel, interpreted
from .projection import Projection

SLOTS = ("groups", "thresholds", "synapses", "resets", "end")
HELD = "held = dt*clip(floor(tau_rp/dt + crossed + rand()), 1, inf)"


@dataclass(frozen=True)
class Parts:
    """The Brian2 objects of one network.

    Attributes
    ----------
    neurons : NeuronGroup
        All neurons, excitatory first; parameters are its variables.
    E, I : Subgroup
        The two populations.
    synapses : dict of str to Projection or Synapses
        By name, such as ``excitation``; several for one source population if its targets differ.
    drives : list of Drive
        External input.
    reduced : Diffusion
        The strings, reduced.
    fused : bool
        Whether the neurons are one kernel.
    """

    neurons: NeuronGroup
    E: object
    I: object  # noqa: E741  (the field's name for it)
    synapses: dict
    drives: list
    reduced: object
    fused: bool

    @property
    def network(self):
        """A Brian2 Network of all of them."""
        return BuiltNetwork(self.neurons, *self.drives, *self.synapses.values())


class BuiltNetwork(Network):
    """A Brian2 Network that refuses in one line what its objects cannot do."""

    def before_run(self, run_namespace):
        """Called by Brian2 before a run.

        Raises
        ------
        ParameterError
            If the time step, the device or the order of the slots are not those that the objects
            were made for.
        """
        for one in self.sorted_objects:
            if isinstance(one, Kernel):
                one.check()
        places = [self.schedule.index(slot) for slot in SLOTS if slot in self.schedule]
        if len(places) < len(SLOTS) or places != sorted(places):
            raise ParameterError(
                f"schedule: got {', '.join(self.schedule)}; expected {', '.join(SLOTS)} in this "
                "order, with others between them"
            )
        super().before_run(run_namespace)


def create(params, layout, dt, wires, arrivals="random", counts=np.int32):
    """The objects of a network.

    Parameters
    ----------
    params : Parameters
        Both populations must use the same kind of synapses.
    layout : Layout
        Sizes.
    dt : float
        Time step in s.
    wires : Wires
    arrivals : {"random", "brian2"}
        Order of the arrivals of a step.
    counts : dtype
        Of the numbers of arrivals.

    Returns
    -------
    Parts
    """
    values = {population: params.resolve(population) for population in POPULATIONS}
    model = params.model
    coupling = model.coupling(values["E"])
    reduced = reduction.of_model(model, values["E"])
    equations, reduced = _apart(Equations(coupling.equations), reduced)
    equations += Equations("arrived_E : integer\narrived_I : integer")
    equations += parameter_equations(params, layout, wires.connected)
    fused = can_fuse(reduced) and not interpreted()
    if fused:
        neurons = FusedNeurons(
            layout.N,
            equations + Equations("held : 1"),
            threshold=model.threshold,
            reset=model.reset,
            step=step_of(reduced, arrivals),
            populations=_ranges(params, layout, wires.connected),
            counts=np.dtype(counts),
            name="neurons",
        )
    else:
        neurons = _general(params, equations, reduced, layout, wires.connected, arrivals)
    parts = Parts(
        neurons,
        neurons[: layout.N_E],
        neurons[layout.N_E :],
        {},
        _drives(params, layout, neurons, wires.connected),
        reduced,
        fused,
    )
    # With arrivals in random order what arrives is counted one step before it is felt.
    early = 1 if arrivals == "random" else 0
    for name, source, target in projections(params, wires.connected):
        if wires.storage != "synapses":
            parts.synapses[name] = _projection(params, parts, name, source, target, wires, early)
            continue
        # Brian2 draws as many sources for every target: those that include it are one fewer.
        for each in (target,) if target or wires.graph else POPULATIONS:
            own = name if each == target else f"{name}_{each}"
            parts.synapses[own] = _synapses(
                params, layout, parts, own, source, each, wires, early, dt
            )
    return parts


def check_device():
    """Raise ParameterError if the device has a network that its objects would share names with."""
    if interpreted():
        return
    for variable in get_device().arrays:
        if getattr(variable.owner, "name", None) == "neurons":
            raise ParameterError(
                "build: got a second network in one C++ standalone program; expected one; call "
                "device.reinit() and device.activate() to begin another"
            )


def assign(parts, params, layout, wires):
    """Give the objects their values, which a compiled program is told when it runs."""
    neurons = parts.neurons
    values = {population: params.resolve(population) for population in POPULATIONS}
    for name in parameter_names(params, wires.connected):
        dimension = params.model.entry(name, name).unit
        for population, variable in variables_of(params, name).items():
            setattr(neurons, variable, to_quantity(values[population][name], dimension))
    for name, source, target in projections(params, wires.connected):
        if wires.storage != "synapses":
            of = values[target or "E"]
            parts.synapses[name].assign(
                layout.in_degree[source, target or "E"],
                of["CV_K"],
                (of["D_min"], of["D_max"]),
                wires.graph_seeds[name],
            )
    for drive in parts.drives:
        drive.assign(wires.external[drive.name], wires.drive_seeds[drive.name])
    if parts.fused:
        neurons.kernel.order_seed = wires.order_seed


def _projection(params, parts, name, source, target, wires, early):
    return Projection(
        getattr(parts, source),
        getattr(parts, target) if target else parts.neurons,
        f"arrived_{source}",
        law=params.resolve(target or "E")["law"],
        storage=wires.storage,
        graph=wires.graph[source] if wires.graph else None,
        early=early,
        name=name,
    )


def _synapses(params, layout, parts, name, source, target, wires, early, dt):
    """Brian2's own, for jumps that have no closed form: they count as a projection does."""
    of = params.resolve(target or "E")
    sources, targets = getattr(parts, source), getattr(parts, target) if target else parts.neurons
    made = Synapses(
        sources,
        targets,
        on_pre=f"arrived_{source}_post += 1\ndelivered_post += 1",
        namespace={},
        name=name,
    )
    if wires.graph:
        i, j, delays = wires.graph[source]
        made.connect(i=i, j=j)
        made.delay = np.maximum(delays - early, 0) * dt * second
        return made
    possible = layout.size(source) - (source == target)
    degree = layout.in_degree[source, target]
    chosen = {"fixed": f"size={degree}", "bernoulli": f"p={degree / possible!r}"}[of["law"]]
    who = "drawn_source + int(drawn_source >= j)" if source == target else "drawn_source"
    made.connect(i=f"{who} for drawn_source in sample(0, {possible}, {chosen})")
    made.delay = (
        (f"clip(D_min + (D_max - D_min)*rand() - {early}*{dt!r}*second, 0*second, D_max)")
        .replace("D_min", f"({of['D_min']!r}*second)")
        .replace("D_max", f"({of['D_max']!r}*second)")
    )
    return made


def _drives(params, layout, neurons, connected):
    made = []
    for one in inputs(params, connected):
        first, last = layout.span(one.target)
        made.append(
            Drive(
                neurons[first:last] if one.target else neurons,
                f"arrived_{one.kind}",
                variables_of(params, one.rate)[one.target or "E"],
                name=one.name,
            )
        )
    return made


def _ranges(params, layout, connected):
    """Neurons that share all parameters."""
    if not (set(params.differing()) & set(parameter_names(params, connected))):
        return [Population(0, layout.N, lambda name: name)]
    return [
        Population(*layout.span(p), lambda name, p=p: variables_of(params, name).get(p, name))
        for p in POPULATIONS
    ]


def _general(params, equations, reduced, layout, connected, arrivals):
    """Neurons that Brian2 updates."""
    model = params.model
    random = arrivals == "random"
    # Of an affine leak both are the solution; "exact" takes no parameter that depends on i.
    differ = set(params.differing()) & set(parameter_names(params, connected))
    method = "exponential_euler" if reduced.filtered or differ else "exact"
    if not reduced.affine_leak:
        method = "rk4"
    elif reduced.filtered:
        equations = _charge_exact(equations, reduced, model.units)
    reset, speed = model.reset, equations["v"].expr.code
    if random:
        equations += Equations("held : second\ncrossed : 1")
        reset = f"{reset}\n{HELD}"
        if reduced.filtered:
            reset = f"crossed = 1 - {_since_threshold(model, speed, 'v')}\n{reset}"
    neurons = NeuronGroup(
        layout.N,
        equations + Equations("delivered : integer"),
        threshold=model.threshold,
        reset=reset,
        refractory="held" if random else "tau_rp",
        method=method,
        namespace={},
        name="neurons",
    )
    slot = {"when": "before_thresholds", "order": 0}
    if not random:
        slot = {"when": "synapses", "order": 1}
    if reduced.filtered:
        moved = [
            f"{synapse.target} += arrived_{kind}*"
            + brian2_text.code(synapse.jump, model.units, equations[synapse.target].dim)
            for kind, synapse in reduced.synapses.items()
        ]
        code = "\n".join([*moved, "arrived_E = 0", "arrived_I = 0"])
        neurons.run_regularly(code, name="arrivals", **slot)
        return neurons
    names = arriving.parameter_names(reduced)
    units = {name: to_quantity(1.0, model.entry(name, name).unit) for name in names}
    neurons.namespace["after_arrivals"] = arriving.after_arrivals(reduced, units, arrivals)
    code = "leaked = v\n"
    if random:
        # The leak of a step acts when it begins, as if that were its middle: in the step in which
        # a neuron wakes up, half of it is too much.
        since = _since_threshold(model, speed, "leaked")  # 0 below the threshold
        code = (
            f"leaked = v - int(abs(t - lastspike - held) < dt/2)*({speed})*dt/2\n"
            f"crossed = 0.5 - {since}\n"
        )
    arguments = ", ".join(["leaked", "arrived_E", "arrived_I", "rand()", *names])
    neurons.run_regularly(
        f"{code}v = after_arrivals({arguments})\narrived_E = 0\narrived_I = 0",
        name="arrivals",
        **slot,
        **_numpy_only(),
    )
    return neurons


def _since_threshold(model, speed, v):
    """Time since v was at the threshold, in steps, at the speed that it had on the way."""
    threshold = f"({model.threshold.partition('>')[2].strip()})"
    on_the_way = word_substitute(speed, {"v": f"(({v} + {threshold})/2)"})
    # never 0/0
    return f"clip(({v} - {threshold})/(dt*(abs({on_the_way}) + 1*nvolt/second)), 0, 1)"


def parameter_names(params, connected=True):
    """Parameters that the strings and the input name, which become variables of the neurons.

    Variables rather than a namespace: a compiled simulation then takes new values without being
    compiled again, and the populations may differ.
    """
    model = params.model
    coupling = model.coupling(params.resolve("E"))
    texts = (
        coupling.equations,
        coupling.excitatory,
        coupling.inhibitory,
        model.threshold,
        model.reset,
    )
    used = {"tau_rp", *(one.rate for one in inputs(params, connected))}
    used = used.union(*(get_identifiers(text) for text in texts))
    known = [*model.entries, *(d.name for d in model.derived)]
    return [name for name in known if name in used]


def variables_of(params, name):
    """The variables that hold a parameter: by population, ``"E"`` alone if both share it."""
    if name not in params.differing():
        return {"E": name}
    taken = params.model.known_names | {"arrived_E", "arrived_I"}
    suffix = next(
        s
        for s in ("_", "_of_", "_of_population_")
        if not taken & {f"{name}{s}{population}" for population in POPULATIONS}
    )
    return {population: f"{name}{suffix}{population}" for population in POPULATIONS}


def parameter_equations(params, layout, connected):
    """Declarations of the parameters.

    One that differs between the populations is two variables, and an expression of its own name.
    """
    equations = []
    for name in parameter_names(params, connected):
        dimension = get_or_create_dimension(unit(params.model.entry(name, name).unit)[1])
        variables = variables_of(params, name)
        for variable in variables.values():
            equations.append(
                SingleEquation(PARAMETER, variable, dimension, flags=["shared", "constant"])
            )
        if len(variables) > 1:
            first, second = (variables[population] for population in POPULATIONS)
            either = f"{first}*int(i < {layout.N_E}) + {second}*int(i >= {layout.N_E})"
            equations.append(
                SingleEquation(SUBEXPRESSION, name, dimension, expr=Expression(either))
            )
    return Equations(equations)


def _apart(equations, reduced):
    """A synaptic variable that both kinds of spikes move as a sum of two, one for each kind.

    It decays linearly, so that this is the same; the input of each kind is then seen.
    """
    shared = {synapse.target for synapse in reduced.synapses.values() if synapse.filtered}
    if len(shared) != 1 or len(reduced.decays) != 1 or len(reduced.synapses) != 2:
        return equations, reduced
    (name,) = shared
    parts = {kind: f"{name}_from_{kind}" for kind in reduced.synapses}
    one = equations[name]
    changed = [equation for equation in equations.values() if equation.varname != name]
    changed += [
        SingleEquation(
            one.type,
            part,
            one.dim,
            var_type=one.var_type,
            expr=Expression(word_substitute(one.expr.code, {name: part})),
            flags=one.flags,
        )
        for part in parts.values()
    ]
    total = Expression(" + ".join(parts.values()))
    changed.append(SingleEquation(SUBEXPRESSION, name, one.dim, expr=total))
    synapses = {
        kind: replace(synapse, target=parts[kind]) for kind, synapse in reduced.synapses.items()
    }
    return Equations(changed), replace(reduced, synapses=synapses)


def _charge_exact(equations, reduced, units):
    """Let the membrane see the mean of each synaptic variable over the step.

    Exponential Euler freezes s at its value when the step begins and so delivers
    (dt/τ)/(1 − exp(−dt/τ)) times the charge of a spike: 5 % too much at dt = τ/10, which raises
    rates by 10 %.
    """
    means, changed = {}, []
    for name in sorted(reduced.decays):
        means[name] = f"{name}_mean"
        tau = brian2_text.code(1 / reduced.decays[name], units, second.dim)
        mean = f"{name}*(1 - exp(-dt/({tau})))*{tau}/dt"
        changed.append(
            SingleEquation(SUBEXPRESSION, means[name], equations[name].dim, expr=Expression(mean))
        )
    for equation in equations.values():
        if equation.varname in reduced.decays or equation.expr is None:
            changed.append(equation)
            continue
        seen = Expression(word_substitute(equation.expr.code, means))
        changed.append(
            SingleEquation(
                equation.type, equation.varname, equation.dim, expr=seen, flags=equation.flags
            )
        )
    return Equations(changed)


def _numpy_only():
    """At run time, functions of ours have a numpy form and no Cython one."""
    if not interpreted():
        return {}
    from brian2.codegen.runtime.numpy_rt import NumpyCodeObject

    return {"codeobj_class": NumpyCodeObject}
