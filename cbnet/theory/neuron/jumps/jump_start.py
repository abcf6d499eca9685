"""The first panels of the backward equation of a membrane that jumps.

T is not smooth at the threshold, at zeros of the leak that part v, and at all points from which
arrivals lead there. Panels begin at the most important of those, at the images of the threshold by
excitation alone, with their thin layers, and at the reset.
"""

import numpy as np
from scipy.optimize import brentq

from . import jump_lattice, jump_nodes, jump_process
from .jump_grid import surveyed

_HIGHEST = 32.0  # climb to a threshold, beyond which T is lost in rounding
_FAR = 28.0  # e^-28: rounding, as seen from the lower end
_LEAST, _MOST = 0.1, 30  # chance of the arrivals that lead to an image; images
_FEW = 0.1  # excitatory jump, over the way from reset to threshold: images by inhibition matter
# Images of the threshold by excitation alone that thin layers are split at, the second for rough
# accuracies; first part of a split jump in ways of the leak; ratio of the next.
_SPLIT, _SPLIT_ROUGH, _ROUGH = 24, 4, 3e-3
_THIN, _WIDEN, _PARTS = 2.0, 3.0, 12
NARROWEST = 1e-9  # panels, in jumps
_PANELS = 1500
_NEAR, _OVERSHOOT = 40, 6  # jumps by excitation, by inhibition
_SAME = 1e-12


def coarse(process, rtol):
    """The process, the coordinate of its nodes, and the first panels; None if it has none.

    Parameters
    ----------
    process : JumpProcess
    rtol : float
        Accuracy of the answer.
    """
    if not (process.rate_up > 0 and process.up(np.array([process.threshold]))[0] > 0):
        return None
    coordinate = jump_lattice.of_process(process, _FAR)
    if coordinate is not None:
        bottom = coordinate.v(-float(coordinate.depth))
        chain = np.arange(-float(coordinate.depth), 1.0)
    else:
        process, found = surveyed(process, rtol)
        if found.silent or found.climb.max() > _HIGHEST:
            return None
        coordinate, bottom = jump_nodes.Plain(process), _floor(process, found.v[0])
        chain = _chain(process, coordinate, bottom)
    ends = zeros(process, bottom)
    width = process.threshold - process.reset
    roots = [v for v, rising in ends if rising]
    others = [float(h(np.array([process.threshold]))[0]) for h, R in process.others if R > 0]
    few = max(coordinate.size, *others, 0.0) > _FEW * width or roots
    points = images(process, [process.threshold, *roots], bottom) if few else np.empty(0)
    points = np.concatenate([points, [process.reset], [v for v, _ in ends]])
    z = np.concatenate([coordinate.z(points), chain, _layers(process, coordinate, chain, rtol)])
    return process, coordinate, tidy(z, chain[0])


def tidy(z, bottom):
    """Edges in order, from the bottom to the threshold, without those that coincide."""
    z = np.unique(np.concatenate([z[(z > bottom) & (z < 0)], [bottom, 0.0]]))
    keep = np.append(np.diff(z) > NARROWEST, True)
    keep[0] = True
    return z[keep]


def _floor(process, bottom):
    """The lower end: a well of the leak if few arrivals keep v from it; inhibition leads beyond."""
    jump = float(process.up(np.array([process.threshold]))[0])
    v = bottom - jump * np.arange(_NEAR)
    gathers = process.leak(v) > 0
    low = v[np.argmax(gathers)] if gathers.any() else bottom
    lowering = [h for h, R in process.others if R > 0]
    for _ in range(_OVERSHOOT):
        low = low + min([0.0, *(float(h(np.array([low]))[0]) for h in lowering)])
    return low


def _chain(process, coordinate, bottom):
    """Points a jump apart: the first ones images of the threshold, all where jumps are straight."""
    v, found = process.threshold, [0.0]
    while v > bottom:
        step = float(process.up(np.array([v]))[0])
        if not step > 0 or len(found) > _PANELS:
            raise MemoryError
        v = (
            float(jump_process.origin(process.up, np.array([v]))[0])
            if len(found) <= _SPLIT
            else v - step
        )
        found.append(float(coordinate.z(v)))
    found[-1] = float(coordinate.z(bottom))
    return np.array(found[::-1])


def _layers(process, coordinate, chain, rtol):
    """Ever wider parts of the jumps next to the threshold, at the thin ends of their layers."""
    split = _SPLIT if rtol < _ROUGH else _SPLIT_ROUGH
    top = chain[-1 - split :] if chain.size > split else chain
    low, high = top[:-1], top[1:]
    v = coordinate.v(low)
    ways = np.abs(process.leak(v)) / sum(process.rates) / coordinate.size
    at, width = np.zeros(low.size), _THIN * ways
    falls = process.leak(coordinate.v((low + high) / 2)) <= 0
    found = []
    for _ in range(_PARTS):
        at = at + width
        some = at + 0.3 * width < high - low
        if not some.any() or not (width > 0).all():
            break
        found.append(np.where(falls, low + at, high - at)[some])
        width = _WIDEN * width
    return np.concatenate(found) if found else np.empty(0)


def zeros(process, bottom):
    """Where the leak vanishes, and whether it parts v there."""
    if process.straight:
        low, high = process.leak(np.array([bottom, process.threshold]))
        if not low > 0 > high:
            return []
        return [(bottom + low / (low - high) * (process.threshold - bottom), False)]
    v = np.linspace(bottom, process.threshold, 200)
    f = process.leak(v)
    return [
        (
            brentq(lambda x: float(process.leak(np.array([x]))[0]), v[k], v[k + 1], xtol=1e-16),
            bool(f[k + 1] > 0),
        )
        for k in np.flatnonzero((f[:-1] > 0) != (f[1:] > 0))
    ]


def images(process, roots, bottom, least=_LEAST, most=_MOST, forward=False):
    """Points from which few arrivals lead to the roots, or (forward) to which they lead.

    Parameters
    ----------
    process : JumpProcess
    roots : sequence of float
    bottom : float
        The lowest that counts.
    least : float
        The chance that arrivals have to be those that lead there.
    most : int
        Points.
    forward : bool
        Whether arrivals lead from the roots.
    """
    total = sum(process.rates)
    kinds = [(jump, R / total) for jump, R in process.classes if R / total > 0]
    v, chance = np.array(roots, float), np.ones(len(roots))
    found, size = [v], v.size
    while v.size and size < most:
        moved = [v + jump(v) if forward else jump_process.origin(jump, v) for jump, _ in kinds]
        chance = np.concatenate([share * chance for _, share in kinds])
        v = np.concatenate(moved)
        inside = (v > bottom) & (v < process.threshold - _SAME) & (chance > 0)
        v, chance = v[inside], chance[inside]
        order = np.argsort(v)
        v, chance = v[order], chance[order]
        group = np.cumsum(np.diff(v, prepend=-np.inf) > 1e-11) - 1
        first = np.flatnonzero(np.diff(v, prepend=-np.inf) > 1e-11)
        v, chance = v[first], np.bincount(group, chance, minlength=first.size)
        v, chance = v[chance >= least], chance[chance >= least]
        found.append(v)
        size += v.size
    return np.concatenate(found)
