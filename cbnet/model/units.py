"""Units by name, and quantities of Brian2 made when somebody reads them.

Values are kept in SI base units, so that reading a table or checking a command line does not import
Brian2 (which takes seconds).
"""

import functools
import re

# Exponents of (metre, kilogram, second, ampere, kelvin, mole, candela), as Brian2 stores them.
_VOLT = (2, 1, -3, -1, 0, 0, 0)
_SECOND = (0, 0, 1, 0, 0, 0, 0)
_HERTZ = (0, 0, -1, 0, 0, 0, 0)
ONE = (0,) * 7

_SMALL = (("", 1.0), ("m", 1e-3), ("u", 1e-6), ("n", 1e-9), ("p", 1e-12))
_UNITS = {
    "1": (1.0, ONE),
    **{p + u: (x, _VOLT) for p, x in (("", 1.0), ("m", 1e-3), ("u", 1e-6)) for u in ("V", "volt")},
    **{p + "s": (x, _SECOND) for p, x in (("", 1.0), ("m", 1e-3), ("u", 1e-6))},
    **{p + "second": (x, _SECOND) for p, x in (("", 1.0), ("m", 1e-3), ("u", 1e-6))},
    "m": (1.0, (1, 0, 0, 0, 0, 0, 0)),
    **{p + "A": (x, (0, 0, 0, 1, 0, 0, 0)) for p, x in _SMALL},
    **{p + "S": (x, (-2, -1, 3, 2, 0, 0, 0)) for p, x in _SMALL},
    **{p + "F": (x, (-2, -1, 4, 2, 0, 0, 0)) for p, x in _SMALL},
    **{"amp": (1.0, (0, 0, 0, 1, 0, 0, 0)), "siemens": (1.0, (-2, -1, 3, 2, 0, 0, 0))},
    "mV/ms": (1.0, (2, 1, -4, -1, 0, 0, 0)),
    "1/s": (1.0, _HERTZ),
    "1/V": (1.0, (-2, -1, 3, 1, 0, 0, 0)),
    **{p + u: (x, _HERTZ) for p, x in (("", 1.0), ("k", 1e3)) for u in ("Hz", "hertz")},
}


def unit(name):
    """Factor to SI and dimension exponents of a unit, such as ``(0.001, ...)`` for ``"mV"``."""
    if name in _UNITS:
        return _UNITS[name]
    import brian2.units.allunits
    import brian2.units.stdunits

    found = getattr(brian2.units.allunits, name, getattr(brian2.units.stdunits, name, None))
    if found is not None and hasattr(found, "dim"):
        return float(found), tuple(found.dim._dims)
    return _product(name)


@functools.cache
def _product(name):
    """A unit that is made of others, such as ``"nS*mV"`` or ``"A/m^2"``."""
    parts = re.split(r"([*/])", name.replace("**", "^").replace(" ", ""))
    if len(parts) == 1 and "^" not in name:
        raise KeyError(name)
    factor, dims = 1.0, ONE
    for sign, part in zip(["*", *parts[1::2]], parts[::2], strict=True):
        base, _, power = part.partition("^")
        if not re.fullmatch(r"(-?\d+)?", power) or (base == "1" and sign == "/"):
            raise KeyError(name)
        n = int(power or 1) * (1 if sign == "*" else -1)
        one, its_dims = unit(base)
        factor *= one**n
        dims = tuple(d + n * e for d, e in zip(dims, its_dims, strict=True))
    return factor, dims


def to_quantity(value, unit_name):
    """A float in SI as a Brian2 quantity of the dimensions of `unit_name`; plain if it has none."""
    _, dims = unit(unit_name)
    if dims == ONE:
        return value
    from brian2.units.fundamentalunits import Quantity, get_or_create_dimension

    return Quantity(value, dim=get_or_create_dimension(dims))


def base_units(unit_name):
    """SI base units of a unit, as Brian2 writes them: ``"m^2 kg s^-3 A^-1"`` for ``"mV"``."""
    symbols = ("m", "kg", "s", "A", "K", "mol", "cd")
    powers = [(s, n) for s, n in zip(symbols, unit(unit_name)[1], strict=True) if n]
    return " ".join(s if n == 1 else f"{s}^{n}" for s, n in powers) or "1"
