"""Projections among several populations from matrices, as a paper prints them."""

import numpy as np

from ..errors import ParameterError
from .dimensions import name_of
from .distributions import Law
from .links import Projection
from .quantities import ONE, pick, split
from .si import SI
from .wirings import FixedIn


def matrix(
    names,
    kinds,
    *,
    number=None,
    probability=None,
    pair_probability=None,
    w=None,
    delay="0 ms",
    wiring=FixedIn(),  # noqa: B008  (frozen)
):
    """Projections among populations; rows are targets, columns are sources.

    Parameters
    ----------
    names : sequence of str
        The P populations.
    kinds : str, sequence of str, or nested lists
        Of the synapses: one for all, one for each source, or one for each projection.
    number, probability, pair_probability : array_like, shape (P, P)
        One of them, as of :class:`cbnet.Projection`. Where it is zero there is no projection.
    w, delay : optional
        One value or law for all; or an array (or a law with an array of means) of shape (P,) by
        source, (P, 1) by target, or (P, P).
    wiring : optional
        One for all.

    Returns
    -------
    list of Projection

    Raises
    ------
    ParameterError
        For entries that are missing or too many.
    """
    if not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names):
        raise ParameterError(
            f"matrix: names: got {str(names)[:40]}; expected a list of populations"
        )
    how = {
        "number": number,
        "probability": probability,
        "pair_probability": pair_probability,
    }
    how = {name: given for name, given in how.items() if given is not None}
    if len(how) != 1:
        raise ParameterError(
            f"matrix: got {' and '.join(how) or 'no number'}; expected one of number, probability "
            "and pair_probability"
        )
    ((which, table),) = how.items()
    table, dims = split(table, f"matrix: {which}")
    P = len(names)
    if np.shape(table) != (P, P) or dims != ONE:
        raise ParameterError(
            f"matrix: {which}: got shape {np.shape(table)}; expected plain numbers of shape "
            f"({P}, {P}), targets in rows and sources in columns"
        )
    w, delay = _Entries(w, P, "w"), _Entries(delay, P, "delay")
    found = []
    for row, target in enumerate(names):
        for column, source in enumerate(names):
            if table[row, column] != 0:
                found.append(
                    Projection(
                        source,
                        target,
                        _kind(kinds, row, column, P),
                        w=w.at(row, column),
                        delay=delay.at(row, column),
                        wiring=wiring,
                        **{which: float(table[row, column])},
                    )
                )
    return found


def _kind(kinds, row, column, P):
    if isinstance(kinds, str):
        return kinds
    if not isinstance(kinds, list | tuple) or len(kinds) != P:
        raise ParameterError(f"matrix: kinds: got {kinds}; expected one for each of {P} sources")
    if all(isinstance(k, str) for k in kinds):
        return kinds[column]
    if any(not isinstance(k, list | tuple) or len(k) != P for k in kinds):
        raise ParameterError(f"matrix: kinds: got rows of other lengths; expected {P} in each")
    return kinds[row][column]


class _Entries:
    """One value or law for all projections, or arrays of them."""

    def __init__(self, given, P, place):
        self.given = given
        if isinstance(given, Law):
            shape = given.shape
        elif given is None or isinstance(given, str):
            shape = ()
        else:
            value, dims = split(given, f"matrix: {place}")
            shape = np.shape(value)
            if shape:
                self.given, self.unit = value, name_of(dims)
        allowed = {(), (P,), (1, P), (P, 1), (P, P)}
        if shape not in allowed:
            raise ParameterError(
                f"matrix: {place}: got shape {shape}; expected ({P},) by source, ({P}, 1) by "
                f"target or ({P}, {P})"
            )

    def at(self, row, column):
        if isinstance(self.given, Law):
            return self.given.at(row, column)
        if self.given is None or isinstance(self.given, str):
            return self.given
        one = pick(self.given, row, column)
        return SI(one, self.unit) if np.ndim(self.given) and self.unit != "1" else one
