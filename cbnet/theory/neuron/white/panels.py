"""Where to put the panels of a first-passage problem, for any drift and noise.

The panels must follow Ψ = −∫2A/B², whose scale can be anything from the width of the membrane's
range to a billionth of it. A grid is moved until no cell holds more than a few panels' worth of
change; the panels are then cut from it at equal amounts of change.
"""

from dataclasses import dataclass

import numpy as np

_CELLS = 36  # of the moving grid
_ROUNDS = 40  # each narrows a missed scale by ten or so: enough for the range of doubles
_RESOLVED = 2.0  # panels' worth of change that one cell may hold when panels are cut from it
_DEEPEST = 690.0  # e^-690 is about the smallest number that floats hold
_SIZES = np.array([8, 12, 16, 24, 36, 54, 80, 120, 180, 270, 400])


@dataclass(frozen=True)
class Panels:
    """Panels of some neurons of a batch.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Which neurons.
    edges : ndarray, shape (n, P + 1)
        Panel boundaries from far below the reset to the threshold.
    first : ndarray of int, shape (n,)
        The panel that starts at the reset.
    barrier : ndarray, shape (n,)
        Rough height of the largest rise of Ψ.
    cut : ndarray of bool, shape (n,)
        Whether the lower end is as far as was looked, and not where Ψ has risen far enough: the
        density has a tail like a power of v.
    """

    rows: np.ndarray
    edges: np.ndarray
    first: np.ndarray
    barrier: np.ndarray
    cut: np.ndarray


@dataclass(frozen=True)
class Silent:
    """Neurons whose barrier no float can express, or whom nothing moves over the threshold.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Which neurons.
    low, high : ndarray, shape (n,)
        The bottom of the well that holds them, and a point above it that they do not reach.
    """

    rows: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def of(self, mask):
        """Some of them."""
        return Silent(self.rows[mask], self.low[mask], self.high[mask])


def place(select, rows, threshold, reset, reach, finer, heavy=False):
    """Panels for one batch.

    Parameters
    ----------
    select : callable
        ``rows -> (drift, noise)``, functions of v of shape (n, m).
    rows : ndarray of int, shape (N,)
        The neurons of the batch.
    threshold, reset : ndarray, shape (N,)
        In V.
    reach : float
        How far above its lowest value Ψ must have risen at the lower end.
    finer : float
        Panels for each unit of change; 1 is about four units of Ψ a panel.
    heavy : bool
        Reach far enough for the second moment of v as well.

    Returns
    -------
    panels : list of Panels
        In groups of equal number of panels.
    silent : Silent
        Together with the groups it holds every row once, but for those that no grid can hold.
    """
    fields = select(rows)
    v, at = _first_grid(fields, threshold[:, None], reset[:, None], reach, heavy)
    groups, silent = [], [(rows[:0], reset[:0], reset[:0])]
    stuck = _stuck(fields, threshold, reset)
    if stuck.any():
        silent.append((rows[stuck], reset[stuck], threshold[stuck]))
        rows, v, at = rows[~stuck], v[~stuck], at[~stuck]
        if not rows.size:
            return groups, Silent(*map(np.concatenate, zip(*silent, strict=True)))
        fields = select(rows)
    cut = None  # how far was looked is known of the first grid
    for round_ in range(_ROUNDS):
        A, B2 = evaluated(fields, v)
        counts, start, barrier, psi, far = _changes(v, A, B2, at, reach, heavy)
        cut = ~far if cut is None else cut
        lost = ~np.isfinite(counts.sum(1))  # v runs away: no grid holds it
        if lost.any():
            rows, v, at, counts, start, barrier, psi, cut = (
                x[~lost] for x in (rows, v, at, counts, start, barrier, psi, cut)
            )
            if not rows.size:
                break
            fields = select(rows)
        settled = counts.max(1) <= _RESOLVED
        # a wall (zero noise, drift against it) never settles: its barrier grows in every round
        hopeless = (settled | (round_ > 7)) & (barrier > _DEEPEST)
        settled |= round_ == _ROUNDS - 1
        if hopeless.any():
            silent.append((rows[hopeless], *_well(v[hopeless], psi[hopeless])))
        settled &= ~hopeless
        if settled.any():
            # in turn: how sum() rounds depends on how far down the grid of the batch goes
            total = np.cumsum(counts[settled], 1)[:, -1] * finer
            sizes = _SIZES[np.minimum(np.searchsorted(_SIZES, total), len(_SIZES) - 1)]
            for P in np.unique(sizes):
                some = np.flatnonzero(settled)[sizes == P]
                edges, first = _cut(v[some], counts[some], start[some], at[some], P)
                groups.append(Panels(rows[some], edges, first, barrier[some], cut[some]))
        rest = ~(settled | hopeless)
        if not rest.any():
            break
        if not rest.all():
            rows, v, at, cut = rows[rest], v[rest], at[rest], cut[rest]
            counts, start = counts[rest], start[rest]
            fields = select(rows)
        v, at = _cut(v, counts, start, at, _CELLS)
    return groups, Silent(*map(np.concatenate, zip(*silent, strict=True)))


def evaluated(fields, v):
    """Drift and noise at v, of its shape."""
    found = [f(v) for f in fields]
    return [y if np.shape(y) == v.shape else np.broadcast_to(y, v.shape) for y in found]


def slope(A, B2, scale):
    """Ψ'; without any noise it is steep enough to be treated as such."""
    return -2 * A / np.maximum(B2, 1e-40 * scale**2)


def _first_grid(fields, theta, V_r, reach, heavy):
    """Even cells above the reset; ever longer ones below it, until Ψ has risen far enough."""
    width = theta - V_r
    above = V_r + width * np.linspace(0, 1, 22)
    above[:, -1:] = theta
    below = V_r - width * 2.0 ** np.arange(-3, 5)
    while below.shape[1] < 60:
        v = np.concatenate([V_r, below], 1)
        A, B2 = evaluated(fields, v)
        s = slope(A, B2, width)
        psi = np.cumsum((s[:, 1:] + s[:, :-1]) * np.diff(v), axis=1) / 2
        psi = np.concatenate([np.zeros_like(V_r), psi], 1)
        if heavy:
            psi -= 2 * np.log1p(np.maximum(V_r - v, 0) / width)
        # half as much again: a sum over coarse cells is not exact
        short = psi[:, -1:] - psi.min(1, keepdims=True) < 1.5 * reach + 6
        if not short.any():
            break
        # rows that are done get an empty cell: their functions may overflow further down
        step = np.where(short, V_r - below[:, -1:], 0)
        below = np.concatenate([below, below[:, -1:] - step], 1)
    at = np.full(len(v), below.shape[1])
    return np.concatenate([below[:, ::-1], above], 1), at


def _changes(v, A, B2, at, reach, heavy):
    """Panels' worth of change in every cell, where to start, barrier, Ψ, and who has a start."""
    n, columns = v.shape
    V_r = v[np.arange(n), at][:, None]
    width = v[:, -1:] - V_r
    s = slope(A, B2, width)
    h = np.diff(v)
    s0, s1 = s[:, :-1], s[:, 1:]
    step = h * (s0 + s1) / 2
    psi = np.concatenate([np.zeros((n, 1)), np.cumsum(step, 1)], 1)
    log_B2 = np.log(np.maximum(B2, 1e-40 * width**2))
    log_A = np.log(np.maximum(np.abs(A), 1e-300))
    smooth = 0.4 * np.abs(np.diff(log_B2))
    smooth += h / (np.maximum(V_r - v[:, :-1], 0) + width)
    # where Ψ rises, u follows e^Ψ; at an extremum its width is that of a parabola
    fast = (h * (np.abs(s0) + np.abs(s1)) / 2 + np.sqrt(h * np.abs(s1 - s0))) / 4
    one_sign = (A[:, :-1] > 0) == (A[:, 1:] > 0)
    # where Ψ falls, u soon is B²/A/2 times a series in what changes; halfway up a deep barrier
    # nothing counts towards the answer
    slow = np.where(one_sign, 3 * np.abs(np.diff(log_A)), 1e9) + 1e-9
    bottom = np.minimum.accumulate(psi, 1)
    top = np.maximum.accumulate(psi[:, ::-1], 1)[:, ::-1]
    climb = psi - bottom
    barrier = climb.max(1)
    relaxed, slowed = s1 < 0, slow
    if (barrier > 2 * reach).any():
        middle = (climb > reach) & (top - psi > reach)
        middle = middle[:, :-1] & middle[:, 1:]
        relaxed = relaxed | middle
        # not so fast that e^Ψ within a panel leaves the range of floats
        slowed = np.where(middle, slow + np.abs(step) / 40, slow)
    counts = np.where(relaxed, fast * slowed / (fast + slowed), fast) + smooth
    below = np.where(np.arange(columns) > at[:, None], np.inf, psi)
    rise = psi - np.minimum.accumulate(below[:, ::-1], 1)[:, ::-1]
    if heavy:
        rise -= 2 * np.log1p(np.maximum(V_r - v, 0) / width)
    far = np.logical_and.accumulate((rise >= reach) & np.isfinite(below), axis=1)
    start = np.maximum(far.sum(1) - 1, 0)
    counts[np.arange(columns - 1) < start[:, None]] = 0
    return counts, start, barrier, psi, far[:, 0]


def _stuck(fields, threshold, reset):
    """Without noise at the threshold, and with a drift that ends there but for rounding."""
    v = np.stack([reset, threshold], 1)
    A, B2 = (np.broadcast_to(f(v), v.shape) for f in fields)
    rounded = 1e-15 * np.abs(threshold / (threshold - reset)) * np.abs(A[:, 0])
    return (B2[:, 1] <= 0) & (np.abs(A[:, 1]) <= rounded)


def _cut(v, counts, start, at, P):
    """P cells of equal change on each side of the reset, which stays an edge."""
    n = len(v)
    row = np.arange(n)
    total = np.concatenate([np.zeros((n, 1)), np.cumsum(counts, 1)], 1)
    left, all_ = total[row, at][:, None], total[:, -1:]
    margin = max(2, P // 8)
    first = np.clip(np.rint(P * left / all_), margin, P - margin)
    j = np.arange(P + 1)
    target = np.where(
        j <= first, left * j / first, left + (all_ - left) * (j - first) / (P - first)
    )
    # row by row: shifted against each other into one, they would be rounded by how many there are
    rows = zip(target / all_, total / all_, v, strict=True)
    edges = np.stack([np.interp(*one) for one in rows])
    first = first[:, 0].astype(int)
    V_r = v[row, at]
    edges[:, 0] = v[row, start]
    edges = np.where(j < first[:, None], np.minimum(edges, V_r[:, None]), edges)
    edges = np.where(j > first[:, None], np.maximum(edges, V_r[:, None]), edges)
    edges[row, first] = V_r
    edges[:, -1] = v[:, -1]
    return edges, first


def _well(v, psi):
    """Bottom of the deepest well below the barrier, and a point well up its wall."""
    row = np.arange(len(v))
    climb = psi - np.minimum.accumulate(psi, 1)
    up = np.argmax(climb > 80, axis=1)
    before = np.where(np.arange(v.shape[1]) <= up[:, None], psi, np.inf)
    return v[row, before.argmin(1)], v[row, up]
