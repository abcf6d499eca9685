"""Parts of a network as they are given, checked, and turned into parts in SI units."""

import dataclasses
import math

import numpy as np

from ..errors import ModelError, ParameterError
from ..support.expressions import parse
from . import dimensions, in_degree, names
from .distributions import Law, Normal
from .entry import Entry, reference_table
from .quantities import split, text
from .si import SI
from .units import unit
from .wirings import Bernoulli, Explicit, FixedIn, FixedTotal, GaussianIn

_WIRINGS = (FixedIn, Bernoulli, GaussianIn, FixedTotal, Explicit)
RATE = Entry("rate", 0.0, "Hz", at_least=0)
DELAY = Entry("delay", 0.0, "ms", at_least=0)
SIZE = Entry("size", 1, integer=True, at_least=1, at_most=2**31 - 1)


def check_name(name, place):
    """Refuse a name that means something else to Python, Brian2 or C++."""
    try:
        names.check(name, place)
    except ModelError as error:
        raise ParameterError(str(error)) from None


def value_or_law(given, entry, place):
    """A number or a law in SI units, by the unit and the bounds of an entry."""
    if not isinstance(given, Law):
        return entry.parse(given, place)
    if isinstance(given, Normal) and given.at_least is None and entry.at_least == 0:
        given = given.changed(at_least=0.0)
    if given.shape:
        raise ParameterError(
            f"{place}: got a law with an array of means; expected one law: cbnet.matrix takes "
            "such an array apart"
        )
    factor, dims = unit(entry.unit)
    if given.dims != dims:
        raise ParameterError(f"{place}: got {given!r}; expected {entry.unit} in it")
    least = -math.inf if entry.at_least is None else entry.at_least
    least = least if entry.above is None else entry.above
    if not given.shortest >= least * factor:
        raise ParameterError(
            f"{place}: got {given!r}, with values below {least:g} {entry.unit}; expected "
            f"{entry.expected}"
        )
    return given


def population(given):
    """A population in SI units, with every parameter of its neuron."""
    if given.resolved:
        return given
    check_name(given.name, "Population")
    place, neuron = given.name, given.neuron
    if not hasattr(neuron, "synapses"):
        raise ParameterError(
            f"{place}.neuron: got {str(neuron)[:40]!r}; expected a Neuron, as of "
            "cbnet.neuron('conductance')"
        )
    size = None if given.size is None else SIZE.parse(given.size, f"{place}.size")
    made = dataclasses.replace(given, size=size, values=dict(neuron.defaults), resolved=True)
    made = with_values(made, given.values)
    return dataclasses.replace(made, initial=_initial(given, size))


def with_values(one, given):
    """A population in SI units with other values of parameters, given with units."""
    if not isinstance(given, dict):
        raise ParameterError(f"{one.name}.values: got {str(given)[:40]}; expected them by name")
    values = dict(one.values)
    for name, raw in given.items():
        targets = [t for t in _aliases().get(name, (name,)) if t in one.neuron.parameters]
        for target in targets or [name]:
            entry = one.neuron.entry(target, f"{one.name}.{name}")
            values[target] = _each(raw, entry, f"{one.name}.{target}", one.size)
    _check_ends(one.neuron, values, one.name)
    return dataclasses.replace(one, values=values)


def _aliases():
    return reference_table()[1]


def _each(given, entry, place, size):
    """A value that may differ among the neurons of a population."""
    if isinstance(given, Law | str) or not (isinstance(given, list | tuple) or np.ndim(given)):
        return value_or_law(given, entry, place)
    value, dims = split(given, place)
    if dims != unit(entry.unit)[1]:
        raise ParameterError(f"{place}: got an array in another unit; expected {entry.unit}")
    if size is None or value.shape != (size,):
        raise ParameterError(
            f"{place}: got values of shape {value.shape}; expected one for each of "
            f"{'so many neurons: give size' if size is None else f'{size} neurons'}"
        )
    for extreme in (value.min(), value.max()):
        entry.parse(SI(extreme, entry.unit), place)
    return value


def _initial(given, size):
    if given.initial is None:
        return None
    many = given.initial if isinstance(given.initial, dict) else {"v": given.initial}
    found = {}
    for name, one in many.items():
        place = f"{given.name}.initial"
        if name not in given.neuron.variables:
            raise ParameterError(
                f"{place}: got {name!r}; expected a variable of the neuron, one of "
                f"{', '.join(given.neuron.variables)}"
            )
        entry = Entry(name, 0.0, dimensions.name_of(given.neuron.variables[name]))
        found[name] = _each(one, entry, place, size)
    return found


def _check_ends(neuron, values, place):
    """Refuse a reset above the threshold, where both are plain parameters."""
    if neuron.threshold.split() != ["v", ">", "theta"] or neuron.reset.split() != ["v", "=", "V_r"]:
        return
    reset, threshold = extremes(values["V_r"])[1], extremes(values["theta"])[0]
    if not reset < threshold:
        raise ParameterError(
            f"{place}.V_r: got {reset * 1e3:g} mV; expected it below theta, {threshold * 1e3:g} mV"
        )


def extremes(value):
    """The least and the largest of a number, an array or a law."""
    if isinstance(value, Law):
        return value.shortest, value.longest
    return np.min(value), np.max(value)


def efficacy(given, neuron, place):
    """The efficacy of a projection or an input in SI units; None where the kind has none."""
    kind = text(given.kind, f"{place}.kind")
    if kind not in neuron.synapses:
        raise ParameterError(
            f"{place}: got the kind {kind!r}; expected one of {', '.join(neuron.synapses)}, for "
            "which the neuron has a string"
        )
    unit_name = neuron.units[kind]
    explicit = given.wiring.w if isinstance(given.wiring, Explicit) else None
    w = given.w if explicit is None else explicit
    if unit_name is None:
        if w is not None:
            raise ParameterError(
                f"{place}.w: got {w}; expected none, as the string of {kind!r} has no efficacy"
            )
        return None
    if w is None:
        raise ParameterError(
            f"{place}.w: got none; expected the efficacy of {kind!r}"
            + (f", in {unit_name}" if unit_name != "1" else ", a number")
        )
    found = value_or_law(w, Entry("w", None, unit_name, at_least=0), f"{place}.w")
    for rule in neuron.synapses[kind].requires:
        for x in extremes(found):
            if not parse(rule)({"w": x}):
                cut = "; cut the law with at_most" * isinstance(found, Normal)
                raise ParameterError(
                    f"{place}.w: got {x:.4g}; expected {rule}, which the string of {kind!r} "
                    f"needs{cut}"
                )
    return found


def projection(given, source, target):
    """A projection in SI units between two populations."""
    if given.resolved:
        return given
    place = given.place
    check_wiring(given.wiring, place)
    w = efficacy(given, target.neuron, place)
    explicit = given.wiring if isinstance(given.wiring, Explicit) else None
    delay = given.delay if explicit is None or explicit.delay is None else explicit.delay
    delay = value_or_law(delay, DELAY, f"{place}.delay")
    if _silent(given, target.neuron) and extremes(delay)[1] > 0:
        raise ParameterError(
            f"{place}.delay: got one of {given.kind!r}, whose on_pre is empty; expected none: what "
            "its equations read is without delay"
        )
    number, total = in_degree.of(given, source.size, target.size)
    return dataclasses.replace(
        given,
        number=number,
        probability=None,
        pair_probability=None,
        total=total,
        w=w,
        delay=delay,
        resolved=True,
    )


def _silent(given, neuron):
    """Whether spikes do nothing, as where equations read variables of the source."""
    return not neuron.synapses[given.kind].on_pre.strip()


def check_wiring(wiring, place):
    """Refuse what is no law of in-degrees."""
    if not isinstance(wiring, _WIRINGS):
        raise ParameterError(
            f"{place}.wiring: got {str(wiring)[:40]!r}; expected one of "
            f"{', '.join(w.__name__ + '(...)' * (w not in (FixedIn, Bernoulli)) for w in _WIRINGS)}"
        )


def input_(given, target):
    """An input in SI units."""
    if given.resolved:
        return given
    place = given.place
    check_name(given.name, "Input")
    check_wiring(given.wiring, place)
    if isinstance(given.wiring, Explicit):
        raise ParameterError(f"{place}.wiring: got edges; expected a law of in-degrees")
    if not isinstance(given.one_a_step, bool):
        raise ParameterError(
            f"{place}.one_a_step: got {given.one_a_step!r}; expected True or False"
        )
    w = efficacy(given, target.neuron, place)
    if _silent(given, target.neuron):
        raise ParameterError(
            f"{place}.kind: got {given.kind!r}, whose on_pre is empty; expected one that a train "
            "from outside acts on"
        )
    return dataclasses.replace(
        given,
        number=in_degree.mean(given.number, f"{place}.number"),
        w=w,
        rate=RATE.parse(given.rate, f"{place}.rate"),
        until=None if given.until is None else DELAY.parse(given.until, f"{place}.until"),
        resolved=True,
    )


def current(given, target):
    """A current in SI units."""
    if given.resolved:
        return given
    check_name(given.name, "Current")
    entry = Entry("value", 0.0, target.neuron.drive_unit)
    return dataclasses.replace(
        given, value=entry.parse(given.value, f"{given.place}.value"), resolved=True
    )
