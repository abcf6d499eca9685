"""Expressions of a model, which are in SI without units, as Brian2 code with units."""

from brian2.parsing.sympytools import sympy_to_str
from brian2.utils.stringtools import word_substitute

from ...model.units import unit

_BASE = ("metre", "kilogram", "second", "amp", "kelvin", "mole", "candle")


def code(expression, units, dimension):
    """Brian2 code of an expression of parameters.

    Parameters
    ----------
    expression : sympy.Expr
        In SI; what units its strings named are numbers in it.
    units : iterable of (str, str)
        Pairs of name and unit of every parameter: those of a model.
    dimension : brian2.units.fundamentalunits.Dimension
        Of the value.

    Returns
    -------
    str
    """
    used = {symbol.name for symbol in expression.free_symbols}
    bare = {}
    for name, unit_name in units:
        base = _base_units(unit(unit_name)[1])
        if name in used and base:
            bare[name] = f"({name}/({base}))"
    text = word_substitute(sympy_to_str(expression), bare)
    base = _base_units(dimension._dims)
    return f"({text})*({base})" if base else f"({text})"


def _base_units(dims):
    return "*".join(
        name if power == 1 else f"{name}**{power:g}"
        for name, power in zip(_BASE, dims, strict=True)
        if power
    )
