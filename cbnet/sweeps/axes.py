"""Axes of a sweep: lists and ranges of values, checked and in SI units."""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import ParameterError
from ..model.entry import SEED, Entry, nearest
from ..model.units import to_quantity, unit
from . import rules

# What may be an axis beside the parameters of the model.
SETTINGS = ("model", "noise", "scaling", "N", "N_E", "dt", "initial", "graph_seed")
LAWS = ("sqrt", "inverse", "log", "preserving", "none")
_SIZES = {"N": 2, "N_E": 1}
_RANGES = ("linspace", "logspace")
_MOST = 1_000_000  # points of a grid; more are a slip, and would fill the memory
_DIGITS = 12  # of a value in a range: it is the same one in a range with more values


@dataclass(frozen=True)
class Axis:
    """Values that advance together along one dimension.

    Attributes
    ----------
    names : tuple of str
        Parameters or settings.
    values : tuple of tuple
        For each name its values: SI floats, whole numbers or words.
    units : tuple of str
        In which each is shown.
    """

    names: tuple
    values: tuple
    units: tuple

    @property
    def dimension(self):
        """Name of the dimension."""
        return "_".join(self.names)

    def __len__(self):
        return len(self.values[0])

    def at(self, position):
        """What is set at one position: a dict."""
        return {
            name: column[position] for name, column in zip(self.names, self.values, strict=True)
        }


def entry_of(name, models, label):
    """The table's row that says how values of an axis are read; None for words."""
    if name == "dt":
        return Entry("dt", None, "ms", above=0)
    if name == "graph_seed":
        return SEED
    if name in _SIZES:
        return Entry(name, None, integer=True, at_least=_SIZES[name])
    if name in SETTINGS:
        return None
    population, _, plain = name.rpartition(".")
    if population not in ("", "E", "I"):
        raise ParameterError(f"{label}: got the population {population!r}; expected 'E' or 'I'")
    problem = None
    for model in models:
        try:
            target = model.aliases.get(plain, (plain,))[0]
            return model.entry(target, label)
        except ParameterError as error:
            problem = error
    text = str(problem)
    if "did you mean" not in text:
        close = nearest(plain, SETTINGS)
        text += f"; settings that may be an axis: {', '.join(SETTINGS)}" * (close != "")
    raise ParameterError(text)


def values_of(name, given, models, label):
    """Values and unit of one name of an axis.

    Raises
    ------
    ParameterError
        In one line, beginning with `label`.
    """
    entry = entry_of(name, models, label)
    if isinstance(given, dict):
        return _range(name, given, entry, label), entry.unit
    if isinstance(given, np.ndarray) or hasattr(given, "dim"):
        given = list(given) if np.ndim(given) else [given]
    if not isinstance(given, list | tuple):
        raise ParameterError(
            f"{label}: got {given!r}; expected a list of values, {{linspace = [FIRST, LAST, "
            "NUMBER]} or {logspace = [FIRST, LAST, NUMBER]}"
        )
    if not len(given):
        raise ParameterError(f"{label}: got an empty list; expected one value or more")
    if entry is None or (name in _SIZES and any(isinstance(value, str) for value in given)):
        found = [_word(name, value, f"{label}[{i}]") for i, value in enumerate(given)]
        entry, shown = None, ""
    else:
        found = [entry.parse(_plain(value), f"{label}[{i}]") for i, value in enumerate(given)]
        shown = entry.unit
    if len(set(found)) < len(found):
        twice = next(v for i, v in enumerate(found) if v in found[:i])
        what = twice if entry is None else entry.show(twice)
        raise ParameterError(f"{label}: got {what} twice; expected values that differ")
    return tuple(found), shown


def _plain(value):
    return value.item() if isinstance(value, np.generic) and not hasattr(value, "dim") else value


def _word(name, value, label):
    """A word that some point may use, or ParameterError."""
    if name in _SIZES:
        rules.check(value, label)
        return str(value)
    if not isinstance(value, str) or not value:
        raise ParameterError(f"{label}: got {value!r}; expected a word in quotes")
    if name == "scaling" and value not in LAWS:
        expected = ", ".join(map(repr, LAWS))
        raise ParameterError(
            f"{label}: got {value!r}; expected {expected} ({nearest(value, LAWS)})"
        )
    if name == "initial":
        initial(value, label)
    return value


def initial(value, label):
    """An initial potential: one of three words, or V."""
    if value in ("uniform", "low", "high"):
        return value
    try:
        return Entry("initial", None, unit="mV").parse(value, label)
    except ParameterError as error:
        raise ParameterError(f"{error}; or 'uniform', 'low', 'high'") from None


def _range(name, given, entry, label):
    kinds = [kind for kind in _RANGES if kind in given]
    extra = sorted(set(given) - {*_RANGES, "multiple"})
    if extra or len(kinds) != 1:
        got = ", ".join(sorted(given)) or "nothing"
        raise ParameterError(f"{label}: got {got}; expected linspace or logspace (and multiple)")
    kind = kinds[0]
    ends = given[kind]
    label = f"{label}.{kind}"
    if entry is None or entry.choices:
        raise ParameterError(f"{label}: got a range of {name}, which is a word; expected a list")
    if not isinstance(ends, list | tuple) or len(ends) != 3:
        raise ParameterError(f"{label}: got {ends!r}; expected [FIRST, LAST, NUMBER]")
    low, high = (entry.parse(_plain(x), f"{label}[{i}]") for i, x in enumerate(ends[:2]))
    number = Entry("number", None, integer=True, at_least=2).parse(_plain(ends[2]), f"{label}[2]")
    few_enough(number, f"{label}[2]")
    if low == high:
        raise ParameterError(f"{label}: got {entry.show(low)} twice; expected two ends that differ")
    factor = 1.0 if entry.integer else unit(entry.unit)[0]
    low, high = low / factor, high / factor
    if kind == "logspace":
        if low <= 0 or high <= 0:
            raise ParameterError(f"{label}: got ends that are not above 0; use linspace")
        shown = np.geomspace(low, high, number)
    else:
        shown = np.linspace(low, high, number)
    multiple = given.get("multiple", 1 if entry.integer else None)
    if multiple is not None:
        step = Entry("multiple", None, above=0).parse(multiple, f"{label[: -len(kind)]}multiple")
        shown = np.rint(shown / step) * step
    if entry.integer:
        found = [int(round(x)) for x in shown]
    else:
        found = [_rounded(x) * factor for x in shown]
    seen = set()
    for value in found:
        if value in seen:
            raise ParameterError(
                f"{label}: got {number} values of which two are {entry.show(value)}; expected "
                "fewer values or ends further apart"
            )
        seen.add(value)
        entry.parse(to_quantity(value, entry.unit), label)
    return tuple(found)


def few_enough(number, label):
    """Refuse more points than a sweep can have."""
    if number > _MOST:
        raise ParameterError(f"{label}: got {number:,}; expected at most {_MOST:,}")


def _rounded(x):
    return float(f"{x:.{_DIGITS}g}") if math.isfinite(x) else x


def make_axes(given, zipped, models, where):
    """All axes, crossed with each other; zipped names share one.

    Parameters
    ----------
    given : dict
        Values by name.
    zipped : sequence of sequence of str
        Names that advance together.
    models : sequence of Model
        Whose parameters they may be.
    where : str
        Beginning of error messages.

    Returns
    -------
    tuple of Axis
    """
    columns = {
        name: values_of(name, values, models, f"{where}axes.{name}")
        for name, values in given.items()
    }
    groups, seen = {}, set()
    for k, names in enumerate(zipped):
        label = f"{where}zipped[{k}]"
        if not isinstance(names, list | tuple) or len(names) < 2:
            raise ParameterError(f"{label}: got {names!r}; expected two names of axes or more")
        for name in names:
            if name not in columns:
                hint = nearest(str(name), columns) if columns else "there is none"
                raise ParameterError(
                    f"{label}: got {name!r}; expected the name of an axis ({hint})"
                )
            if name in seen:
                raise ParameterError(
                    f"{label}: got {name!r}, which is zipped already; give it once"
                )
            seen.add(name)
        lengths = [len(columns[name][0]) for name in names]
        if len(set(lengths)) > 1:
            told = ", ".join(f"{n} of {name}" for n, name in zip(lengths, names, strict=True))
            raise ParameterError(f"{label}: got {told}; expected equal numbers of values")
        groups[names[0]] = tuple(names)
    found = []
    for name in columns:
        if name in seen and name not in groups:
            continue
        names = groups.get(name, (name,))
        found.append(
            Axis(names, tuple(columns[n][0] for n in names), tuple(columns[n][1] for n in names))
        )
    if {"N", "N_E"} <= set(columns):
        raise ParameterError(f"{where}axes.N_E: got N and N_E; they fix each other: give one")
    few_enough(math.prod(len(axis) for axis in found), f"{where}axes: points of the grid")
    return tuple(found)
