"""A network of any populations as Brian2's own objects: NeuronGroup, Synapses, monitors.

Populations with the same strings share one NeuronGroup (a *block*), and projections of one kind
between two blocks one Synapses object, so that a program has few objects to compile, however many
populations there are.

One step of length dt does, in this order: Brian2's state updater; the arrivals of the step, which
do not move v of refractory neurons; threshold; reset. A spike of step n with a delay of d steps
arrives in step n + d, before the threshold of that step.
"""

import re
from dataclasses import dataclass, field

import brian2
import numpy as np
from brian2.equations.equations import (
    DIFFERENTIAL_EQUATION,
    Equations,
    Expression,
    SingleEquation,
)
from brian2.units.fundamentalunits import Quantity, get_or_create_dimension

from ...model.distributions import Law
from ...model.units import unit
from ..wiring import edges
from . import statements
from .synapses import alike, constant, make
from .trains import Trains

_DRIVE = "constant_drive"
_RUNS_AWAY = re.compile(r"(?<!1\+)\bexp\([^()]*(\([^()]*\bv\b|\bv\b)")  # no sigmoid of v


@dataclass
class Block:
    """Populations that share a NeuronGroup.

    Attributes
    ----------
    neuron : Neuron
    names : list of str
    first : dict of str to int
        Where a population begins in the group.
    group : NeuronGroup
    namespace : dict
        Parameters that all of its neurons share.
    """

    neuron: object
    names: list
    first: dict = field(default_factory=dict)
    group: object = None
    namespace: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Objects:
    """The Brian2 objects of a network.

    Attributes
    ----------
    blocks : list of Block
    synapses : dict of str to Synapses
    trains : list of Trains
        External input.
    edges : list of Edges
        Of every projection.
    """

    blocks: list
    synapses: dict
    trains: list
    edges: list

    @property
    def all(self):
        """Everything that a Brian2 Network needs."""
        inputs = [one for each in self.trains for one in each.objects]
        return [*(b.group for b in self.blocks), *self.synapses.values(), *inputs]


def create(net, dt, seed, graph_seed):
    """The objects of a network, connected, with parameters and initial values.

    Parameters
    ----------
    net : Network
        With sizes.
    dt : float
        Time step in s.
    seed, graph_seed : int
        Of initial values; of the graph, of parameters that differ and of the numbers of inputs.

    Returns
    -------
    Objects
    """
    graph, own, numbers = (
        np.random.default_rng(s) for s in np.random.SeedSequence(graph_seed).spawn(3)
    )
    initial = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    blocks = _blocks(net)
    values = {name: _drawn(net.values(name), net.sizes[name], own) for name in net.names}
    for k, block in enumerate(blocks):
        _add_group(net, block, values, f"neurons_{k}")
        _set_initial(net, block, values, initial)
    of = {name: block for block in blocks for name in block.names}
    drawn = [
        edges.draw(p, net.sizes[p.source], net.sizes[p.target], dt, graph) for p in net.projections
    ]
    synapses = _synapses(net, of, dt, drawn)
    trains = [
        Trains(f"trains_{k}", rows, of[rows[0].target], net.sizes, dt, numbers)
        for k, rows in enumerate(_inputs(net, of))
    ]
    return Objects(blocks, synapses, trains, drawn)


def _blocks(net):
    found = {}
    for p in net.populations:
        neuron = p.neuron
        key = (neuron.equations, neuron.threshold, neuron.reset, repr(neuron.synapses))
        found.setdefault(key, Block(neuron, [])).names.append(p.name)
    for block in found.values():
        ends = np.cumsum([0, *(net.sizes[name] for name in block.names)]).tolist()
        block.first = dict(zip(block.names, ends, strict=False))
    return list(found.values())


def _drawn(values, size, rng):
    """Values of every parameter: numbers, or arrays where neurons differ."""
    return {n: x.draw(rng, size) if isinstance(x, Law) else x for n, x in values.items()}


def _add_group(net, block, drawn, name):
    neuron, size = block.neuron, sum(net.sizes[n] for n in block.names)
    equations, arrays = Equations(neuron.equations), {}
    for parameter, entry in neuron.parameters.items():
        if entry.choices:
            continue
        values = [drawn[n][parameter] for n in block.names]
        dims = get_or_create_dimension(unit(entry.unit)[1])
        if alike(values) and not _has_suffix(neuron, parameter):
            block.namespace[parameter] = Quantity(float(values[0]), dim=dims)
        else:
            equations += constant(parameter, dims)
            arrays[parameter] = values
    drives = [net.drive(n) for n in block.names]
    if any(drives):
        speed = equations["v"].dim / brian2.second.dim
        equations = _with_drive(equations) + constant(_DRIVE, speed)
        arrays[_DRIVE] = drives
    block.group = brian2.NeuronGroup(
        size,
        equations,
        threshold=neuron.threshold,
        reset=neuron.reset,
        refractory="tau_rp",
        method=_method(neuron, drawn, block.names, equations),
        namespace=block.namespace,
        name=name,
    )
    for parameter, values in arrays.items():
        each = [np.broadcast_to(x, net.sizes[n]) for n, x in zip(block.names, values, strict=True)]
        block.group.variables[parameter].set_value(np.concatenate(each).astype(float))


def _has_suffix(neuron, name):
    """Whether a string of its synapses names a parameter of one of the two neurons."""
    text = "\n".join(f"{s.on_pre}\n{s.on_post}\n{s.equations}" for s in neuron.synapses.values())
    return re.search(rf"\b{name}_(pre|post)\b", text) is not None


def _with_drive(equations):
    changed = []
    for one in equations.values():
        if one.varname == "v" and one.type == DIFFERENTIAL_EQUATION:
            driven = Expression(f"{one.expr.code} + {_DRIVE}")
            one = SingleEquation(one.type, "v", one.dim, expr=driven, flags=one.flags)
        changed.append(one)
    return Equations(changed)


def _method(neuron, drawn, names, equations):
    """Linear equations are solved exactly, others by Runge and Kutta's rule of fourth order.

    The solution of linear ones has differences of time constants in denominators. Where v runs
    away exponentially, intermediate values of that rule overflow: Euler's has none.
    """
    if equations.is_stochastic:
        return ("euler", "heun")
    if _RUNS_AWAY.search(equations["v"].expr.code.replace(" ", "")):
        return "euler"
    return ("exact", "rk4") if _apart(neuron, drawn, names) else "rk4"


def _apart(neuron, drawn, names):
    """Whether no two time constants are nearly the same in any neuron."""
    times = [
        n
        for n, entry in neuron.parameters.items()
        if unit(entry.unit)[1] == unit("s")[1] and n != "tau_rp" and not entry.choices
    ]
    for name in names:
        values = [drawn[name][n] for n in times]
        for k, x in enumerate(values):
            for y in values[:k]:
                if np.min(np.abs(np.asarray(x) / y - 1)) < 1e-3:
                    return False
    return True


def _set_initial(net, block, drawn, rng):
    """v between reset and threshold unless told otherwise, what else moves at zero."""
    found = {}
    for name in block.names:
        size, first = net.sizes[name], block.first[name]
        given = {"v": statements.starting(net[name].neuron, drawn[name])} | (
            net[name].initial or {}
        )
        for variable, value in given.items():
            values = value.draw(rng, size) if isinstance(value, Law) else value
            if isinstance(value, tuple):
                low, high = value
                values = low + (high - low) * rng.random(size)
            whole = found.setdefault(variable, np.zeros(len(block.group)))
            whole[first : first + size] = values
    for variable, values in found.items():
        block.group.variables[variable].set_value(values)


def _synapses(net, of, dt, drawn):
    """One Synapses for all projections of a kind between two blocks."""
    together = {}
    for p, edge in zip(net.projections, drawn, strict=True):
        source, target = of[p.source], of[p.target]
        key = (id(source), id(target), p.kind)
        together.setdefault(key, (source, target, p.kind, []))[3].append((p, edge))
    found = {}
    for k, (source, target, kind, parts) in enumerate(together.values()):
        found[f"synapses_{k}"] = _connected(f"synapses_{k}", source, target, kind, parts, dt)
    return found


def _connected(name, source, target, kind, parts, dt):
    i = np.concatenate([e.i + source.first[p.source] for p, e in parts])
    j = np.concatenate([e.j + target.first[p.target] for p, e in parts])
    steps = np.concatenate([e.steps for _, e in parts])
    order = np.argsort(i, kind="stable")
    same = len(steps) == 0 or steps.min() == steps.max()
    first = (int(steps[0]) if len(steps) else 1) - 1
    delayed = bool(statements.lines(target.neuron.synapses[kind].on_pre))
    made = make(name, source.group, target, kind, [e.w for _, e in parts],
                delay=first * dt * brian2.second if same and delayed else None)  # fmt: skip
    if not len(i):
        made.synapses.connect(False)
        return made.synapses
    made.synapses.connect(i=i[order], j=j[order])
    if delayed and not same:
        made.synapses.pre.delay = (steps[order] - 1) * dt * brian2.second
    if made.each:
        w = np.concatenate([np.broadcast_to(e.w, len(e.i)) for _, e in parts])
        made.synapses.variables[made.each].set_value(w[order].astype(float))
    return made.synapses


def _inputs(net, of):
    """Inputs of one name, kind, rate law and block, which share their trains' objects."""
    found = {}
    for one in net.inputs:
        key = (one.name, one.kind, id(of[one.target]), one.until, one.one_a_step)
        found.setdefault(key, []).append(one)
    return list(found.values())
