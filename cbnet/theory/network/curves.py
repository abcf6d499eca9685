"""Curves on which states lie: along the coupling, and along the nullclines of all but one rate."""

import numpy as np

from .rate_equation import solve_rows, to_y

_TOLERANCE = 1e-4  # of y, along a curve
_SHORTEST, _LONGEST = 1e-5, 1.0  # steps
_STEPS = 400
_CORRECTIONS = 6
_BEND = 0.8  # cosine of the angle between directions of neighbouring points
_BEYOND = 3.0  # coupling at which the path is left


def along_the_coupling(equation, rtol):
    """States at full coupling on the path ν = Φ(c ν) that starts at c = 0.

    At c = 0 there is one state, and the path from it cannot end or leave the box: it reaches c = 1.
    It is followed by its arc length, so that folds are no obstacle, until c = 3: it may come back.

    Parameters
    ----------
    equation : RateEquation
    rtol : float
        Accuracy of the states.

    Returns
    -------
    list of ndarray, shape (P,)
        In y, in the order in which the path meets them; an even number if it did not reach c = 1.
    """
    P = equation.size

    def system(z):
        point = equation.at(z[None, :-1], _TOLERANCE * 1e-2, z[-1:])
        slope = np.concatenate([point.slope[0] - np.eye(P), point.toward[0][:, None]], 1)
        return point.residual[0], slope, z[-1] - 1

    start, _ = equation.phi(np.zeros((1, P)), _TOLERANCE)
    z = np.append(to_y(start[0]), 0.0)
    ends = np.append(equation.top, _BEYOND)
    crossed = _follow(system, z, np.append(np.zeros(P), 1.0), ends)
    return _polished(equation, [each[:-1] for each in crossed], rtol)


def along_the_nullclines(equation, root, rtol):
    """States on the curves through a state on which all rates but one reproduce themselves.

    Parameters
    ----------
    equation : RateEquation
    root : ndarray, shape (P,)
        In y.
    rtol : float

    Returns
    -------
    list of ndarray, shape (P,)
        Where the rate that is left reproduces itself too, in y; the state itself may be among them.
    """
    found = []
    for p in range(equation.size):
        others = np.arange(equation.size) != p

        def system(y, p=p, others=others):
            point = equation.at(y[None], _TOLERANCE * 1e-2)
            slope = point.slope[0] - np.eye(equation.size)
            return point.residual[0][others], slope[others], point.residual[0][p]

        for sign in (1.0, -1.0):
            direction = sign * np.eye(equation.size)[p]
            found += _follow(system, root, direction, equation.top)
    return _polished(equation, found, rtol)


def _polished(equation, guesses, rtol):
    if not guesses:
        return []
    y, length = equation.newton(np.array(guesses), rtol)
    return list(y[np.isfinite(length)])


def _follow(system, z, direction, ends):
    """Points at which a function changes sign along a curve, roughly.

    Parameters
    ----------
    system : callable
        ``z -> (residual, slope, watched)``: n values that vanish on the curve in n + 1 dimensions,
        their derivatives, and the function.
    z, direction : ndarray, shape (n + 1,)
        A point on the curve and roughly where to go from it.
    ends : ndarray, shape (n + 1,)
        The curve is left where it leaves the box between zero and these.
    """
    length, found = 0.02, []
    _, slope, watched = system(z)
    tangent = _tangent(slope, direction)
    for _ in range(_STEPS):
        if tangent is None:
            break
        new = _corrected(system, z + length * tangent, tangent, ends)
        turned = None
        if new is not None:
            _, slope, value = system(new)
            turned = _tangent(slope, tangent)
        if turned is None or turned @ tangent < _BEND or np.abs(new - z).max() > 3 * length:
            length /= 2
            if length < _SHORTEST:
                break
            continue
        if watched * value < 0 or (value == 0 and watched != 0):
            found.append(z + watched / (watched - value) * (new - z))
        stuck = np.abs(new - z).max() < _SHORTEST / 10
        z, tangent, watched = new, turned, value
        length = min(length * 1.7, _LONGEST)
        if stuck or np.any((z >= ends) & (tangent > 0)) or np.any((z <= 0) & (tangent < -1e-9)):
            break
    return found


def _tangent(slope, direction):
    matrix = np.concatenate([slope, direction[None]])[None]
    found = solve_rows(matrix, np.append(np.zeros(len(slope)), 1.0)[None])[0]
    return found / np.linalg.norm(found) if np.isfinite(found).all() else None


def _corrected(system, guess, tangent, ends):
    z = guess.copy()
    for _ in range(_CORRECTIONS):
        z = np.clip(z, 0.0, ends)
        residual, slope, _ = system(z)
        matrix = np.concatenate([slope, tangent[None]])[None]
        step = solve_rows(matrix, np.append(-residual, (guess - z) @ tangent)[None])[0]
        if not np.isfinite(step).all():
            return None
        z = z + step
        if np.abs(step).max() < _TOLERANCE:
            return np.clip(z, 0.0, ends)
    return None
