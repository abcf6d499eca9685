"""Networks with other values than a network has."""

import dataclasses

from ..errors import ParameterError
from . import addresses, resolution
from .si import SI
from .wirings import Explicit

_NUMBERS = ("number", "probability", "pair_probability")


def replaced(net, changes):
    """A network with other values by address, given with units."""
    if not isinstance(changes, dict):
        raise ParameterError(
            f"replace: got {str(changes)[:40]}; expected values by address, as {{'E.tau_L': 10*ms}}"
        )
    pending, by = {}, {}
    for address, raw in changes.items():
        found, name = addresses.find(net, address)
        for part in found:
            own = pending.setdefault(id(part), {})
            for each in addresses.full_names(name):
                if each in own and repr(own[each]) != repr(raw):
                    raise ParameterError(
                        f"{address}: got another value than {by[id(part), each]}, which names the "
                        "same; give one of them"
                    )
                own[each], by[id(part), each] = raw, address
    sizes = {
        p.name: pending[id(p)].pop("size")
        for p in net.populations
        if "size" in pending.get(id(p), ())
    }
    populations = [_population(p, sizes, pending.get(id(p), {})) for p in net.populations]

    def links(parts):
        return [
            as_given(net, link, pending.get(id(link), {}))
            if id(link) in pending or {link.target, getattr(link, "source", None)} & set(sizes)
            else link
            for link in parts
        ]

    return type(net)(populations, links(net.projections), links(net.inputs), links(net.currents))


def _population(one, sizes, values):
    if one.name in sizes:
        size = resolution.SIZE.parse(sizes[one.name], f"{one.name}.size")
        listed = [
            n for n, x in {**one.values, **(one.initial or {})}.items() if hasattr(x, "shape")
        ]
        if listed and size != one.size:
            raise ParameterError(
                f"{one.name}.size: got {size}; expected {one.size}, as many as there are values of "
                f"{listed[0]}"
            )
        one = dataclasses.replace(one, size=size)
    kept = {n: x for n, x in values.items() if n in one.neuron.parameters}
    return resolution.with_values(one, kept) if kept else one


def as_given(net, link, changes):
    """A projection, input or current with other values, as if it had not been resolved yet.

    Its own values keep their last digit; its number is taken whatever it is.
    """
    own = {}
    for name in ("w", "delay", "rate", "until", "value", "number"):
        stored = getattr(link, name, None)
        if isinstance(stored, float | int):
            own[name] = SI(stored, addresses.unit_of(net, link, name))
    wiring = getattr(link, "wiring", None)
    if isinstance(wiring, Explicit) and "wiring" not in changes:
        for name in ("w", "delay"):
            if name in changes and getattr(wiring, name) is not None:
                raise ParameterError(
                    f"{link.place}.{name}: got a value; expected none, as every edge has its own"
                )
    if set(_NUMBERS) & set(changes) or isinstance(changes.get("wiring", wiring), Explicit):
        own["number"] = None
    return dataclasses.replace(link, **{**own, **changes, "resolved": False})
