"""The backward equation for values of T, on the panels that a membrane needs; the density of v."""

import numpy as np
from scipy.interpolate import PchipInterpolator

from ..errors import ParameterError
from . import _jump_lattice, _jump_nodes, _jump_process, _white, shot_noise
from ._jump_grid import lowered, panels, survey, surveyed

# Of panels: nodes, how the space between images of the threshold is split, images, and panels for
# each unit of change.
_PANELS = 4, (0.0, 0.1, 0.4), 48, 4
_HIGHEST = 25.0  # climb to a threshold: e^-25 of the time, and floats hold it without loss
_CELL = 0.05  # of the density, in standard deviations of v
_LOST = 1e-3  # of certainty, by rounding
_STEPS = 40  # at the reset and where arrivals lead from there, that are told apart


def system(process, rtol):
    """On a lattice where leak and jumps are straight, else on the panels of any membrane.

    Raises
    ------
    MemoryError
        If the jumps are so fine that the matrix would be too large.
    """
    lattice = _jump_lattice.of_process(process, shot_noise.FAR)
    if lattice is not None:
        level = 2 if lattice.thinness > shot_noise.THIN else 3
        return _jump_lattice.LatticeSystem(lattice, level, shot_noise.LARGEST_LATTICE)
    process, found = surveyed(process, rtol)
    n, fractions, images, finer = _PANELS
    edges, _ = panels(process, found, images, fractions, finer)
    coordinate = _jump_nodes.Plain(process)
    rising = process.leak((edges[1:] + edges[:-1]) / 2) > 0
    edges = np.append(coordinate.z(edges[:-1]), 0.0)
    return _jump_nodes.NodalSystem(
        process, coordinate, edges, rising, n, shot_noise.LARGEST_LATTICE
    )


def density(neuron, r_E, r_I, v, rtol=shot_noise.RTOL):
    """Density of v outside the refractory time for one input, in 1/V; zero above the threshold.

    It is the slope of a monotone interpolation of the probability below points that are a twentieth
    of a standard deviation apart, and below the steps that spikes leave at the reset and where
    arrivals lead from there; its integral is 1. Where jumps are too fine to be followed it is that
    of white noise.
    """
    process = _jump_process.of_neuron(neuron, np.array([r_E]), np.array([r_I]))[0]
    process, _ = _jump_process.with_excitation(process)
    if process is None:
        raise ParameterError(
            "density: got a neuron at rest without noise; its density is a point: read V_mean"
        )
    found = survey(process, np.log(1 / rtol) + 10)
    if found.silent or found.climb.max() > _HIGHEST:
        process, _ = lowered(process, found, _HIGHEST)
    try:
        backward = _finer(system(process, rtol))
    except MemoryError:
        backward = None
    if backward is None:
        return _white.density(neuron, r_E, r_I, v)
    edges = backward.coordinate.v(backward.edges)
    below = np.append(0.0, np.cumsum(np.maximum(backward.occupation(), 0.0)))
    slope = PchipInterpolator(edges, below / below[-1]).derivative()
    v = np.asarray(v, float)
    inside = (v >= edges[0]) & (v <= edges[-1])
    return np.where(inside, np.maximum(slope(np.clip(v, edges[0], edges[-1])), 0.0), 0.0)


def _finer(coarse):
    """The same system on cells fine enough for a density; None if rounding has spoilt it."""
    coordinate, process = coarse.coordinate, coarse.process
    (*_, sd), _, lost = coarse.statistics(False, True)
    if not (lost <= _LOST and sd > 0):
        return None
    edges = coordinate.v(coarse.edges)
    parts = np.ceil(np.diff(edges) / (_CELL * sd)).astype(int)
    if parts.sum() * (coarse.n + 1) > shot_noise.LARGEST_LATTICE:
        raise MemoryError
    cells = [
        np.linspace(low, high, m + 1)[:-1]
        for low, high, m in zip(coarse.edges[:-1], coarse.edges[1:], parts, strict=True)
    ]
    steps = [coordinate.z(np.array([process.reset]))]
    while len(steps) < _STEPS:
        v = coordinate.v(steps[-1])
        step = coordinate.lifted(steps[-1], v)
        if step[0] >= coarse.edges[-1] or process.up(v)[0] < _CELL * sd:
            break
        steps.append(step)
    edges = np.unique(np.concatenate([*cells, *steps, coarse.edges[-1:]]))
    edges = edges[np.append(True, np.diff(edges) > 1e-9)]
    rising = process.leak(coordinate.v((edges[1:] + edges[:-1]) / 2)) > 0
    return _jump_nodes.NodalSystem(
        process, coordinate, edges, rising, coarse.n, shot_noise.LARGEST_LATTICE
    )
