"""Which spikes and potentials of a simulation are kept: what ``record`` means."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...errors import ParameterError
from ...model.entry import Entry, nearest
from ...model.parameters import POPULATIONS

KEYS = ("spikes", "v", "every", "dtype")
TYPES = ("float64", "float32")


@dataclass(frozen=True, eq=False)
class Recording:
    """What is kept of single neurons.

    Attributes
    ----------
    spikes, traced : ndarray of int32
        Neurons whose spikes are listed; neurons whose potential is kept. Ascending.
    every : int
        Time steps from one kept potential to the next.
    dtype : {"float64", "float32"}
        Type of potentials.
    """

    spikes: np.ndarray
    traced: np.ndarray
    every: int = 1
    dtype: str = "float64"

    def rows(self, steps):
        """Potentials of a neuron that are kept of so many time steps."""
        return steps // self.every if len(self.traced) else 0

    def bytes(self, steps):
        """Memory that the potentials take."""
        return self.rows(steps) * len(self.traced) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Spans:
    """Neurons of populations, one after the other.

    Attributes
    ----------
    names : tuple of str
    sizes : tuple of int
    """

    names: tuple
    sizes: tuple

    @property
    def N(self):
        """All neurons."""
        return sum(self.sizes)

    def size(self, population):
        """Neurons of one population."""
        return self.sizes[self.names.index(population)]

    def span(self, population):
        """First index of a population, and the index after its last."""
        k = self.names.index(population)
        return sum(self.sizes[:k]), sum(self.sizes[: k + 1])


def parse(record, label="record", names=POPULATIONS):
    """What was asked for in plain numbers: a number, a list, or a dict with `every` in s.

    What it returns it also takes. `names` are those of the populations.

    Raises
    ------
    ParameterError
        For another key or word, or a time that is none.
    """
    if not isinstance(record, Mapping):
        return _who(record, label)
    found = {}
    for key, value in record.items():
        at = f"{label}.{key}"
        if key in ("spikes", "v"):
            found[key] = (
                _by_population(value, at, names) if isinstance(value, Mapping) else _who(value, at)
            )
        elif key == "every":
            plain = isinstance(value, float) and not hasattr(value, "dim")
            found[key] = value if plain and value > 0 else _EVERY.parse(value, at)
        elif key == "dtype":
            found[key] = Entry("dtype", None, choices=TYPES).parse(_word(value), at)
        else:
            raise ParameterError(
                f"{label}: got {key!r}; expected {', '.join(KEYS)} ({nearest(str(key), KEYS)})"
            )
    return found


_EVERY = Entry("every", None, "ms", above=0)
_COUNT = Entry("record", None, integer=True, at_least=0)


def _word(value):
    """A type of numpy by its name."""
    return getattr(value, "__name__", None) or str(value)


def _who(value, label):
    """A number of neurons, or a list of indices."""
    try:
        given = np.asarray(value)
    except ValueError:  # nested, of different lengths
        given = np.empty((0, 0))
    if given.ndim == 0:
        return _COUNT.parse(value.item() if isinstance(value, np.generic) else value, label)
    if given.ndim == 1 and given.size == 0:
        return []
    if given.ndim != 1 or given.dtype.kind not in "iu" or given.min() < 0:
        shown = " ".join(f"{value!r}".split())
        shown = shown if len(shown) < 60 else f"{shown[:60]}..."
        raise ParameterError(f"{label}: got {shown}; expected a number of neurons, or indices")
    return given.tolist()


def _by_population(value, label, names):
    for population in value:
        if population not in names:
            joint = " and " if len(names) == 2 else ", "
            raise ParameterError(f"{label}: got {population!r}; expected {joint.join(names)}")
    return {p: _COUNT.parse(count, f"{label}.{p}") for p, count in value.items()}


def wanted(record, what):
    """Whether there is anything of ``"spikes"`` or ``"v"`` in what :func:`parse` returned."""
    who = record.get(what, 0) if isinstance(record, dict) else record
    return bool(any(who.values()) if isinstance(who, dict) else who)


def choose(record, sizes, dt, duration):
    """The neurons of a network, and the interval in its time steps.

    Parameters
    ----------
    record : object
        As :func:`cbnet.simulate` takes it.
    sizes : cbnet.simulation.wiring.layout.Layout or Spans
    dt, duration : float
        In s.

    Returns
    -------
    Recording

    Raises
    ------
    ParameterError
        If there are no such neurons, or the interval does not fit.
    """
    record = parse(record, names=sizes.names)
    if not isinstance(record, dict):
        everyone = _spread(record, sizes)
        return Recording(everyone, everyone)
    every = record.get("every", dt)
    if not dt * (1 - 1e-9) <= every <= duration * (1 + 1e-9):
        raise ParameterError(
            f"record.every: got {every * 1e3:g} ms; expected a time from dt = {dt * 1e3:g} ms to "
            f"the duration, {duration * 1e3:g} ms"
        )
    spikes, traced = (_of_each(record.get(what, 0), sizes, what) for what in ("spikes", "v"))
    return Recording(spikes, traced, int(np.rint(every / dt)), record.get("dtype", "float64"))


def _spread(record, sizes):
    """So many neurons from the first to the last, or those listed."""
    if isinstance(record, list):
        return _listed(record, sizes, "record")
    if record > sizes.N:
        raise ParameterError(f"record: got {record}; expected 0 to N = {sizes.N} neurons")
    return np.unique(np.linspace(0, sizes.N - 1, record).round().astype(np.int32))


def _listed(indices, sizes, label):
    if indices and max(indices) >= sizes.N:
        raise ParameterError(
            f"{label}: got neuron {max(indices)}; expected a number of neurons, or indices below "
            f"N = {sizes.N}"
        )
    return np.unique(np.asarray(indices, np.int32))


def _fitting(count, sizes, population):
    """At most all of a population, unless that is fewer than asked for of every one."""
    most = max(sizes.size(p) for p in sizes.names)
    return min(count, sizes.size(population)) if count <= most else count


def _of_each(who, sizes, what):
    """So many neurons of each population, or all of a smaller one, or those listed."""
    if isinstance(who, list):
        return _listed(who, sizes, f"record.{what}")
    counts = who if isinstance(who, dict) else {p: _fitting(who, sizes, p) for p in sizes.names}
    found = [np.empty(0, np.int32)]
    for population, count in counts.items():
        first, last = sizes.span(population)
        if count > last - first:
            raise ParameterError(
                f"record.{what}: got {count} neurons of {population}; expected at most "
                f"{last - first}"
            )
        found.append(np.linspace(first, last - 1, count).round().astype(np.int32))
    return np.unique(np.concatenate(found))
