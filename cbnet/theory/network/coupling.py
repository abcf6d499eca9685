"""The path of states from no coupling to full coupling and beyond, folds included."""

import numpy as np

from .rate_equation import RateEquation, solve_rows, to_y

_TOLERANCE = 1e-6  # of y, along the path
_SHORTEST, _LONGEST = 1e-5, 1.0  # steps
_STEPS = 600
_CORRECTIONS = 6
_BEND = 0.8  # cosine of the angle between directions of neighbouring points
_BEYOND = 3.0  # coupling at which the path is left


def along_the_coupling(equation: RateEquation, rtol):
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
    ndarray, shape (n, P)
        In y, in the order in which the path meets them; an even number if it did not reach c = 1.
    """
    P = equation.size
    start, _ = equation.phi(np.zeros((1, P)), _TOLERANCE)
    z = np.append(to_y(start[0]), 0.0)
    direction, length, found = np.append(np.zeros(P), 1.0), 0.02, []
    for _ in range(_STEPS):
        tangent = _tangent(equation, z, direction)
        if tangent is None:
            break
        new = _corrected(equation, z + length * tangent, tangent)
        turned = None if new is None else _tangent(equation, new, tangent)
        if turned is None or turned @ tangent < _BEND or np.abs(new - z).max() > 3 * length:
            length /= 2
            if length < _SHORTEST:
                break
            continue
        if (z[-1] - 1) * (new[-1] - 1) <= 0 and new[-1] != z[-1]:
            share = (1 - z[-1]) / (new[-1] - z[-1])
            guess = (z + share * (new - z))[None, :P]
            root, last = equation.newton(guess, rtol)
            if np.isfinite(last[0]) and np.abs(root - guess).max() < 3 * length:
                found.append(root[0])
        z, direction = new, turned
        length = min(length * 1.7, _LONGEST)
        if not -1e-9 <= z[-1] <= _BEYOND:
            break
    return np.array(found).reshape(-1, P)


def _system(equation, z):
    point = equation.at(z[None, :-1], _TOLERANCE * 1e-2, z[-1:])
    slope = np.concatenate([point.slope[0] - np.eye(z.size - 1), point.toward[0][:, None]], 1)
    return point.residual[0], slope


def _tangent(equation, z, direction):
    _, slope = _system(equation, z)
    matrix = np.concatenate([slope, direction[None]])[None]
    found = solve_rows(matrix, np.append(np.zeros(z.size - 1), 1.0)[None])[0]
    return found / np.linalg.norm(found) if np.isfinite(found).all() else None


def _corrected(equation, guess, tangent):
    z = guess.copy()
    for _ in range(_CORRECTIONS):
        z[:-1] = np.clip(z[:-1], 0.0, equation.top)
        z[-1] = max(z[-1], 0.0)
        residual, slope = _system(equation, z)
        matrix = np.concatenate([slope, tangent[None]])[None]
        step = solve_rows(matrix, np.append(-residual, (guess - z) @ tangent)[None])[0]
        if not np.isfinite(step).all():
            return None
        z = z + step
        if np.abs(step).max() < _TOLERANCE:
            return z
    return None
