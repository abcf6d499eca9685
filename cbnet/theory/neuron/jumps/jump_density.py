"""The density of v under finite jumps.

With F(v) the time that v spends below v between two spikes, what crosses v upwards, along the leak
f and by arrivals from between v and the point o_p(v) from which one leads to v, is what the reset
adds below v:

    f F' + Σ R_p [F(v) − F(o_p(v))] = 1{v ≥ V_r},   F = 0 far below, F(v ≥ θ) the mean interval.

It is the backward equation of the reversed motion, and solved like that. The density F' jumps at
the reset, by 1/|f|, and has its layers there and wherever arrivals lead from there; at a zero of
the leak that gathers v it goes as |v − v₀|^(Σ R_p / |f'| − 1). Panels start at such points; others
follow where what the equation leaves over would put off the share of some bin.
"""

import functools
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.linalg import lapack

from ....errors import ParameterError, warn
from ..white import white_noise
from . import jump_nodes, jump_process, jump_refinement, jump_start, shot_noise
from .jump_grid import lowered, survey

_DEGREES = 4, 6
_BINS = 120, 40  # between reset and threshold; the fewer where the others need too much memory
_STATED_FOR = 40  # bins between reset and threshold as wide as those whose error is stated
_LOWEST = 1e-7  # share of the time below all bins
_SMALL = 1e-4  # share of the time, of a bin: below, its error counts relative to that
_APART = 1e-4  # from where the leak gathers v to the reset, over the way to the threshold
_TOLERANCES = 0.3, 0.03, 3e-3  # what panels may put off a bin, relative to it; most cancels
_ENOUGH = 1e-3
_ROUNDS, _PANELS = 12, 2500
_WORST, _SHARE, _MUCH = 0.2, 0.03, 30.0
_LEAST, _MOST = 0.02, 120  # chance of the arrivals that lead to an image; images
_HIGHEST = 25.0  # climb to a threshold: e^-25 of the time, and floats hold it without loss
_STATED = 0.01  # error of a bin from which on it is told
_KEPT = 4  # densities


class Occupied(jump_nodes.NodalSystem):
    """The equation of F, factorised; parameters as of :class:`NodalSystem`, the reset an edge."""

    def __init__(self, process, coordinate, edges, n):
        rising = process.leak(coordinate.v((edges[1:] + edges[:-1]) / 2)) > 0
        reset = int(np.argmin(np.abs(edges - coordinate.z(process.reset))))
        super().__init__(process, coordinate, edges, ~rising, n, jump_refinement.LARGEST)
        self.above = np.arange(self.panels) >= reset
        self.F = self.solve((self.above[self.panel] * self.asked).astype(float))

    def speed(self, v):
        """dz/dt of the reversed leak."""
        return -self.coordinate.speed(v)

    def _end(self, D, jumps):
        if not self.rising[0]:
            self.asked[0] = D[0] = 0.0  # nothing below
            for weights in jumps:
                weights[0] = 0.0
        if self.rising[-1]:
            D[-1] = 0.0  # nothing comes from above the threshold

    def targets(self, z, v):
        """Where an arrival of each class comes from, and whether that is below all."""
        process, coordinate = self.process, self.coordinate
        found, gone = [], []
        for k, (jump, rate) in enumerate(process.classes):
            if k == process.lead:
                there = coordinate.lowered(z, v)
                gone.append(there < self.edges[0])
                found.append(np.clip(there, self.edges[0], 0.0))
                continue
            there = jump_process.origin(jump, v) if rate > 0 else v
            gone.append(there < self.v[0])
            found.append(coordinate.z(np.clip(there, self.v[0], self.v[-1])))
        return found, gone

    def below(self, z):
        """F at z."""
        start, weights = self.weights(z)
        return np.einsum("ij,ij->i", self.F[start[:, None] + np.arange(self.n + 1)], weights)

    def slope(self, z):
        """dF/dz at z, that of the panel above at an edge."""
        n = self.n
        k = np.clip(np.searchsorted(self.edges, z, side="right") - 1, 0, self.panels - 1)
        s = (z - self.edges[k]) / self.width[k]
        local = self.F[k[:, None] * n + np.arange(n + 1)]
        found = np.empty(z.size)
        vander = np.polynomial.legendre.legvander
        for rising in (True, False):
            some = self.rising[k] == rising
            if some.any():
                nodes, _, D = jump_nodes.rule(n, rising)
                series = np.linalg.inv(vander(2 * nodes - 1, n)) @ D
                basis = vander(2 * s[some] - 1, n)
                found[some] = np.einsum("ij,ij->i", basis @ series, local[some])
        return found / self.width[k]

    def missed(self, bins):
        """By how much each panel may put off the share of each bin, relative to it."""
        start, weights = self.weights(bins)
        right = np.zeros((self.size, bins.size))
        for j in range(bins.size):
            right[start[j] : start[j] + self.n + 1, j] = weights[j]
        right = np.diff(right, axis=1)
        x, _ = lapack.dgbtrs(self.lu, self.high, self.low, -right[::-1], self.pivots, trans=1)
        x = np.abs(x[::-1] * self.asked[:, None])
        # points of a panel follow one another
        parts = np.add.reduceat(x, np.searchsorted(self.panel, np.arange(self.panels)))
        share = np.maximum(np.diff(self.below(bins)), _SMALL * self.F[-1])
        off = jump_refinement.OffNodes(self)
        left, _ = off.residual(self.F, self.above[:, None])
        return off.size(left)[:, None] * parts / share


@dataclass(frozen=True)
class Density:
    """Of v, and by how much the share of a bin may be off.

    Attributes
    ----------
    system : Occupied
    error : float
        Relative, of the share of any bin as wide as a fortieth of the way from reset to threshold;
        of bins of less than 1e-4 of the time relative to that.
    """

    system: Occupied
    error: float

    def __call__(self, v):
        """The density at v, in 1/V."""
        v = np.asarray(v, float)
        system, flat = self.system, v.ravel()
        low, high = system.v[0], system.v[-1]
        z = system.coordinate.z(np.clip(flat, low, high))
        p = system.slope(z) * system.coordinate.stretch(np.clip(flat, low, high)) / system.F[-1]
        inside = (flat >= low) & (flat <= high)
        return np.where(inside, np.maximum(p, 0.0), 0.0).reshape(v.shape)


@dataclass(frozen=True)
class _Question:
    """What a density depends on."""

    key: tuple
    neuron: object = field(compare=False)
    inputs: tuple = field(compare=False)


def density(neuron, inputs, v, rtol=shot_noise.RTOL):
    """Density of v outside the refractory time for one input, in 1/V; zero above the threshold.

    Parameters
    ----------
    neuron : Neuron
        Of any leak and jumps.
    inputs : sequence of ndarray
        As the neuron's ``passage`` takes them, of one row.
    v : array_like
        Potentials in V.
    rtol : float
        How much of the lower end may be left out.

    Returns
    -------
    ndarray
        Of the shape of `v`; its integral is 1. At the reset, where it jumps, that above.

    Raises
    ------
    ParameterError
        For a neuron at rest without noise.

    Warns
    -----
    CbnetWarning
        If the share of some bin may be more than a hundredth off (:class:`Density`, ``error``, or
        white noise where jumps cannot be followed).

    Notes
    -----
    Where jumps are too fine to be followed it is the density of white noise, and a warning tells
    what this leaves out. A reset at which the
    leak gathers v holds it for a share of the time that is a point; it is spread over a
    ten-thousandth of the way to the threshold. Thresholds that are reached less often than e^-25 of
    the time are lowered.
    """
    numbers = {k: x for k, x in neuron.values.items() if isinstance(x, (int, float, str))}
    parts = neuron.reduced.sources, numbers
    given = tuple(x.tobytes() for x in inputs)
    key = (*(tuple(sorted(part.items())) for part in parts), given, rtol)
    found = _solved(_Question(key, neuron, tuple(inputs)))
    if found is None:
        off = _of_white_noise(neuron, inputs)
        if off > _STATED:
            warn(
                "density: got jumps that cannot be followed; it is that of white noise, whose "
                f"shares of bins may be off by {off:.1%} or more; simulate it"
            )
        return white_noise.density(neuron, inputs, v)
    if found.error > _STATED:
        warn(
            f"density: the shares of bins may be off by {found.error:.1%}; "
            "use wider bins, or simulate it",
        )
    return found(v)


def _of_white_noise(neuron, inputs):
    """By how much shares of bins of a fortieth of the way from reset to threshold are off.

    White noise does not have the skewness of the free membrane, and its density vanishes at the
    threshold and bends at the reset where that of finite jumps does so within a jump: by h_E over
    the width of a bin and half of h_I over it, as neurons with K of some thousands have it.
    """
    process = jump_process.of_neuron(neuron, *inputs)[0]
    mu, tau = neuron.rest(*inputs)
    at = np.fmin(mu, process.threshold)
    third = tau / 3 * sum(R * h(at) ** 3 for h, R in process.classes)
    skewness = np.abs(third / (tau / 2 * process.noise(at)) ** 1.5)
    ends, width = np.array([process.threshold]), (process.threshold - process.reset) / _STATED_FOR
    jumps = [np.maximum(h(ends), np.abs(h(ends)) / 2) for h in process.jumps]
    local = functools.reduce(np.maximum, jumps) / width
    return float(np.fmax(skewness, local)[0])


@functools.lru_cache(_KEPT)
def _solved(question):
    """The density, None where jumps are too fine or take too much memory."""
    rtol = question.key[-1]
    process = jump_process.of_neuron(question.neuron, *question.inputs)[0]
    process, _ = jump_process.with_excitation(process)
    if process is None:
        raise ParameterError(
            "density: got a neuron at rest without noise; its density is a point: read V_mean"
        )
    found = survey(process, np.log(1 / rtol) + 10)
    if found.silent or found.climb.max() > _HIGHEST:
        process, _ = lowered(process, found, _HIGHEST)
    try:
        first = jump_start.coarse(process, rtol)
        if first is None:
            return None
        return solve(*first[:2], first[2][0])
    except MemoryError:
        return None


def solve(process, coordinate, bottom):
    """The density.

    Parameters
    ----------
    process : JumpProcess
    coordinate : object
        Of the nodes.
    bottom : float
        The lowest edge, in that coordinate.

    Returns
    -------
    Density

    Raises
    ------
    MemoryError
        If even the first panels need more.
    """
    process, edges = _first(process, coordinate, bottom)
    system = Occupied(process, coordinate, edges, _DEGREES[0])
    for number in _BINS:
        best = _resolved(system, _bins(system, number))
        if best is not None:
            return best
    raise MemoryError


def _resolved(system, bins):
    """The best answer by the shares of bins, None if every one needs too much memory."""
    process, coordinate, best = system.process, system.coordinate, None
    for tolerance in _TOLERANCES:
        try:
            system = _refined(system, bins, tolerance)
            better = Occupied(process, coordinate, system.edges, _DEGREES[1])
        except MemoryError:
            break
        error = _distance(system, better, bins)
        if best is None or error < best.error:
            best = Density(better, error)
        if error < _ENOUGH:
            break
    return best


def _distance(system, better, bins):
    """The largest of the differences of two solutions, over bins."""
    shares = [np.diff(one.below(bins)) / one.F[-1] for one in (system, better)]
    return float((np.abs(shares[0] - shares[1]) / np.maximum(np.abs(shares[1]), _SMALL)).max())


def _bins(system, number):
    """Edges of bins in the coordinate, from where v hardly ever is to the threshold."""
    process, coordinate = system.process, system.coordinate
    share = system.below(system.edges) / system.F[-1]
    low = float(coordinate.v(system.edges[np.argmax(share > _LOWEST)]))
    reset, top = process.reset, process.threshold
    width = max((top - reset) / number, (top - low) / (5 * number))
    down = reset - width * np.arange(max(int((reset - low) / width), 0) + 1)
    up = reset + width * np.arange(1, int((top - reset) / width - 0.5) + 1)
    v = np.concatenate([down[::-1], up, [top]])
    return np.minimum(coordinate.z(v[v > system.v[0]]), 0.0)


def _first(process, coordinate, bottom):
    """The process with its reset apart from where the leak gathers v, and the first panels."""
    low = float(coordinate.v(bottom))
    ends = jump_start.zeros(process, low)
    width = process.threshold - process.reset
    for v, _ in ends:
        if abs(process.reset - v) < _APART * width:
            process = replace(process, reset=v + _APART * width)
    wells = [v for v, parts in ends if not parts]
    roots = [process.reset, *wells]
    points = [
        jump_start.images(process, roots, low, _LEAST, _MOST, forward=True),
        [v for v, _ in ends],
    ]
    ends = np.array([process.threshold])
    points += [process.threshold + h(ends) for h, R in process.others if R > 0]
    z = coordinate.z(np.concatenate(points))
    chain = np.linspace(bottom, 0.0, int(np.ceil(-bottom)) + 1)
    return process, jump_start.tidy(np.concatenate([z, chain]), bottom)


def _refined(system, bins, tolerance):
    """The equation on panels that put off no bin by much."""
    for _ in range(_ROUNDS):
        parts = system.missed(bins)
        if not parts.sum(0).max() > tolerance or system.panels > _PANELS:
            break
        share = parts.max(1)
        bad = (share > _WORST * share.max()) | (share > _SHARE * tolerance)
        bad &= system.width > 2 * jump_start.NARROWEST
        if not bad.any():
            break
        edges = jump_refinement.cut(system, bad, share > _MUCH * _SHARE * tolerance)
        system = Occupied(system.process, system.coordinate, edges, _DEGREES[0])
    return system
