"""What results of networks of named populations have in common."""

import numpy as np

from ..errors import ParameterError
from ..model.units import to_quantity
from .result import plain

DIMENSION = "population"


class OfPopulation:
    """What a result says of one population: quantities, by the names of the result's fields."""

    def __init__(self, result, index):
        self._result, self._index = result, index

    def __getattr__(self, name):
        if name.startswith("_") or name not in self._names:
            raise AttributeError(
                f"population {self._result.populations[self._index]!r} has no attribute {name!r}; "
                f"it has {', '.join(self._names)}"
            )
        value = self._result.in_si(name)[self._index]
        unit = self._result._variables()[name]["unit"]
        return value if unit is None else to_quantity(value, unit)

    @property
    def _names(self):
        return [n for n, m in self._result._variables().items() if _has_populations(n, m)]

    def __dir__(self):
        return self._names

    def __repr__(self):
        result, k = self._result, self._index
        lines = [f"<{result.populations[k]} of {type(result).__name__}>"]
        for name in self._names:
            shown = result.in_units(name)[k]
            unit = result._variables()[name]["unit"]
            if np.ndim(shown) == 0:
                lines.append(f"  {name:<14} {_number(shown)}{_suffix(unit)}")
        return "\n".join(lines)


class ByPopulation:
    """For a Result whose fields have a dimension of populations, named in its field `populations`.

    ``result["PV"].rate`` is a quantity, ``result.rate`` has shape (P,), and ``result.rate_PV`` and
    ``result.rate_PV_sem`` read the same. It stands before Result among the bases.
    """

    def __getitem__(self, name):
        names = [str(n) for n in self.populations]
        if name not in names:
            raise ParameterError(
                f"{name!r}: got no such population; expected one of {', '.join(names)}"
            )
        return OfPopulation(self, names.index(name))

    def __getattr__(self, name):
        if not name.startswith("_"):
            stem, ending = (name[:-4], "_sem") if name.endswith("_sem") else (name, "")
            for population in map(str, self.__dict__.get("populations", ())):
                field = stem.removesuffix(f"_{population}") + ending
                if field != name and _has_populations(field, self._variables().get(field)):
                    return getattr(self[population], field)
        return super().__getattr__(name)

    def to_dict(self):
        """The JSON object that the command line prints; by population, one object of numbers."""
        names = [str(n) for n in self.populations]
        found = {}
        for name, meta in self._variables().items():
            if not meta["key"]:
                continue
            value = plain(np.asarray(self.in_units(name)))
            if name == "populations":
                value = names
            elif _has_populations(name, meta):
                value = dict(zip(names, value, strict=True))
            found[meta["key"]] = value
        return found | ({"unused": list(self.unused)} if self.unused else {})

    def to_xarray(self):
        """Labelled arrays in SI base units, with the names of populations as coordinates."""
        names = [str(n) for n in self.populations]
        return super().to_xarray().assign_coords({DIMENSION: names})

    def __repr__(self):
        lines = [f"<{type(self).__name__} of {', '.join(map(str, self.populations))}>"]
        for name, meta in self._variables().items():
            shown, unit = self.in_units(name), _suffix(meta["unit"])
            if not meta["key"] or name == "populations":
                continue
            if _has_populations(name, meta):
                if np.ndim(shown) == 1:
                    each = zip(self.populations, shown, strict=True)
                    text = ", ".join(f"{p} {_number(x)}" for p, x in each)
                    lines.append(f"  {name:<14} {text}{unit}")
            elif np.ndim(shown) == 0:
                lines.append(f"  {name:<14} {_number(shown)}{unit}")
        return "\n".join([*lines, *self._not_used()])


def _has_populations(name, meta):
    return meta is not None and meta["dims"][:1] == (DIMENSION,) and name != "populations"


def _number(value):
    if isinstance(value, str | bool | int | np.integer):
        return str(value)
    return "undefined" if np.isnan(value) else f"{float(value):.6g}"


def _suffix(unit):
    return f" {unit}" if unit not in (None, "1") else ""
