"""Populations of a network whose rates must be equal, taken once."""

import numpy as np


def distinct(net):
    """(names of representatives, index of the representative of each population)."""
    group = {name: name for name in net.names}
    while True:
        first, found = {}, {}
        for p in net.populations:
            key = (_strings(p.neuron), _content(p.values), _signature(net, p.name, group))
            found[p.name] = first.setdefault(key, p.name)
        if found == group:
            representatives = tuple(first.values())
            return representatives, tuple(representatives.index(group[n]) for n in net.names)
        group = found


def _signature(net, name, group):
    """What arrives at a population, by origins that are known to be alike."""
    numbers = {}
    for p in net.projections:
        if p.target == name:
            key = (group[p.source], p.kind, p.w, p.delay, p.wiring, net.spread(p))
            numbers[key] = numbers.get(key, 0.0) + p.number
    for p in net.inputs:
        if p.target == name:
            key = (None, p.kind, p.w, p.rate, p.wiring, net.spread(p), p.until, p.one_a_step)
            numbers[key] = numbers.get(key, 0.0) + p.number
    return frozenset(numbers.items()), net.drive(name)


def _strings(neuron):
    """What the strings of a neuron say, without its defaults."""
    return neuron.equations, neuron.threshold, neuron.reset, repr(neuron.synapses)


def _content(values):
    """Values by name, in a form that can be compared."""
    return tuple(
        (name, (x.shape, x.tobytes()) if isinstance(x, np.ndarray) else x)
        for name, x in sorted(values.items())
    )
