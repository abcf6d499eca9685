"""Values in a network's file: quantities, arrays with one unit, laws, wirings."""

from ..errors import ParameterError
from . import distributions, wirings
from .entry import nearest
from .quantities import split, text
from .si import SI
from .units import unit

_LAWS = {
    "uniform": (distributions.Uniform, ("low", "high")),
    "normal": (distributions.Normal, ("mean", "sd", "cv", "at_least", "at_most")),
    "log_normal": (distributions.LogNormal, ("mean", "cv")),
    "exponential": (distributions.Exponential, ("mean",)),
}
_WIRINGS = {
    "fixed_in": (wirings.FixedIn, ()),
    "bernoulli": (wirings.Bernoulli, ()),
    "gaussian_in": (wirings.GaussianIn, ("cv",)),
    "fixed_total": (wirings.FixedTotal, ("multapses",)),
    "explicit": (None, ("file",)),
}


def _keys(given):
    return ", ".join(map(str, given)) or "nothing"


def value(given, place):
    """A value of a file as the constructors of networks take it.

    Parameters
    ----------
    given : float, str, list or dict
        ``0.02``, ``"2 ms"``, lists of them, ``{unit = "mV", values = [...]}``, or a law
        ``{law = "normal", mean = "1.5 ms", cv = 0.5}``, in which ``unit`` is of what has none.
    place : str
        What stands before the colon of an error.
    """
    if not isinstance(given, dict):
        return given
    given = dict(given)
    unit_name = given.pop("unit", None)
    if "law" not in given:
        if set(given) != {"values"}:
            raise ParameterError(
                f"{place}: got a table of {_keys(given)}; expected a law, or values and their unit"
            )
        return _with_unit(given["values"], unit_name, place)
    law = text(given.pop("law"), f"{place}.law")
    if law not in _LAWS:
        raise ParameterError(
            f"{place}.law: got {law!r}; expected one of {', '.join(_LAWS)} ({nearest(law, _LAWS)})"
        )
    make, names = _LAWS[law]
    for name in given:
        if name not in names:
            raise ParameterError(f"{place}.{name}: got it; expected {', '.join(names)} of {law!r}")
    plain = {n: x if n == "cv" else _with_unit(x, unit_name, place) for n, x in given.items()}
    try:
        return make(**plain)
    except TypeError:
        raise ParameterError(
            f"{place}: got {_keys(given)}; expected {', '.join(names)} of {law!r}"
        ) from None
    except ParameterError as error:
        raise ParameterError(f"{place}: {error}") from None


def _with_unit(given, unit_name, place):
    """A number or nested lists of numbers as quantities of a unit."""
    if unit_name is None or isinstance(given, str):
        return given
    if isinstance(given, list):
        return [_with_unit(one, unit_name, place) for one in given]
    try:
        factor, _ = unit(unit_name)
    except (KeyError, TypeError, AttributeError):
        raise ParameterError(f"{place}.unit: got {unit_name!r}; expected a unit, as mV") from None
    number, _ = split(given, place)
    return SI(number * factor, unit_name)


def wiring(given, folder):
    """A law of in-degrees by name, or a table of one; edges stand in a file beside this one."""
    given = dict(given) if isinstance(given, dict) else {"law": given}
    law = text(given.pop("law", "nothing"), "wiring")
    if law not in _WIRINGS:
        raise ParameterError(f"wiring: got {law!r}; expected one of {', '.join(_WIRINGS)}")
    make, names = _WIRINGS[law]
    if set(given) - set(names) or (law in ("gaussian_in", "explicit") and not given):
        raise ParameterError(
            f"wiring: got {_keys(given)} for {law!r}; expected {', '.join(names) or 'nothing'}"
        )
    if law == "explicit":
        return wirings.Explicit.read(folder / text(given["file"], "wiring.file"))
    return make(**given)
