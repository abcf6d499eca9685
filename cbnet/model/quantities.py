"""Numbers, Brian2's quantities and strings with units, as floats in SI units and dimensions."""

import numpy as np

from ..errors import ParameterError
from .entry import split_quantity
from .units import unit

ONE = (0,) * 7


def text(given, place):
    """A string, or ParameterError."""
    if not isinstance(given, str):
        shown = " ".join(str(given).split())[:40]
        raise ParameterError(f"{place}: got {shown}; expected a string")
    return given


def split(given, place):
    """A value or an array in SI units, and its dimensions.

    Parameters
    ----------
    given : Quantity, float, str, or nested lists of them
    place : str
        What stands before the colon of an error.

    Returns
    -------
    value : float or ndarray
    dims : tuple
        Exponents as Brian2 stores them.

    Examples
    --------
    >>> from cbnet.model.quantities import split
    >>> split("2 ms", "delay")
    (0.002, (0, 0, 1, 0, 0, 0, 0))
    """
    if isinstance(given, str):
        return _text(given, place)
    if isinstance(given, list | tuple):
        return _nested(given, place)
    dims = tuple(given.dim._dims) if hasattr(given, "dim") else ONE
    kind = getattr(getattr(given, "dtype", None), "kind", "")
    if isinstance(given, bool | np.bool_) or kind in ("b", "c", "O", "U"):
        raise ParameterError(f"{place}: got {given}; expected numbers")
    try:
        value = np.array(given, float)
    except (TypeError, ValueError):
        raise ParameterError(f"{place}: got {given!r}; expected a number") from None
    return (value if value.ndim else float(value)), dims


def _text(given, place):
    digits, name = split_quantity(given)
    if digits is None:
        raise ParameterError(f"{place}: got {given!r}; expected a number, as in '20 ms'")
    try:
        factor, dims = unit(name or "1")
    except KeyError:
        raise ParameterError(
            f"{place}: got {given!r}; {name!r} is no unit; expected one such as ms"
        ) from None
    return float(digits) * factor, dims


def _nested(given, place):
    parts = [split(one, place) for one in given]
    if len({np.shape(value) for value, _ in parts}) > 1:
        raise ParameterError(f"{place}: got rows of different lengths; expected as many in each")
    # a zero has every unit: it stands where there is nothing
    found = {dims for value, dims in parts if dims != ONE or np.any(value)}
    if len(found) > 1:
        raise ParameterError(f"{place}: got several units; expected one")
    return np.array([value for value, _ in parts]), found.pop() if found else ONE


def pick(values, row, column):
    """An element of an array of shape (), (P,) by column, (1, P), (P, 1) or (P, P)."""
    if np.ndim(values) == 0:
        return values
    if np.ndim(values) == 1:
        return values[column if len(values) > 1 else 0]
    return values[row if len(values) > 1 else 0][column if len(values[0]) > 1 else 0]
