"""From a model to Brian2 objects: create the neurons, connect them, run.

One step of length dt does, in this order,

1. ``groups``: the leak, by its exact flow; refractory neurons are held;
2. ``before_thresholds``: the arrivals of the step, in random order, with the threshold tested
   after each (:mod:`cbnet.simulation.arrivals`);
3. ``thresholds``, ``synapses``: who is above threshold fires; its synapses count arrivals for the
   steps to come;
4. ``resets``.

The interval between a crossing and the end of its step counts as refractory: a neuron that fires
is held for a random whole number of steps with the mean that makes the refractory time
:math:`\\tau_{rp}` on average.
"""

from dataclasses import dataclass

import numpy as np
from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, second
from brian2.devices.device import RuntimeDevice, get_device
from brian2.equations.equations import (
    PARAMETER,
    SUBEXPRESSION,
    Equations,
    Expression,
    SingleEquation,
)
from brian2.parsing.sympytools import sympy_to_str
from brian2.units.fundamentalunits import get_or_create_dimension
from brian2.utils.stringtools import get_identifiers, word_substitute

from .. import diffusion
from ..errors import ParameterError
from ..parameters import POPULATIONS, to_quantity, unit
from . import arrivals
from .drive import poisson_count

HELD = "held = dt*floor(tau_rp/dt + 0.5 + rand())"


@dataclass(frozen=True)
class Parts:
    """The Brian2 objects of one network.

    Attributes
    ----------
    neurons : NeuronGroup
        All neurons, excitatory first; parameters are its variables.
    E, I : Subgroup
        The two populations.
    synapses : dict of str to Synapses
        By source population, named ``excitation`` and ``inhibition``.
    filtered : bool
        Whether synaptic time constants are positive.
    """

    neurons: NeuronGroup
    E: object
    I: object  # noqa: E741  (the field's name for it)
    synapses: dict
    filtered: bool

    @property
    def network(self):
        """A Brian2 Network of all of them."""
        return Network(self.neurons, *self.synapses.values())


def create(params, layout, dt):
    """The neurons and their external drive, and synapses that are not yet connected.

    Parameters
    ----------
    params : Parameters
        Both populations must use the same kind of synapses.
    layout : Layout
        Sizes.
    dt : float
        Time step in s.

    Returns
    -------
    Parts
    """
    values = {population: params.resolve(population) for population in POPULATIONS}
    model = params.model
    coupling = model.coupling(values["E"])
    if model.coupling(values["I"]) != coupling:
        raise ParameterError(
            "tau_S, jump: got different kinds of synapses on E and I; expected both instantaneous "
            "or both with a time constant, and one kind of jump"
        )
    reduced = diffusion.of_model(model, values["E"])
    equations = Equations(coupling.equations)
    if reduced.filtered:
        equations = _charge_exact(equations, reduced)
    else:
        equations += Equations("arrived_E : integer\narrived_I : integer")
    neurons = NeuronGroup(
        layout.N,
        equations
        + _parameter_equations(params)
        + Equations("K_X : 1 (constant)\nheld : second\nrun_seed : integer (shared, constant)"),
        threshold=model.threshold,
        reset=f"{model.reset}\n{HELD}",
        refractory="held",
        method="exponential_euler" if reduced.filtered else _leak_method(reduced),
        namespace={},
        dt=dt * second,
        name="neurons",
    )
    for name in parameter_names(params):
        both = [values[population][name] for population in POPULATIONS]
        dimension = model.entry(name, name).unit
        value = both[0] if both[0] == both[1] else np.repeat(both, [layout.N_E, layout.N_I])
        setattr(neurons, name, to_quantity(value, dimension))
    groups = {"E": neurons[: layout.N_E], "I": neurons[layout.N_E :]}
    if reduced.filtered:
        on_pre = {"E": coupling.excitatory, "I": coupling.inhibitory}
        target, displacement = reduced.targets["E"]
        drive = f"{target} += poisson_count(K_X*nu_X*dt, rand())*({sympy_to_str(displacement)})"
    else:
        on_pre = {p: f"arrived_{p}_post += 1" for p in POPULATIONS}
        drive = "arrived_E += poisson_count(K_X*nu_X*dt, rand())"
        _apply_arrivals(neurons, reduced, model, dt)
    neurons.namespace["poisson_count"] = poisson_count()
    neurons.run_regularly(
        drive,
        when="before_thresholds",
        order=0,
        dt=dt * second,
        name="drive",
        **_interpreted(),
    )
    synapses = {}
    for population, name in (("E", "excitation"), ("I", "inhibition")):
        one_delay = values["E"]["D_min"] == values["E"]["D_max"] and not (
            {"D_min", "D_max"} & set(params.differing())
        )
        synapses[population] = Synapses(
            groups[population],
            neurons,
            on_pre=on_pre[population],
            delay=_waiting(values["E"]["D_min"], dt) * second if one_delay else None,
            namespace={},
            name=name,
            dt=dt * second,
        )
    return Parts(neurons, groups["E"], groups["I"], synapses, reduced.filtered)


def connect(parts, wiring, external, dt):
    """Make the synapses of a :func:`cbnet.simulation.wiring.draw`."""
    for population, synapses in parts.synapses.items():
        drawn = wiring[population]
        synapses.connect(i=drawn.sources, j=drawn.targets)
        if synapses.pre.variables["delay"].scalar:
            continue
        synapses.delay = waiting(drawn, dt) * second
    parts.neurons.K_X = external


def record(parts, indices, dt):
    """Monitors ``spikes`` (of all neurons) and ``traces`` (of some), as every simulation uses them.

    Traces are taken in every step after the leak and before the arrivals, which sees the voltage
    as an arriving spike does.
    """
    inputs = ["s_E", "s_I"] if parts.filtered else ["arrived_E", "arrived_I"]
    inputs = [name for name in inputs if name in parts.neurons.variables]
    return SpikeMonitor(parts.neurons, name="spikes"), StateMonitor(
        parts.neurons,
        ["v", "not_refractory", *inputs],
        record=np.asarray(indices),
        dt=dt * second,
        when="before_thresholds",
        order=1,
        name="traces",
    )


def waiting(drawn, dt):
    """Delays in s as Brian2 needs them: what arrives is counted one step before it is felt."""
    return _waiting(drawn.delays * dt, dt)


def _waiting(delay, dt):
    return np.maximum(np.rint(np.asarray(delay) / dt) - 1, 0) * dt


def _leak_method(reduced):
    return "exact" if reduced.affine_leak else "rk4"


def parameter_names(params):
    """Parameters that the strings name, which become variables of the neurons.

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
    used = {"nu_X", "tau_rp"}.union(*(get_identifiers(text) for text in texts))
    known = [*model.entries, *(d.name for d in model.derived)]
    return [name for name in known if name in used]


def _parameter_equations(params):
    differing = params.differing()
    equations = []
    for name in parameter_names(params):
        flags = ["constant"] if name in differing else ["shared", "constant"]
        dimension = _dimension(params.model, name)
        equations.append(SingleEquation(PARAMETER, name, dimension, flags=flags))
    return Equations(equations)


def _dimension(model, name):
    return get_or_create_dimension(unit(model.entry(name, name).unit)[1])


def _charge_exact(equations, reduced):
    """Let the membrane see the mean of each synaptic variable over the step.

    Exponential Euler freezes s at its value when the step begins and so delivers
    (dt/τ)/(1 − exp(−dt/τ)) times the charge of a spike: 5 % too much at dt = τ/10, which raises
    rates by 10 %.
    """
    means, changed = {}, []
    for name in sorted(reduced.decays):
        means[name] = f"{name}_mean"
        tau = f"({sympy_to_str(1 / reduced.decays[name])})"
        mean = f"{name}*(1 - exp(-dt/{tau}))*{tau}/dt"
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


def _apply_arrivals(neurons, reduced, model, dt):
    names = arrivals.parameter_names(reduced)
    units = {name: to_quantity(1.0, model.entry(name, name).unit) for name in names}
    neurons.namespace["after_arrivals"] = arrivals.after_arrivals(reduced, units)
    neurons.run_regularly(
        f"v = after_arrivals(v, arrived_E, arrived_I, rand(), {', '.join(names)})\n"
        "arrived_E = 0\narrived_I = 0",
        when="before_thresholds",
        order=2,
        dt=dt * second,
        name="arrivals",
        **_interpreted(),
    )


def _interpreted():
    """At run time, functions of ours have a numpy form and no Cython one."""
    if not isinstance(get_device(), RuntimeDevice):
        return {}
    from brian2.codegen.runtime.numpy_rt import NumpyCodeObject

    return {"codeobj_class": NumpyCodeObject}
