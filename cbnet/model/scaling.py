"""How the efficacy a changes with the in-degree K, where that is a formula."""

import math

import numpy as np

from ..errors import ParameterError
from . import reduced
from .entry import nearest
from .model import identifiers
from .parameters import POPULATIONS

LAWS = ("sqrt", "inverse", "log", "preserving")


def factor(law, K_0, K):
    """a/a_0 of the laws that are formulae: a ∝ 1/√K, 1/K, 1/ln K.

    Parameters
    ----------
    law : {"sqrt", "inverse", "log"}
    K_0, K : float or ndarray
        In-degrees from which and to which.

    Raises
    ------
    ParameterError
        For ``"log"`` and in-degrees of 1.
    """
    K = np.asarray(K, float)
    if law == "sqrt":
        return np.sqrt(K_0 / K)
    if law == "inverse":
        return K_0 / K
    if min(K.min(), K_0) <= 1:
        raise ParameterError(f"K: got {K.min():g} from {K_0}; law='log' needs both above 1")
    return np.log(K_0) / np.log(K)


def weaker(params, factor):
    """Parameters with every efficacy multiplied by a factor: a, and what was set in its place.

    g stays, so that inhibition changes as excitation does.
    """
    model, given = params.model, {}
    of_a = {d.name: d for d in model.derived if "a" in identifiers(d.expression)}
    for key, value in params.changes.items():
        population, _, name = key.rpartition(".")
        if name == "a":
            given[key] = value * factor
        elif name in of_a:
            given[key] = value * _ratio(of_a[name], params.resolve(population or "E"), factor)
    if not any(name in params.changes for name in ("a", *model.rivals("a"))):
        given["a"] = model.defaults["a"] * factor
    return params.updated(given)


def _ratio(derived, values, factor):
    """By how much a derived quantity changes with a."""
    if math.isnan(values["a"]):
        return factor
    before, after = (derived.value({**values, "a": values["a"] * x}) for x in (1.0, factor))
    return after / before


def check(params, law, explicit):
    """Refuse a law that is not known, or cannot be followed from these parameters.

    Parameters
    ----------
    params : Parameters
    law : str
    explicit : dict
        What else was given by name; None where it was not.
    """
    if law not in LAWS:
        raise ParameterError(
            f"law: got {law!r}; expected one of {', '.join(LAWS)} ({nearest(str(law), LAWS)})"
        )
    for population in POPULATIONS:
        if f"{population}.K" in params.changes:
            raise ParameterError(
                f"{population}.K: got an in-degree of population {population} alone; scaling "
                "changes K of both; set K for both"
            )
    given = [name for name, value in explicit.items() if value is not None]
    if law != "preserving" and given:
        raise ParameterError(f"{given[0]}: got it with law={law!r}; only 'preserving' takes it")
    check_used(params)


def check_used(params):
    """Refuse a model whose jumps do not depend on a."""
    jumps = []
    for some in (params, weaker(params, 0.5)):
        values = some.resolve("E")
        found = reduced.of_model(some.model, values)
        rates = {"R_E": 0.0, "R_I": 0.0}
        numbers = {n: x for n, x in values.items() if not isinstance(x, str)} | rates
        theta = found.constant("threshold", numbers)
        jumps.append([float(found.function(f"jump_{p}", numbers)(theta)) for p in "EI"])
    if jumps[0] == jumps[1]:
        raise ParameterError(
            f"law: got model {params.model.name!r}, whose synapses do not depend on a; state their "
            "strength in terms of a, or change K and it with replace()"
        )
