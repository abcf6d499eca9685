"""Panels for the backward equation of a membrane that jumps, made where the answer needs them.

With p dv the time that v spends in dv between two spikes, and r(v) what a solution leaves of the
equation off the nodes, T at the reset is off by ∫ p r dv: panels are cut where the integral of
p |r| is largest. It sees whatever the panels are not aligned to.
"""

import functools

import numpy as np

from . import jump_nodes
from .jump_start import NARROWEST

_ROUNDS, _PANELS = 30, 1500
_WORST, _SHARE = 0.2, 0.1  # panels that are cut: η over the largest, over what all may have
_MUCH = 30.0  # times as much: cut in four
_SAMPLES = 3  # of the residual on a panel: Gauss's
_ROUNDING = 4e-16
LOST = 0.03  # of the chance to fire, by rounding, that is too much to be corrected
_REST = 0.1  # of what panels put off, that the others' may be
LARGEST = 8_000_000  # numbers in a factorised matrix: half a second


@functools.cache
def _off_nodes(n, mirrored):
    """Points of a panel, their weights, and a polynomial and its slope there from nodes."""
    x, w = np.polynomial.legendre.leggauss(_SAMPLES)
    nodes, _, D = jump_nodes.rule(n, mirrored)
    vander = np.polynomial.legendre.legvander
    values = vander(x, n) @ np.linalg.inv(vander(2 * nodes - 1, n))
    return (x + 1) / 2, w / 2, values, values @ D


class OffNodes:
    """Some points of all panels of a system: what a solution leaves of the equation there."""

    def __init__(self, system):
        self.system = system
        n, P = system.n, system.panels
        at, self.w, *_ = _off_nodes(n, False)
        z = (system.edges[:-1, None] + system.width[:, None] * at).ravel()
        v = system.coordinate.v(z)
        self.speed = system.speed(v).reshape(P, _SAMPLES) / system.width[:, None]
        self.v = v.reshape(P, _SAMPLES)
        self.jumps = []
        for rate, target, gone in zip(system.rates, *system.targets(z, v), strict=True):
            start, weights = system.weights(target)
            weights[gone] = 0.0
            self.jumps.append((rate, start[:, None] + np.arange(n + 1), weights))

    def residual(self, x, source=0.0):
        """Size of L x + source at the points of each panel, and Σ R (x(v + h) − x(v))²."""
        system, P, n = self.system, self.system.panels, self.system.n
        local = x[np.arange(P)[:, None] * n + np.arange(n + 1)]
        value, slope = np.empty((2, P, _SAMPLES))
        for rising in (True, False):
            some = system.rising == rising
            if some.any():
                _, _, values, slopes = _off_nodes(n, rising)
                value[some], slope[some] = local[some] @ values.T, local[some] @ slopes.T
        left, squares = source + self.speed * slope, 0.0
        felt = sum(system.rates) + n**2 * np.abs(self.speed)
        rounding = _ROUNDING * felt * np.abs(value).max(1, keepdims=True)
        for rate, columns, weights in self.jumps:
            step = np.einsum("ij,ij->i", x[columns], weights).reshape(P, _SAMPLES) - value
            left += rate * step
            squares = squares + rate * step**2
        return np.maximum(np.abs(left) - rounding, 0.0), squares

    def size(self, left):
        """Root mean square on each panel."""
        return np.sqrt(left**2 @ self.w)


def missed(system, cv, moments):
    """By how much each panel may put off an answer.

    Relative to it for the mean of the interval and (cv) its variance; in sd of v for (moments) mean
    and sd of v.
    """
    off, spent = OffNodes(system), system.occupation(signed=False)
    T, chance = system.times()
    T = T / chance
    mean = abs(system.at_reset(T))
    left, squares = off.residual(T, 1.0)
    share = off.size(left) / mean
    if cv:
        W = system.squares() / chance
        left, _ = off.residual(W, squares)
        share = np.maximum(share, off.size(left) / abs(system.at_reset(W)))
    if moments:
        first, second, m, sd = system.moments()
        away = off.v - system.process.reset
        left, _ = off.residual(first / chance, away)
        share = np.maximum(share, off.size(left) / (sd * mean))
        left, _ = off.residual(second / chance, (away - m) ** 2)
        share = np.maximum(share, off.size(left) / (2 * sd**2 * mean))
    return share * spent


def refined(process, coordinate, edges, n, asked, tolerance):
    """The equation on panels of which none puts off the answer by much, and finer panels.

    Parameters
    ----------
    process : JumpProcess
    coordinate : object
        Of the nodes.
    edges : ndarray
        To begin with.
    n : int
        Degree of T on a panel.
    asked : tuple of bool
        Whether the variance of the interval, and whether mean and sd of v count too.
    tolerance : float
        What all panels together may put off T at the reset, relative to that. Nodes are placed such
        that most of it cancels.

    Returns
    -------
    system : NodalSystem
    edges : ndarray
        Its own and more, in the panels that nearly all that is put off comes from.
    off : float
        What all panels may put off; infinite if rounding has spoilt the solution.

    Raises
    ------
    MemoryError
        If the matrix would be larger.
    """
    for _ in range(_ROUNDS):
        system = on(process, coordinate, edges, n)
        if not abs(1 - system.times()[1]) <= LOST:
            return system, edges, np.inf
        share = missed(system, *asked)
        if not share.sum() > tolerance or edges.size > _PANELS:
            break
        bad = (share > _WORST * share.max()) | (share > _SHARE * tolerance)
        bad &= system.width > 2 * NARROWEST
        if not bad.any():
            break
        edges = cut(system, bad, share > _MUCH * _SHARE * tolerance)
    order = np.argsort(share)
    small = np.cumsum(share[order]) <= _REST * share.sum()
    bad = np.ones(share.size, bool)
    bad[order[small]] = False
    bad &= system.width > 2 * NARROWEST
    return system, cut(system, bad, np.zeros(bad.size, bool)), float(share.sum())


def cut(system, bad, much):
    """Edges with some panels cut in two, in four where that is much too little."""
    low, width = system.edges[:-1, None], system.width[:, None]
    cuts = low + width * np.array([0.25, 0.5, 0.75])
    return np.union1d(system.edges, np.concatenate([cuts[bad & much].ravel(), cuts[bad, 1]]))


def on(process, coordinate, edges, n):
    """The equation on given panels."""
    rising = process.leak(coordinate.v((edges[1:] + edges[:-1]) / 2)) > 0
    return jump_nodes.NodalSystem(process, coordinate, edges, rising, n, LARGEST)
