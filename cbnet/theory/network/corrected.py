"""States with rates that are costly, from those with rates that are cheap and nearly as good."""

import numpy as np

from .rate_equation import solve_rows, to_rate, to_y
from .states import all_states, distinct, verified

_CHEAP_RTOL = 1e-6
_STEPS = 14
_ROUNDS = 3
_LONGEST = 1.0  # step in y
_FINER = 0.2  # of the accuracy of a state: that of the rates that it is found with
_POWER = 2  # of the squared distance, by which a sample of the difference counts


def corrected_states(cheap, costly, rtol, *, differences, seed=0):
    """States of a network whose rates take milliseconds.

    Every state of the cheap rates is followed to one of the costly ones by Broyden's method, with
    the cheap slopes. The differences that were seen on the way, interpolated, correct the cheap
    rates, whose states are looked for again, until there is no new one.

    Parameters
    ----------
    cheap, costly : RateEquation
    rtol : float
        Relative accuracy of the rates.
    differences : float
        Accuracy of costly rates that is enough for the slopes at a state.
    seed : int

    Returns
    -------
    States
        `complete` is told by the slopes of the costly rates.
    """
    first = all_states(
        cheap.phi, cheap.highest, _CHEAP_RTOL, sensitivity=cheap.sensitivity, seed=seed
    )
    samples = _Samples(cheap)
    roots, tried = [], np.zeros((0, cheap.size))
    starts = first.y
    for _ in range(_ROUNDS):
        for y in starts:
            root = _followed(cheap, costly, y, rtol, samples)
            if root is not None:
                roots = distinct(roots, [root], apart=max(4 * rtol, 1e-5))
        tried = np.concatenate([tried, starts])
        again = all_states(
            samples.phi, cheap.highest, _CHEAP_RTOL, starts=to_rate(tried), seed=seed
        )
        near = [min((np.abs(y - r).max() for r in roots), default=np.inf) for y in again.y]
        starts = again.y[np.array(near, float) > max(20 * rtol, 1e-3)] if len(near) else again.y
        if not len(starts):
            break
    return verified(costly, np.array(roots).reshape(-1, cheap.size), differences)


class _Samples:
    """What costly rates differ from cheap ones by, in y, wherever both were computed."""

    def __init__(self, cheap):
        self.cheap, self.at, self.difference = cheap, [], []

    def add(self, y, residual):
        self.at.append(y.copy())
        self.difference.append(residual - self.cheap.residual(y[None], _CHEAP_RTOL)[0])

    def phi(self, nu, rtol):
        rate, error = self.cheap.phi(nu, rtol)
        if self.at:
            at = np.array(self.at)
            apart = ((to_y(nu)[:, None] - at) ** 2).sum(2) + 1e-12
            weight = apart**-_POWER
            weight = weight / weight.sum(1, keepdims=True)
            y = to_y(rate) + weight @ np.array(self.difference)
            rate = to_rate(np.clip(y, 0.0, self.cheap.top))
        return rate, error


def _followed(cheap, costly, y, rtol, samples):
    """The costly state that Broyden's method leads to, or None."""
    slope = cheap.at(y[None], _CHEAP_RTOL).slope[0]
    matrix = np.eye(y.size) - slope
    residual = costly.residual(y[None], _FINER * rtol)[0]
    samples.add(y, residual)
    for _ in range(_STEPS):
        step = solve_rows(matrix[None], residual[None])[0]
        if not np.isfinite(step).all():
            return None
        size = np.abs(step).max()
        new = np.clip(y + step * min(1.0, _LONGEST / max(size, 1e-300)), 0.0, costly.top)
        moved = new - y
        if size <= rtol / 4 and np.abs(moved).max() >= size * 0.99:
            return new
        if not moved.any():
            return None
        following = costly.residual(new[None], _FINER * rtol)[0]
        samples.add(new, following)
        # F(y) ≈ F - matrix (y' - y)
        gap = residual - following - matrix @ moved
        matrix = matrix + np.outer(gap, moved) / (moved @ moved)
        y, residual = new, following
    return None
