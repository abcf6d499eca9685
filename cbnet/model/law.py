"""What laws of values have in common: fields in SI units, and the dimensions that they share."""

from dataclasses import fields

import numpy as np

from ..errors import ParameterError
from .dimensions import name_of
from .quantities import ONE, pick, split
from .units import unit

# Beyond `longest`, and below `shortest`, of a law without bounds there is one value in 10⁵.
QUANTILE = 4.264890793922602


class Law:
    """What all laws have in common."""

    _plain = ("cv",)  # fields without a unit
    _optional = ()

    def _fill(self, **given):
        """Set the fields, in SI units, and the dimensions that they share."""
        label, dims = type(self).__name__, None
        for name, raw in given.items():
            value = raw
            if raw is not None or name not in self._optional:
                value, its = split(raw, f"{label}.{name}")
                if not np.all(np.isfinite(value)):
                    raise ParameterError(f"{label}.{name}: got {raw}; expected finite numbers")
                expected = ONE if name in self._plain else dims
                if expected is not None and its != expected:
                    raise ParameterError(
                        f"{label}.{name}: got {raw}; expected "
                        f"{'no unit' if name in self._plain else 'the unit of the others'}"
                    )
                dims = dims if name in self._plain else its
            object.__setattr__(self, name, value)
        object.__setattr__(self, "dims", dims)
        try:
            one = not self.shape
        except ValueError:
            raise ParameterError(
                f"{label}: got arrays of different shapes; expected one number, or as many as means"
            ) from None
        if one:
            self._check()

    def _check(self):
        """Refuse values that make no law."""

    def _refuse(self, name, expected):
        raise ParameterError(
            f"{type(self).__name__}.{name}: got {getattr(self, name):g} in SI units; "
            f"expected {expected}"
        )

    @property
    def shape(self):
        """Of the arrays of means; () of one law."""
        return np.broadcast_shapes(*(np.shape(getattr(self, f.name)) for f in fields(self)))

    def at(self, row, column):
        """The law of one element of arrays of means."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        return self.changed(
            **{n: float(pick(x, row, column)) for n, x in arrays.items() if np.ndim(x)}
        )

    def changed(self, **values):
        """A copy with other fields, in SI units."""
        made = object.__new__(type(self))
        for one in fields(self):
            object.__setattr__(made, one.name, values.get(one.name, getattr(self, one.name)))
        object.__setattr__(made, "dims", self.dims)
        if not made.shape:
            made._check()
        return made

    def scaled(self, factor):
        """The law of the values times a factor."""
        return self.changed(**{
            f.name: getattr(self, f.name) * factor
            for f in fields(self)
            if f.name not in self._plain and getattr(self, f.name) is not None
        })  # fmt: skip

    def shown(self):
        """The fields by name, as a person writes them."""
        unit_name = name_of(self.dims or ONE)
        factor = unit(unit_name)[0]
        suffix = f" {unit_name}" * (unit_name != "1")
        found = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if value is None:
                continue
            if one.name in self._plain:
                found[one.name] = str(value) if np.ndim(value) else f"{value:.8g}"
            elif np.ndim(value):
                found[one.name] = f"array of shape {np.shape(value)}"
            else:
                found[one.name] = f"{value / factor:.8g}{suffix}"
        return found

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{n}={x}' for n, x in self.shown().items())})"
