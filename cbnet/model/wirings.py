"""Laws of in-degrees, as values; `spread` is the standard deviation over target neurons."""

import functools
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import ParameterError
from .distributions import Listed
from .units import to_quantity, unit


@dataclass(frozen=True)
class FixedIn:
    """Every target neuron has the same in-degree, of partners that are all different."""

    multapses = False

    def spread(self, number, source_size=None, target_size=None):
        """Standard deviation of in-degrees of mean `number`."""
        return 0.0


@dataclass(frozen=True)
class Bernoulli:
    """Every pair independently: binomial in-degrees, Poisson ones where the size is unknown."""

    multapses = False

    def spread(self, number, source_size=None, target_size=None):
        """Standard deviation of in-degrees of mean `number`."""
        share = number / source_size if source_size else 0.0
        return (number * (1 - share)) ** 0.5


@dataclass(frozen=True)
class GaussianIn:
    """Gaussian in-degrees with a coefficient of variation, rounded, and none below zero."""

    cv: float
    multapses = False

    def __post_init__(self):
        if not (isinstance(self.cv, int | float) and 0 <= self.cv < np.inf):
            raise ParameterError(f"GaussianIn.cv: got {self.cv}; expected a number of at least 0")

    def spread(self, number, source_size=None, target_size=None):
        """Standard deviation of in-degrees of mean `number`."""
        return self.cv * number


@dataclass(frozen=True)
class FixedTotal:
    """So many synapses in all, each between any source and any target neuron.

    Parameters
    ----------
    multapses : bool
        Whether a pair may have several synapses: pairs are drawn with replacement.
    """

    multapses: bool = True

    def __post_init__(self):
        if not isinstance(self.multapses, bool):
            raise ParameterError(
                f"FixedTotal.multapses: got {self.multapses}; expected True or False"
            )

    def spread(self, number, source_size=None, target_size=None):
        """Standard deviation of in-degrees of mean `number`: binomial, or hypergeometric."""
        share = 1 / target_size if target_size else 0.0
        variance = number * (1 - share)
        if not self.multapses and source_size:
            pairs = source_size * (target_size or np.inf)
            left = 1 - number / source_size
            variance *= left * pairs / (pairs - 1) if np.isfinite(pairs) else left
        return variance**0.5


@dataclass(frozen=True, eq=False)
class Explicit:
    """A graph that is given edge by edge; a pair may have several.

    Parameters
    ----------
    i, j : array_like of int, shape (edges,)
        Source and target neuron of every edge, from 0.
    delay, w : Quantity or array_like, shape (edges,), optional
        Of every edge; without them the projection's hold.
    """

    i: object = field(repr=False)
    j: object = field(repr=False)
    delay: object = field(default=None, repr=False)
    w: object = field(default=None, repr=False)
    multapses = True

    def __post_init__(self):
        for name in ("i", "j"):
            try:
                given = np.asarray(getattr(self, name))
            except ValueError:  # rows of different lengths
                given = np.array(None)
            if given.ndim != 1 or given.dtype.kind not in "iu" or given.min(initial=0) < 0:
                raise ParameterError(
                    f"Explicit.{name}: got {given.dtype} of shape {given.shape}; expected a list "
                    "of whole numbers from 0"
                )
            object.__setattr__(self, name, given.astype(np.int64))
        if len(self.i) != len(self.j):
            raise ParameterError(
                f"Explicit.j: got {len(self.j)} targets of {len(self.i)} sources; expected as many"
            )
        for name in ("delay", "w"):
            given = getattr(self, name)
            if given is None:
                continue
            law = given if isinstance(given, Listed) else Listed(given)
            if np.shape(law.values) != self.i.shape:
                raise ParameterError(
                    f"Explicit.{name}: got shape {np.shape(law.values)}; expected one of each of "
                    f"{len(self.i)} edges"
                )
            object.__setattr__(self, name, law)

    @classmethod
    def read(cls, path):
        """The edges in a file.

        Parameters
        ----------
        path : str or Path
            ``.csv`` with one edge a line below the names of the columns, or ``.npz``: ``i``, ``j``,
            and optionally a delay and an efficacy whose names carry the unit, as ``delay_ms`` and
            ``w_mV``, or ``w`` without one.

        Returns
        -------
        Explicit

        Raises
        ------
        ParameterError
            If there is no such file, or it has other columns.
        """
        if not isinstance(path, str | os.PathLike):
            raise ParameterError(f"Explicit.read: got {path}; expected the path of a file")
        return cls(**_read_edges(Path(path)))

    def spread(self, number, source_size=None, target_size=None):
        """Standard deviation of the in-degrees of this graph."""
        return float(np.bincount(self.j, minlength=target_size or 0).std())

    def __eq__(self, other):
        if not isinstance(other, Explicit):
            return False
        same = np.array_equal(self.i, other.i) and np.array_equal(self.j, other.j)
        return self is other or (same and (self.delay, self.w) == (other.delay, other.w))

    def __hash__(self):
        return self._hash

    @functools.cached_property
    def _hash(self):  # there may be millions of edges
        return hash((self.i.tobytes(), self.j.tobytes(), self.delay, self.w))

    def __repr__(self):
        return f"Explicit({len(self.i)} edges)"


def _read_edges(path):
    """Arguments of Explicit from the columns of a file."""
    try:
        columns = _columns(path)
    except (OSError, ValueError) as error:
        raise ParameterError(
            f"{path}: got {' '.join(str(error).split())}; expected a file of edges, .csv or .npz"
        ) from None
    found = {}
    for column, values in columns.items():
        name, _, unit_name = column.partition("_")
        try:
            known = name in (("i", "j") if not unit_name else ("delay", "w")) or column == "w"
            factor = unit(unit_name or "1")[0]
        except KeyError:
            known = False
        if not known or name in found:
            raise ParameterError(
                f"{path}: got the column {column!r}; expected i, j, and possibly one delay and one "
                "w, with units as in delay_ms and w_mV"
            )
        if name in ("i", "j"):
            whole = values.astype(np.int64)
            if not np.array_equal(whole, values):
                raise ParameterError(f"{path}: got {column!r} with fractions; expected indices")
            found[name] = whole
        else:
            found[name] = to_quantity(values * factor, unit_name or "1")
    if missing := {"i", "j"} - set(found):
        raise ParameterError(
            f"{path}: got no column {' and '.join(sorted(missing))}; expected i and j"
        )
    return found


def _columns(path):
    if path.suffix == ".npz":
        with np.load(path) as file:
            return {name: file[name] for name in file.files}
    with path.open(encoding="utf-8") as file:
        header = [name.strip() for name in file.readline().strip().split(",")]
    table = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    if table.shape[1] != len(header):
        raise ValueError(f"{table.shape[1]} columns below {len(header)} names")
    return dict(zip(header, table.T, strict=True))
