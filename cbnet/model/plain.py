"""A network as plain data, ready for JSON, and back."""

import dataclasses
import hashlib
import json

import numpy as np

from . import distributions, wirings
from .entry import Entry
from .links import Current, Input, Population, Projection
from .neuron import Neuron, Synapse

_LAWS = ("Uniform", "Normal", "LogNormal", "Exponential", "Listed")
_WIRINGS = ("FixedIn", "Bernoulli", "GaussianIn", "FixedTotal", "Explicit")
_LINKS = {"projections": Projection, "inputs": Input, "currents": Current}


def to_dict(net, array=np.ndarray.tolist):
    """Everything needed to make a network again; numbers in SI units.

    Parameters
    ----------
    net : Network
    array : callable, optional
        What stands for an array.
    """

    def stored(value):
        return plain_value(value, array)

    neurons = []
    for p in net.populations:
        if p.neuron not in neurons:
            neurons.append(p.neuron)
    populations = [
        {
            "name": p.name,
            "neuron": neurons.index(p.neuron),
            "size": p.size,
            "values": {n: stored(x) for n, x in p.values.items()},
            "initial": None if p.initial is None else {n: stored(x) for n, x in p.initial.items()},
        }
        for p in net.populations
    ]
    links = {
        name: [
            {
                f.name: stored(getattr(link, f.name))
                for f in dataclasses.fields(link)
                if f.name not in ("resolved", "probability", "pair_probability")
            }
            for link in getattr(net, name)
        ]
        for name in _LINKS
    }
    return {
        "neurons": [_lists(dataclasses.asdict(n)) for n in neurons],
        "populations": populations,
        **links,
    }


def from_dict(stored):
    """Populations, projections, inputs and currents from :func:`to_dict`, in SI units."""
    neurons = [_neuron(one) for one in stored["neurons"]]
    populations = [
        Population(
            **{
                **one,
                "neuron": neurons[one["neuron"]],
                "values": {n: _made(x) for n, x in one["values"].items()},
                "initial": one["initial"] and {n: _made(x) for n, x in one["initial"].items()},
            },
            resolved=True,
        )
        for one in stored["populations"]
    ]
    links = [
        [kind(**{n: _made(x) for n, x in one.items()}, resolved=True) for one in stored[name]]
        for name, kind in _LINKS.items()
    ]
    return (populations, *links)


def fingerprint(net):
    """SHA-256 of what a network does: its strings and values, not what tables say of them."""
    content = to_dict(net, _digest)
    for neuron in content["neurons"]:
        del neuron["name"], neuron["parameters"]
        lines = (" ".join(x.split()) for x in neuron["equations"].split("\n"))
        neuron["equations"] = [line for line in lines if line]
    # two neurons with the same strings are one
    strings = [json.dumps(neuron, sort_keys=True) for neuron in content["neurons"]]
    content["neurons"] = sorted(set(strings))
    for p in content["populations"]:
        p["neuron"] = content["neurons"].index(strings[p["neuron"]])
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _lists(stored):
    """The same with lists for tuples, as JSON has it."""
    if isinstance(stored, dict):
        return {n: _lists(x) for n, x in stored.items()}
    return [_lists(x) for x in stored] if isinstance(stored, tuple | list) else stored


def _digest(values):
    """A hash of an array; as text, millions of edges would take minutes."""
    return [list(values.shape), values.dtype.kind, hashlib.sha256(values.tobytes()).hexdigest()]


def plain_value(value, array):
    """A value as JSON has it."""
    if isinstance(value, np.ndarray):
        return {"array": array(np.ascontiguousarray(value))}
    name = type(value).__name__
    if isinstance(value, distributions.Law) or name in _WIRINGS:
        own = {
            f.name: plain_value(getattr(value, f.name), array) for f in dataclasses.fields(value)
        }
        if name in _WIRINGS:
            return {"wiring": name, **own}
        return {"law": name, "dims": list(value.dims), **own}
    return value.item() if isinstance(value, np.generic) else value


def _made(value):
    """The inverse of :func:`plain_value`."""
    if not isinstance(value, dict):
        return value
    own = {n: _made(x) for n, x in value.items() if n not in ("law", "dims", "wiring")}
    if "array" in value:
        return np.array(value["array"])
    if "law" in value and value["law"] in _LAWS:
        made = object.__new__(getattr(distributions, value["law"]))
        for name, x in {**own, "dims": tuple(value["dims"])}.items():
            object.__setattr__(made, name, x)
        return made
    if value.get("wiring") in _WIRINGS:
        return getattr(wirings, value["wiring"])(**own)
    raise ValueError(f"got {str(value)[:40]!r}; expected an array, a law or a wiring")


def _neuron(stored):
    synapses = {
        kind: Synapse(**{**one, "requires": tuple(one["requires"])})
        for kind, one in stored["synapses"].items()
    }
    parameters = {
        name: Entry(**{**one, "choices": tuple(one["choices"])})
        for name, one in stored["parameters"].items()
    }
    return Neuron(**{**stored, "synapses": synapses, "parameters": parameters})
