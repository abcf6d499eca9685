"""In-degrees: from a number, a probability, the share of pairs, or edges."""

import math

from ..errors import ParameterError
from .entry import Entry
from .si import SI
from .wirings import Explicit, FixedIn

NUMBER = Entry("number", 1.0, at_least=0)
SHARE = Entry("probability", 0.0, at_least=0, at_most=1)
# Pairs up to which ln(1 − 1/pairs) is rounded as in published code, whose numbers of synapses are
# then met to the last one (exactly, the microcircuit has two in 3e8 more); beyond, it would show.
_PUBLISHED = 1e9


def of(given, sources, targets):
    """Mean in-degree of a projection, and its number of synapses where that is known.

    Parameters
    ----------
    given : Projection
    sources, targets : int or None
        Sizes.
    """
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
        number = mean(value, f"{place}.number")
    else:
        value = SHARE.parse(value, f"{place}.{name}")
        for who, size in ((given.source, sources), (given.target, targets)):
            if size is None and (who == given.source or name == "pair_probability"):
                raise ParameterError(
                    f"{place}.{name}: got {value:g}; expected a size of {who!r}, from which the "
                    "in-degree follows: Population(name, neuron, size)"
                )
        if name == "probability":
            number = tidy(value * sources)
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


def mean(given, place):
    """An in-degree as it was given; what looks like a probability is refused."""
    number = NUMBER.parse(given, place)
    if 0 < number < 1 and not isinstance(given, SI):
        raise ParameterError(
            f"{place}: got {number:g}; expected an in-degree: for a probability, give it as "
            "probability or pair_probability"
        )
    return number


def tidy(number):
    """A whole number where a product of floats is one but for rounding, as 0.07 × 100."""
    whole = round(number)
    return float(whole) if abs(number - whole) <= 1e-12 * abs(number) else number


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
