"""Every state of a network of any number of populations that can be found, each verified."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import qmc

from .curves import along_the_coupling, along_the_nullclines
from .rate_equation import RateEquation, to_rate, to_y

SAME = 1e-5  # of y: what is nearer is one root
_STARTS, _MORE = 16, 4  # and so many more for each population
_ROUNDS = 4  # of starts, of which each has twice as many as the one before
_PATIENCE = 30.0  # of relaxation
_PER_DECADE = {1: 24, 2: 5}  # points of a grid for one and for two populations
_PARTS, _TURNS = 4, 2  # into which a cell with a change of sign is divided, and how often
_ROUGH = 1e-6
_FOLLOWED = 3  # states whose nullclines are followed where nothing is known to be missing
_STEPS, _TRIALS = 30, 15  # of a search, and of one with known roots divided out


@dataclass(frozen=True)
class States:
    """Roots of ν = Φ(ν), in the order of the sum of their rates.

    Attributes
    ----------
    rates : ndarray, shape (F, P)
        In Hz; Φ of themselves, also where a population is silent.
    gains : ndarray, shape (F, P, P)
        G = ∂Φ_p/∂ν_q.
    determinant : ndarray, shape (F,)
        det(1 − G): a state with a negative one is unstable for certain.
    error : ndarray, shape (F,)
        Largest estimated relative error of a rate: that of Φ and what the search left, amplified
        by the feedback.
    residual : ndarray, shape (F,)
        Largest of what the search left, the same way.
    complete : bool
        Whether the signs of the determinants add up to one, as they do over all roots. A set that
        fulfils it may still lack some, an even number of them.
    """

    rates: np.ndarray
    gains: np.ndarray
    determinant: np.ndarray
    error: np.ndarray
    residual: np.ndarray
    complete: bool

    @property
    def y(self):
        """The states in the coordinates of the search."""
        return to_y(self.rates)


def all_states(phi, highest, rtol, *, sensitivity=None, starts=(), seed=0):
    """States of a network: what the path from zero coupling, deflation and many starts find.

    Parameters
    ----------
    phi, highest, sensitivity
        As of :class:`RateEquation`.
    rtol : float
        Relative accuracy of the rates.
    starts : array_like, shape (n, P)
        Rates in Hz, near which a state may be.
    seed : int
        Of the starts that are drawn.

    Returns
    -------
    States

    Notes
    -----
    Three searches add up. (1) The path ν = Φ(c ν) from c = 0, which crosses c = 1 at least once.
    (2) Newton's method from starts all over the box of rates (Sobol' points in y), half of them
    after a time of the relaxation dy/dt = F, and from the corners where one population or all of
    them saturate. (3) The same with the known roots divided out (P. E. Farrell, Á. Birkisson and
    S. W. Funke, SIAM J. Sci. Comput. 37, A2026 (2015)). Where there are several, curves through
    some of them on which all rates but one reproduce themselves are followed to others. While new
    ones are found, or the signs of det(1 − G) do not add up to one, starts are doubled, four times
    at most. For one and two populations Newton's method starts from every small cell in which all
    residuals change sign, which comes first and is enough where the signs add up to one.
    """
    equation = RateEquation(phi, highest, sensitivity)
    given = to_y(np.asarray(starts, float).reshape(-1, equation.size))
    roots = _search(equation, np.concatenate([given, _cells(equation)]), rtol, [])
    signs, unsure = _signs(equation, roots, rtol), equation.size not in _PER_DECADE
    if unsure or signs != 1:
        roots = distinct(roots, along_the_coupling(equation, rtol))
        signs = _signs(equation, roots, rtol)
    followed = 0
    for turn in range(_ROUNDS + 1):
        if signs == 1 and not unsure:
            break
        points = _drawn(equation, turn, seed)
        found = _search(equation, points[::2], rtol, roots)
        found = _search(equation, points[1::2], rtol, found, patience=_PATIENCE)
        if found:
            found = _search(equation, points, rtol, found, deflate=True)
        if len(found) > 1:
            found, followed = _connected(equation, found, followed, rtol)
        # where starts found some there may be more
        unsure, roots = len(found) > len(roots), found
        signs = _signs(equation, roots, rtol)
    y = np.array(roots).reshape(-1, equation.size)
    return verified(equation, y, min(rtol * 1e-2, 1e-7))


def _connected(equation, roots, followed, rtol):
    """The roots with those on the nullclines through them, those followed already left out.

    Through a few of them; through all while the signs of det(1 − G) do not add up to one.
    """
    while followed < len(roots):
        if followed >= _FOLLOWED and _signs(equation, roots, rtol) == 1:
            break
        roots = distinct(roots, along_the_nullclines(equation, roots[followed], rtol))
        followed += 1
    return roots, followed


def verified(equation, y, rtol):
    """States of their coordinates, with determinants and errors, at rates of some accuracy."""
    if not len(y):
        P = equation.size
        nothing = np.zeros(0)
        return States(np.zeros((0, P)), np.zeros((0, P, P)), nothing, nothing, nothing, False)
    y = y[np.argsort(to_rate(y).sum(1))]
    point = equation.at(y, rtol)
    eye = np.eye(equation.size)
    determinant = np.linalg.det(eye - point.slope)
    # errors of Φ pass through the loop as often as a signal does
    with np.errstate(all="ignore"):
        amplified = np.abs(np.linalg.inv(eye - point.slope))

    def passed(errors):
        largest = np.einsum("npq,nq->np", amplified, errors).max(1)
        return np.where(np.isfinite(largest), largest, np.inf)

    left = passed(np.abs(point.residual))
    return States(
        point.rate,
        point.gain,
        determinant,
        passed(point.error) + left,
        left,
        bool(np.sign(determinant).sum() == 1),
    )


def _signs(equation, roots, rtol):
    """Sum of the signs of det(1 − G)."""
    if not roots:
        return 0
    point = equation.at(np.array(roots), min(rtol, 1e-7))
    return np.sign(np.linalg.det(np.eye(equation.size) - point.slope)).sum()


def _search(equation, points, rtol, roots, *, patience=0.0, deflate=False):
    """The roots and those that Newton's method leads to from the points."""
    if not len(points):
        return roots
    known = roots if deflate else ()
    y, length = equation.newton(
        points,
        max(rtol, _ROUGH),
        known=known,
        patience=patience,
        steps=_TRIALS if deflate else _STEPS,
    )
    rough = distinct(list(roots), y[np.isfinite(length)], 1e-3)[len(roots) :]
    if not rough:
        return roots
    fine, length = equation.newton(np.array(rough), rtol, steps=12)
    # where rounding leaves no better one it stays as it is, with its error
    y = np.where(np.isfinite(length)[:, None], fine, rough)
    return distinct(list(roots), y)


def distinct(roots, points, apart=SAME):
    """The list of roots with those of the points that are not among them."""
    for y in points:
        if all(np.abs(y - root).max() > apart for root in roots):
            roots = [*roots, y]
    return roots


def _drawn(equation, turn, seed):
    P, top = equation.size, equation.top
    count = (_STARTS + _MORE * P) * 2**turn
    sobol = qmc.Sobol(P, scramble=True, seed=np.random.default_rng([seed, turn]))
    points = sobol.random(2 ** int(np.ceil(np.log2(count))))[:count] * top
    if turn:
        return points
    corners = np.concatenate([np.zeros((1, P)), np.eye(P), np.ones((1, P))]) * top
    return np.concatenate([corners, points])


def _cells(equation):
    """Where all residuals change sign within a small cell, for one or two rates: centres."""
    P, top = equation.size, equation.top
    if P not in _PER_DECADE:
        return np.zeros((0, P))
    counts = [int(np.ceil(_PER_DECADE[P] * t / np.log(10))) for t in top]
    sides, cells = top / counts, np.zeros((1, P))
    for parts in (counts, *[[_PARTS] * P] * _TURNS):
        if parts is not counts:
            sides = sides / parts
        offsets = np.stack(np.meshgrid(*map(np.arange, parts), indexing="ij"), -1)
        cells = (cells[:, None] + offsets.reshape(-1, P) * sides).reshape(-1, P)
        cells = cells[_crossed(equation, cells, sides)]
    return cells + sides / 2


def _crossed(equation, cells, sides):
    """Whether every residual has both signs among the corners of a cell."""
    corners = np.stack(np.meshgrid(*[[0, 1]] * equation.size, indexing="ij"), -1)
    points = (cells[:, None] + corners.reshape(-1, equation.size) * sides).reshape(
        -1, cells.shape[1]
    )
    # neighbours share corners
    _, first, index = np.unique(
        np.round(points / sides * 4), axis=0, return_index=True, return_inverse=True
    )
    positive = (equation.residual(points[first], _ROUGH) > 0)[index.ravel()]
    positive = positive.reshape(len(cells), -1, cells.shape[1])
    return (positive.any(1) & ~positive.all(1)).all(1)
