"""Rows of a parameter table, from whatever somebody gives as a parameter's value."""

import math
from dataclasses import asdict

from ..errors import ModelError, ParameterError
from .parameters import Entry, reference_table, unit
from .si import SI


def entry_of(name, given, place, owner):
    """The row of a parameter.

    Parameters
    ----------
    name : str
    given : Quantity, float, str or Entry
        Its default; a string with a unit is for a parameter of the reference set.
    place : str
        What stands before the colon of an error.
    owner : str
        Whose parameter it is, for the table: ``"model leaky"``.

    Returns
    -------
    Entry

    Raises
    ------
    ModelError, ParameterError
        If it is no value, or has the wrong unit.
    """
    if isinstance(given, Entry):
        return _checked(name, given, place)
    base = reference_table()[0].get(name)
    if base is not None:
        value = base.parse(given, place)
        shown = value if base.choices or base.integer else value / unit(base.unit)[0]
        return Entry(**{**asdict(base), "value": shown, "source": owner})
    try:
        value = math.nan if isinstance(given, str | bool) else float(given)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        shown = " ".join(str(given).split())
        raise ModelError(
            f"{place}: got {shown}; expected one quantity or number that is finite, or an Entry"
        )
    shown_unit = _best_unit(given) if hasattr(given, "dim") else "1"
    value /= unit(shown_unit)[0]
    return Entry(name, value, shown_unit, name, f"parameter of {owner}", owner)


def shown_in(value, unit_name):
    """A value in SI as a number of a unit, such that the product is the value to the last digit."""
    factor = unit(unit_name)[0]
    plain = value / factor
    rounded = float(f"{plain:.15g}")
    return rounded if rounded * factor == value else plain


def _checked(name, given, place):
    if given.name != name:
        raise ModelError(f"{place}: got an Entry called {given.name!r}; expected {name!r}")
    try:
        unit(given.unit)
    except KeyError:
        raise ModelError(
            f"{place}: got the unit {given.unit!r}; expected one of Brian2's, such as mV"
        ) from None
    if given.follows is None:
        number = given.unit == "1" or given.choices or isinstance(given.value, str)
        shown = given.value if number else _quantity(given.value, given.unit)
        try:
            given.parse(shown, place)
        except ParameterError as error:
            raise ModelError(str(error)) from None
    return given


def _best_unit(given):
    """The name of a unit in which a quantity is a number that is easy to read."""
    shown = str(given.get_best_unit()).replace(" ", "")
    try:
        if unit(shown)[1] == tuple(given.dim._dims):
            return shown
    except KeyError:
        pass
    symbols = ("metre", "kilogram", "second", "amp", "kelvin", "mole", "candle")
    return "*".join(
        f"{s}^{n:g}" if n != 1 else s for s, n in zip(symbols, given.dim._dims, strict=True) if n
    )


def _quantity(value, unit_name):
    factor = unit(unit_name)[0]
    return SI(value * factor if isinstance(value, int | float) else math.nan, unit_name)
