"""Parts of a network as they are given, checked, and turned into parts in SI units."""

import dataclasses
import math

import numpy as np

from ..errors import ModelError, ParameterError
from ..support.expressions import parse
from . import dimensions, names
from .distributions import Law, Normal
from .parameters import Entry, to_quantity, unit
from .quantities import split
from .wirings import Bernoulli, Explicit, FixedIn, FixedTotal, GaussianIn

_WIRINGS = (FixedIn, Bernoulli, GaussianIn, FixedTotal, Explicit)
RATE = Entry("rate", 0.0, "Hz", at_least=0)
DELAY = Entry("delay", 0.0, "ms", at_least=0)
NUMBER = Entry("number", 1.0, at_least=0)
SHARE = Entry("probability", 0.0, at_least=0, at_most=1)
# Pairs up to which ln(1 − 1/pairs) is rounded as in published code, whose numbers of synapses are
# then met to the last one (exactly, the microcircuit has two in 3e8 more); beyond, it would show.
_PUBLISHED = 1e9
SIZE = Entry("size", 1, integer=True, at_least=1)


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
    values = dict(neuron.defaults)
    for name, one in given.values.items():
        targets = [t for t in _aliases().get(name, (name,)) if t in neuron.parameters]
        for target in targets or [name]:
            entry = neuron.entry(target, f"{place}.{name}")
            values[target] = _each(one, entry, f"{place}.{target}", size)
    _check_ends(neuron, values, place)
    return dataclasses.replace(
        given, size=size, values=values, initial=_initial(given, size), resolved=True
    )


def _aliases():
    from .parameters import reference_table

    return reference_table()[1]


def _each(given, entry, place, size):
    """A value that may differ among the neurons of a population."""
    if np.ndim(given) == 0 or isinstance(given, Law | str):
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
        entry.parse(to_quantity(float(extreme), entry.unit), place)
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
    kind = given.kind
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
    number, total = _number(given, source.size, target.size)
    return dataclasses.replace(
        given,
        number=number,
        probability=None,
        pair_probability=None,
        total=total,
        w=w,
        delay=value_or_law(delay, DELAY, f"{place}.delay"),
        resolved=True,
    )


def check_wiring(wiring, place):
    """Refuse what is no law of in-degrees."""
    if not isinstance(wiring, _WIRINGS):
        raise ParameterError(
            f"{place}.wiring: got {str(wiring)[:40]!r}; expected one of "
            f"{', '.join(w.__name__ + '(...)' * (w not in (FixedIn, Bernoulli)) for w in _WIRINGS)}"
        )


def _number(given, sources, targets):
    """Mean in-degree and number of synapses."""
    place = given.place
    how = {
        n: getattr(given, n)
        for n in ("number", "probability", "pair_probability")
        if getattr(given, n) is not None
    }
    if isinstance(given.wiring, Explicit):
        return _number_of_edges(given, how, sources, targets)
    if len(how) != 1:
        raise ParameterError(
            f"{place}: got {' and '.join(how) or 'no number'}; expected one of number, probability "
            "and pair_probability"
        )
    ((name, value),) = how.items()
    if name == "pair_probability" and not given.wiring.multapses:
        raise ParameterError(
            f"{place}.pair_probability: got it with {given.wiring}; expected "
            "wiring=FixedTotal(multapses=True), as pairs are drawn with replacement: else give "
            "probability"
        )
    if name == "number":
        number = mean_number(value, f"{place}.number")
    else:
        value = SHARE.parse(value, f"{place}.{name}")
        for who, size in ((given.source, sources), (given.target, targets)):
            if size is None and (who == given.source or name == "pair_probability"):
                raise ParameterError(
                    f"{place}.{name}: got {value:g}; expected a size of {who!r}, from which the "
                    "in-degree follows: Population(name, neuron, size)"
                )
        if name == "probability":
            number = value * sources
        else:
            number = synapses_of_pairs(value, sources, targets, place) / targets
    if sources is not None and not given.wiring.multapses:
        most = sources - (given.source == given.target and isinstance(given.wiring, FixedIn))
        if number > most:
            raise ParameterError(
                f"{place}.number: got {number:g}; expected at most {most}, as many as there are "
                f"other neurons in {given.source!r}"
            )
    return number, None if targets is None else round(number * targets)


def mean_number(given, place):
    """An in-degree; what looks like a probability is refused."""
    number = NUMBER.parse(given, place)
    if 0 < number < 1:
        raise ParameterError(
            f"{place}: got {number:g}; expected an in-degree: for a probability, give it as "
            "probability or pair_probability"
        )
    return number


def synapses_of_pairs(C, sources, targets, place):
    """Draws with replacement after which a share C of all pairs has at least one, rounded."""
    if C == 1:
        raise ParameterError(
            f"{place}.pair_probability: got 1; expected less: no number of draws with replacement "
            "meets every pair for certain"
        )
    pairs = sources * targets
    if pairs < _PUBLISHED:
        return round(math.log(1 - C) / math.log(1 - 1 / pairs))
    return round(math.log1p(-C) / math.log1p(-1 / pairs))


def _number_of_edges(given, how, sources, targets):
    place, edges = given.place, given.wiring
    if sources is None or targets is None:
        raise ParameterError(
            f"{place}.wiring: got edges; expected sizes of {given.source!r} and {given.target!r}"
        )
    for name, most in (("i", sources), ("j", targets)):
        largest = int(getattr(edges, name).max(initial=-1))
        if largest >= most:
            raise ParameterError(
                f"{place}.wiring.{name}: got the neuron {largest}; expected at most {most - 1}"
            )
    if how:
        raise ParameterError(
            f"{place}: got {' and '.join(how)} beside edges; expected the edges alone"
        )
    return len(edges.i) / targets, len(edges.i)


def input_(given, target):
    """An input in SI units."""
    if given.resolved:
        return given
    place = given.place
    check_name(given.name, "Input")
    check_wiring(given.wiring, place)
    if isinstance(given.wiring, Explicit):
        raise ParameterError(f"{place}.wiring: got edges; expected a law of in-degrees")
    return dataclasses.replace(
        given,
        number=mean_number(given.number, f"{place}.number"),
        w=efficacy(given, target.neuron, place),
        rate=RATE.parse(given.rate, f"{place}.rate"),
        until=None if given.until is None else DELAY.parse(given.until, f"{place}.until"),
        resolved=True,
    )


def current(given, target):
    """A current in SI units."""
    if given.resolved:
        return given
    check_name(given.name, "Current")
    dims = tuple(d - s for d, s in zip(target.neuron.variables["v"], unit("s")[1], strict=True))
    entry = Entry("value", 0.0, dimensions.name_of(dims))
    return dataclasses.replace(
        given, value=entry.parse(given.value, f"{given.place}.value"), resolved=True
    )
