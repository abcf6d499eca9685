"""What a network is to the compiled core: numbers of every population, and classes of arrivals.

Arrivals of one class do the same to a neuron: they are of one kind and one efficacy. Every
population counts its own classes, so that counter 0 of one may be another thing than that of
another; those that a population does not need stay at zero.
"""

import functools
from dataclasses import dataclass

import numpy as np

from ...errors import ModelError
from ...model.distributions import Law
from ...model.wirings import Explicit


@dataclass(frozen=True)
class Classes:
    """Populations as rows of numbers.

    Attributes
    ----------
    constants : ndarray, shape (P, M)
        SI, in the order of ``cpp/of_network.h``.
    variables : int
        Synaptic variables of a neuron; 0 if spikes move v at once.
    number : int
        Classes of a neuron.
    counter : dict
        By (population, kind, w).
    states : list of list of str
        Names of the synaptic variables of each population.
    """

    constants: np.ndarray
    variables: int
    number: int
    counter: dict
    states: list


def refusal(net):
    """Why the compiled core cannot simulate a network; empty if it can."""
    filtered = set()
    for p in net.populations:
        if any(isinstance(x, np.ndarray | Law) for x in p.values.values()):
            return f"{p.name}: parameters differ among its neurons"
        if any(s.equations.strip() or s.on_post.strip() for s in p.neuron.synapses.values()):
            return f"{p.name}: synapses have variables of their own"
        used = {one.kind for one in (*net.projections, *net.inputs) if one.target == p.name}
        try:
            strings = _reduced(p.neuron)
        except ModelError as error:
            return f"{p.name}: {error}"
        if not (strings.affine_leak and strings.affine_jumps):
            return f"{p.name}: leak or jumps are no straight lines in v"
        filtered |= {strings.synapses[kind].filtered for kind in used}
        if set(p.initial or {}) - {"v"} - {s.target for s in strings.synapses.values()}:
            return f"{p.name}: initial values of other variables"
    if len(filtered) > 1:
        return "some spikes move v at once, others through a variable that decays"
    for one in net.projections:
        listed = isinstance(one.wiring, Explicit) and np.ndim(one.w)
        if one.w is not None and (listed or isinstance(one.w, Law)):
            return f"{one.place}: efficacies differ among its synapses"
    for one in net.inputs:
        if isinstance(one.w, Law):
            return f"{one.place}: efficacies differ among its trains"
        if one.one_a_step:
            return f"{one.place}: a train has at most one spike a step"
    return ""


def _reduced(neuron):
    from ...model import reduction  # which imports sympy and Brian2's parsers

    return reduction.of_neuron(neuron)


def of_network(net):
    """The rows of a network that :func:`refusal` does not refuse.

    Parameters
    ----------
    net : Network

    Returns
    -------
    Classes
    """
    rows = [_of_population(net, p) for p in net.populations]
    number = max(1, *(len(row["classes"]) for row in rows))
    filtered = any(row["states"] for row in rows)
    variables = max(len(row["states"]) for row in rows) if filtered else 0
    counter, constants = {}, []
    for p, row in zip(net.populations, rows, strict=True):
        counter |= {(p.name, *key): c for c, key in enumerate(row["classes"])}
        classes = list(row["classes"].values())
        values = [*row["leak"]]
        if filtered:
            values += sum(row["states"].values(), []) + [0.0, 0.0, 1.0] * (
                variables - len(row["states"])
            )
        values += sum(classes, []) + [0.0, 0.0] * (number - len(classes))
        constants.append([*values, *row["ends"]])
    states = [list(row["states"]) for row in rows]
    return Classes(np.array(constants, float), variables, number, counter, states)


def _of_population(net, p):
    strings = _reduced(p.neuron)
    number = functools.partial(_number, values=p.values)
    keys = dict.fromkeys(
        (one.kind, one.w) for one in (*net.projections, *net.inputs) if one.target == p.name
    )
    states, classes = {}, {}
    for kind, w in keys:
        synapse, own = strings.synapses[kind], {p.neuron.synapses[kind].efficacy: w}
        if synapse.filtered:
            line = _line(synapse.per_target, p.values)
            states.setdefault(synapse.target, [*line, 1 / number(synapse.decay)])
            jump = _number(synapse.jump, p.values | own)
            classes[kind, w] = [jump, float(list(states).index(synapse.target))]
        else:
            classes[kind, w] = _line(synapse.jump, p.values | own)
    offset, slope = _line(strings.leak, p.values)
    return {
        "leak": [offset + net.drive(p.name), slope],
        "states": states,
        "classes": classes,
        "ends": [number(strings.threshold), number(strings.reset), float(p.values["tau_rp"])],
    }


def _line(expression, values):
    """Offset and slope of an expression that is a straight line in v."""
    from ...model.reduction import V

    slope = expression.diff(V)
    return [_number(expression.subs(V, 0), values), _number(slope.subs(V, 0), values)]


def _number(expression, values):
    return float(expression.xreplace({s: values[s.name] for s in expression.free_symbols}))
