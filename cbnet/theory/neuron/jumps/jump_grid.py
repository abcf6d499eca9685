"""Where to put the panels of a membrane that jumps.

T has a step at the threshold, whose images lie at θ − h, θ − 2h, ...: each the start of a layer as
thin as the way the leak goes between two arrivals, and each smoother than the one above. Panels
are aligned to the first of these images and split towards them; further down they grow to the
width on which T varies under white noise.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from .jump_system import WIDE

_CELLS, _MOST_CELLS = 40, 1500  # of the survey: two for each panel's worth that a cell may hold
_ROUNDS = 40  # each narrows a missed scale by ten or so
_RESOLVED = 2.0  # panels' worth of change that one cell may hold
_PER_PANEL = 1.5  # units of Φ
_GROWTH = 1.4  # of a panel over the one above it
_WALL = 1e15  # momentum times width
_MOST = 20_000  # panels
_FINEST = 1e-9  # jumps smaller than this, relative to v, have no lattice in floats
DEEPEST = 690.0  # e^-690 is about the smallest number that floats hold


@dataclass(frozen=True)
class Survey:
    """A coarse look at a process, from far below the reset up to the threshold.

    Attributes
    ----------
    v, climb, count : ndarray, shape (m,)
        Potentials; Φ, the height above the lowest point below; panels needed from the lower end on.
    silent : bool
        Whether the threshold lies higher than floats can express; the survey then ends below it.
    """

    v: np.ndarray
    climb: np.ndarray
    count: np.ndarray
    silent: bool

    def below(self, height):
        """The part up to a climb, at which it is cut off as if silent."""
        high = self.climb > height
        end = int(np.argmax(high)) if high.any() else self.v.size - 1
        return Survey(self.v[: end + 1], self.climb[: end + 1], self.count[: end + 1], True)


def survey(process, reach, deepest=DEEPEST):
    """Find the well, the barrier, and the scales in between.

    Parameters
    ----------
    process : JumpProcess
    reach : float
        How far above the well the lower end must lie, in units of Φ.
    deepest : float
        Barriers higher than this are cut off.
    """
    theta, reset = process.threshold, process.reset
    width = theta - reset
    v = np.append(reset - width * 2.0 ** np.arange(2, -4, -1), np.linspace(reset, theta, 24))
    for _ in range(60):
        q, psi = _momentum(process, v, width)
        if psi[0] - psi.min() >= 1.5 * reach + 6:
            break
        v = np.append(3 * v[0] - 2 * reset, v)
    silent = False
    for round_ in range(_ROUNDS):
        if round_:
            q, psi = _momentum(process, v, width)
        counts = _counts(process, v, q, width)
        # the lower end: high enough above all that lies between it and the reset
        lowest = np.minimum.accumulate(np.where(v > reset, np.inf, psi)[::-1])[::-1]
        lowest = np.where(v > reset, psi, np.minimum(lowest, psi))
        far = np.logical_and.accumulate((psi - lowest >= reach) & (v < reset))
        start = max(int(far.sum()) - 1, 0)
        climb = psi - np.minimum.accumulate(psi)
        end = v.size - 1
        silent = silent or bool(climb.max() > deepest and round_ > 3)
        if silent and climb.max() > 6 * reach + 80:  # nothing this high is ever seen
            end = int(np.argmax(climb > 3 * reach + 40))
        v, climb, counts = v[start : end + 1], climb[start : end + 1], counts[start:end]
        if counts.max() <= _RESOLVED and (silent or climb.max() <= deepest):
            break
        total = np.append(0.0, np.cumsum(counts))
        if round_ < _ROUNDS - 1:
            cells = int(np.clip(total[-1], _CELLS, _MOST_CELLS))
            v = np.unique(np.interp(np.linspace(0, total[-1], cells + 1), total, v))
    return Survey(v, climb, np.append(0.0, np.cumsum(counts)), silent)


def surveyed(process, rtol):
    """The process, as far as it matters to an answer of that accuracy, and its survey."""
    reach = np.log(1 / rtol) + 10
    found = survey(process, reach)
    if found.silent:
        return lowered(process, found, 3 * reach + 40)
    return process, found


def lowered(process, found, height):
    """The process whose threshold lies no more than a climb above the well, and its survey."""
    found = found.below(height)
    # an end below the threshold, and a start at the bottom of the well: neither matters
    well = found.v[np.flatnonzero(found.climb == 0)[-1]]
    return replace(process, threshold=found.v[-1], reset=well), found


def _momentum(process, v, width):
    q = np.clip(process.momentum(v), -_WALL / width, _WALL / width)
    # from the top: a sum that starts at a wall would round off all that follows
    psi = np.append(0.0, np.cumsum(((q[1:] + q[:-1]) / 2 * np.diff(v))[::-1]))
    return q, -psi[::-1]


def _counts(process, v, q, width):
    """Panels' worth of change in every cell."""
    h, A, B2 = np.diff(v), process.drift(v), process.noise(v)
    # a wall that nothing passes from above: T knows nothing of it, only of what begins in its cell
    wall = q <= -_WALL / width
    low = np.where(wall[:-1] & ~wall[1:], q[1:], q[:-1])
    log_A = np.log(np.maximum(np.abs(A), 1e-300))
    log_B2 = np.log(np.maximum(B2, 1e-40 * width**2))
    fast = h * (np.abs(low) + np.abs(q[1:])) / 2 + np.sqrt(h * np.abs(q[1:] - low))
    fast = fast / _PER_PANEL
    slow = np.where((A[:-1] > 0) == (A[1:] > 0), 3 * np.abs(np.diff(log_A)), 1e9) + 1e-9
    counts = np.where(q[1:] < 0, fast * slow / (fast + slow), fast)
    counts[wall[:-1] & wall[1:]] = 0.0
    return counts + 0.4 * np.abs(np.diff(log_B2)) + 2 * h / width


def panels(process, found, levels, fractions, finer):
    """Panel edges, and Φ at them.

    Parameters
    ----------
    process : JumpProcess
    found : Survey
    levels : int
        Images of the threshold that panels are aligned to.
    fractions : sequence of float
        Where the space between two images is split, from the lower one on.
    finer : float
        Panels for each unit of the survey's count.
    """
    bottom, top = found.v[0], found.v[-1]
    count = finer * found.count
    if count[-1] > _MOST:
        raise MemoryError
    lattice = np.array([top])
    if not found.silent:
        lattice = _images(process, levels, bottom)
    gaps = np.diff(lattice)  # negative: downwards
    fractions = np.asarray(fractions)
    falls = process.leak(lattice[1:] - gaps / 2) <= 0
    split = np.where(falls[:, None], fractions, 1 - np.append(fractions[1:], 1.0))
    edges = [lattice, (lattice[1:, None] - gaps[:, None] * split).ravel()]
    # below: wide panels that grow, or further images where T varies too fast for those
    v, step = lattice[-1], 0.0
    lower = []
    while v > bottom:
        jump = float(np.abs(process.up(np.array([v]))[0]))
        room = v - float(np.interp(np.interp(v, found.v, count) - 1.0, count, found.v))
        if room >= WIDE * jump:
            step = min(max(step * _GROWTH, WIDE * jump * 1.01), room)
            v = max(v - step, bottom)
            if v - bottom < WIDE * jump:
                v = bottom
        else:
            step = 0.0
            v = max(v - jump, bottom)
        lower.append(v)
        if len(lower) > _MOST:
            raise MemoryError
    edges = np.concatenate([*edges, lower])
    edges = np.unique(np.append(edges[edges > bottom], bottom))
    # what is still too wide for the survey's scales is cut
    parts = np.ceil(np.diff(np.interp(edges, found.v, count)) - 0.2)
    wide = np.diff(edges) > WIDE * 0.999 * np.abs(process.up((edges[1:] + edges[:-1]) / 2))
    parts[wide] = 1  # made to measure, and cut they would be neither wide nor images
    if (parts > 1).any():
        fill = [
            np.linspace(a, b, int(m) + 1)[1:-1]
            for a, b, m in zip(edges[:-1], edges[1:], parts, strict=True)
            if m > 1
        ]
        edges = np.sort(np.concatenate([edges, *fill]))
    edges = _with_zeros(process, found, edges)
    return edges, np.interp(edges, found.v, found.climb)


def _images(process, levels, bottom):
    """θ and the points from which 1, 2, ... excitatory arrivals lead to it."""
    theta = process.threshold
    leading = (process.up, process.rate_up)
    found = [leading, *process.others]
    jump, rate = next((each for each in found if each[0](np.array([theta]))[0] > 0), found[-1])
    size = float(jump(np.array([theta]))[0])
    if not (rate > 0 and size > _FINEST * max(abs(theta), theta - process.reset)):
        return np.array([theta])
    found = [theta]
    slope = float(jump(np.array([theta]))[0] - jump(np.array([theta - size]))[0]) / size
    for _ in range(levels):
        target, v = found[-1], found[-1] - float(jump(np.array([found[-1]]))[0]) / (1 + slope)
        for _ in range(50):
            gap = v + float(jump(np.array([v]))[0]) - target
            if abs(gap) <= 1e-12 * size:
                break
            v -= gap / (1 + slope)
        if not v < target:
            break
        found.append(v)
        if v <= bottom:
            break
    return np.array(found)


def _with_zeros(process, found, edges):
    """Edges with the zeros of the leak among them."""
    f = process.leak(found.v)
    for k in np.flatnonzero((f[:-1] > 0) != (f[1:] > 0)):
        zero = brentq(lambda v: float(process.leak(np.array([v]))[0]), found.v[k], found.v[k + 1])
        nearest = int(np.argmin(np.abs(edges - zero)))
        room = 1e-6 * np.diff(edges)[max(nearest - 1, 0) : nearest + 1].min()
        if abs(edges[nearest] - zero) > room:
            edges = np.sort(np.append(edges, zero))
        elif 0 < nearest < edges.size - 1:
            edges[nearest] = zero
    return edges
