"""Addresses of values of a network: ``PV.tau_L``, ``SOM->E.w``, ``*->E.delay``, ``thalamus.rate``.

``*`` is every population. An address may name a value in several places. Kinds that a source has
beside each other are told apart as in ``E->E:NMDA.w``.
"""

import re

import numpy as np

from ..errors import ParameterError
from .entry import nearest, reference_table
from .links import Current, Input, Projection

_FIELDS = {
    Projection: ("w", "delay", "number", "probability", "pair_probability", "wiring"),
    Input: ("w", "rate", "number", "wiring", "until"),
    Current: ("value",),
}
_UNITS = {"delay": "ms", "rate": "Hz", "until": "ms"}
_PATTERN = re.compile(
    r"(?P<origin>\w+|\*)(?:\s*->\s*(?P<target>\w+|\*)(?::(?P<kind>\w+|\*))?)?\.(?P<name>\w+)"
)


def find(net, address):
    """The parts of a network that an address names, and the name of their value.

    Raises
    ------
    ParameterError
        If there are none.
    """
    match = _PATTERN.fullmatch(address.strip()) if isinstance(address, str) else None
    if not match:
        raise ParameterError(
            f"{address}: got no address; expected one such as PV.tau_L, SOM->E.w, *->E.delay or "
            "thalamus.rate"
        )
    origin, name = match["origin"], match["name"]
    if match["target"] is None and (origin == "*" or origin in net.names):
        return _populations(net, origin, name, address), name
    links = (*net.projections, *net.inputs, *net.currents)
    found = [link for link in links if _is_meant(link, match, net)]
    if not found:
        known = {link.place for link in links} | set(net.names)
        near = nearest(address.rpartition(".")[0], known)
        raise ParameterError(f"{address}: got nothing of that name in the network ({near})")
    having = [link for link in found if name in _FIELDS[type(link)]]
    if not having:
        known = _FIELDS[type(found[0])]
        raise ParameterError(f"{address}: got {name!r}; expected one of {', '.join(known)}")
    if match["kind"] is None:
        _check_kinds(having, name, address)
    return having, name


def _populations(net, origin, name, address):
    found = net.populations if origin == "*" else [net[origin]]
    having = [
        p for p in found if name == "size" or set(full_names(name)) & set(p.neuron.parameters)
    ]
    if not having:
        found[0].neuron.entry(name, address)  # refuses it
    return having


def full_names(name):
    """The parameters that a name sets: those of an alias, or itself."""
    return reference_table()[1].get(name, (name,))


def _is_meant(link, match, net):
    own = link.source if isinstance(link, Projection) else link.name
    origin = match["origin"] == own or (match["origin"] == "*" and own in net.names)
    target = match["target"] in (None, "*", link.target)
    return origin and target and match["kind"] in (None, "*", getattr(link, "kind", None))


def _check_kinds(links, name, address):
    """Refuse an address that means several kinds of synapses between two populations."""
    seen = {}
    for link in links:
        kind = getattr(link, "kind", None)
        first = seen.setdefault((type(link), link.place), kind)
        if kind != first:
            raise ParameterError(
                f"{address}: got synapses of the kinds {first} and {kind} in {link.place}; "
                f"expected one, as {link.place}:{kind}.{name}, or all: {link.place}:*.{name}"
            )


def value(net, address):
    """The unit and the one value (SI) that an address names."""
    found, name = find(net, address)
    known = [(unit_of(net, one, name), _stored(one, name, address)) for one in found]
    for unit_name, one in known[1:]:
        if unit_name != known[0][0] or not _equal(one, known[0][1]):
            raise ParameterError(
                f"{address}: got {len(known)} values that differ; expected an address of one, such "
                f"as {getattr(found[0], 'place', None) or found[0].name}.{name}"
            )
    return known[0]


def unit_of(net, part, name):
    """The unit of a value of a part of the network; None of what is no number."""
    if hasattr(part, "neuron"):
        return "1" if name == "size" else part.neuron.entry(full_names(name)[0], name).unit
    if name == "w":
        return net[part.target].neuron.units[part.kind]
    if name == "value":
        return net[part.target].neuron.drive_unit
    return None if name == "wiring" else _UNITS.get(name, "1")


def _stored(part, name, address):
    if name in ("probability", "pair_probability"):
        raise ParameterError(
            f"{address}: got what can be set and not be read; read {part.place}.number"
        )
    if not hasattr(part, "neuron") or name == "size":
        return getattr(part, name)
    values = [part.values[n] for n in full_names(name) if n in part.values]
    if any(not _equal(one, values[0]) for one in values[1:]):
        raise ParameterError(
            f"{address}: got values that differ; read {' and '.join(full_names(name))}"
        )
    return values[0]


def _equal(one, other):
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return one == other
