"""The one-dimensional reduction of a model as functions of numbers.

:mod:`cbnet.model.reduction` derives them with sympy and Brian2, whose import alone takes seconds.
What it derived is kept as text in the user's cache, so that a program that only computes with a
model it has seen imports neither.
"""

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import platform

from ..errors import ModelError
from ..support import cache, code
from .one_dimension import Reduced, strings_of

_PACKAGES = ("brian2", "sympy", "numpy")  # derive the text, and run it


def of_model(model, values):
    """The functions of a model, from the cache if they were derived before.

    Parameters
    ----------
    model : Model
        The strings.
    values : dict
        Resolved parameters of one population; they choose the coupling, and nothing else.

    Returns
    -------
    Reduced

    Raises
    ------
    ModelError
        If the strings do not reduce to one dimension; the message names the identifier or the
        statement.
    ParameterError
        If the time constant of a synaptic variable is not above zero.
    """
    found = _remembered(*strings_of(model, values))
    found.time_constants(values)  # refuses what does not decay
    found.check_ends(values, model)
    return found


def of_neuron(neuron, values, place):
    """The functions of a neuron with synapses of any kinds, remembered as those of a model are.

    The efficacy of a kind is a parameter of its functions, by the name that the kind gives it.

    Parameters
    ----------
    neuron : Neuron
        The strings.
    values : dict of str to float
        Of its parameters, SI.
    place : str
        What messages begin with, such as the name of a population.

    Returns
    -------
    Reduced

    Raises
    ------
    ModelError
        If the strings do not reduce to one dimension: plastic synapses, a further variable.
    ParameterError
        If the time constant of a synaptic variable is not above zero, or the reset is not below the
        threshold.
    """
    kinds = []
    for kind, synapse in neuron.synapses.items():
        for name in ("equations", "on_post"):
            text = " ".join(getattr(synapse, name).split())
            if text:
                raise ModelError(
                    f"{place}.synapses[{kind!r}].{name}: got {text!r}; expected none: the theory "
                    "has no synapses that change"
                )
        own = ((synapse.efficacy, neuron.units[kind]),) if synapse.efficacy else ()
        kinds.append((kind, synapse.on_pre, own))
    units = tuple(sorted((n, e.unit) for n, e in neuron.parameters.items() if not e.choices))
    strings = neuron.equations, tuple(kinds), neuron.threshold, neuron.reset, units
    try:
        found = _remembered(*strings)
    except ModelError as error:
        raise ModelError(f"{place}: {error}") from None
    found.time_constants(values)
    found.check_ends(values, neuron)
    return found


@functools.lru_cache(maxsize=64)
def _remembered(*strings):
    about = json.dumps([strings, _origin()], sort_keys=True)

    def derive():
        from . import reduction

        return dataclasses.asdict(reduction.reduce(*strings).functions)

    return Reduced(**cache.text(hashlib.sha256(about.encode()).hexdigest(), derive))


@functools.cache
def _origin():
    """Everything beside the strings that the text depends on."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return [versions | {"python": platform.python_version()}, code.of()]
