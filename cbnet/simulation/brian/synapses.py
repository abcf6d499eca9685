"""Brian2's Synapses of one kind of a neuron's synapses."""

from dataclasses import dataclass

import brian2
from brian2.equations.equations import PARAMETER, Equations, SingleEquation
from brian2.units.fundamentalunits import Quantity, get_or_create_dimension

from ...model.units import unit
from . import statements

_ARRIVALS = "before_thresholds"


def alike(values):
    """Whether they are one number, or nothing, for all."""
    return all(not hasattr(x, "__len__") and x == values[0] for x in values)


def constant(name, dims):
    """Equations of a variable that does not change in a run."""
    return Equations([SingleEquation(PARAMETER, name, dims, flags=["constant"])])


@dataclass(frozen=True)
class Made:
    """A Synapses object; `each` is its variable of efficacies, None if they are all the same."""

    synapses: object
    each: str | None


def make(name, source, target, kind, ws, delay=None, on_pre=None):
    """Synapses of a kind onto a block, not yet connected.

    Parameters
    ----------
    name : str
    source : NeuronGroup
    target : Block
    kind : str
    ws : list
        Efficacies: numbers, arrays, or None.
    delay : Quantity, optional
        Of all of them.
    on_pre : str, optional
        In place of the statements of the kind; it may name the whole number `level` of a synapse.

    Returns
    -------
    Made
    """
    synapse, namespace = target.neuron.synapses[kind], dict(target.namespace)
    equations, each = Equations(synapse.equations or ""), None
    if synapse.efficacy is not None:
        dims = get_or_create_dimension(unit(target.neuron.units[kind])[1])
        if alike(ws):
            namespace[synapse.efficacy] = Quantity(float(ws[0]), dim=dims)
        else:
            equations, each = equations + constant(synapse.efficacy, dims), synapse.efficacy
    if on_pre is not None:
        equations += Equations("level : integer (constant)")
    given = {"on_post": synapse.on_post} if synapse.on_post else {}
    made = brian2.Synapses(
        source,
        target.group,
        model=equations,
        on_pre=on_pre or statements.of_held_neurons(synapse.on_pre),
        delay=delay,
        method=("exact", "rk4"),
        namespace=namespace,
        name=name,
        **given,
    )
    for pathway in made._pathways:
        if pathway.prepost == "pre":
            pathway.when = _ARRIVALS
    return Made(made, each)
