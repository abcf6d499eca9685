"""The density of the intervals between spikes under white noise.

The chance S not to have fired obeys dS/dt = L S with L S = A S' + B² S''/2 = (B²/2) e^Ψ (e^−Ψ S')'
and Ψ' = −2A/B² (Kolmogorov's backward equation). On a grid, S' times e^−Ψ between two nodes is
taken to be constant (D. L. Scharfetter and H. K. Gummel, IEEE Trans. Electron Devices 16, 64
(1969)): L is then that of a walk between neighbours, right to second order in the spacing whatever
the drift, and two spacings give the fourth.
"""

import numpy as np

from ....errors import ConvergenceError, ParameterError
from .. import intervals
from . import white_noise
from .panels import place

RTOL = 1e-4
_CELLS = 4  # of a panel, which holds about four units of Ψ
_HALVINGS = 5
_REACH = 30.0  # rise of Ψ at the lower end
_MOST = 40_000  # nodes
_FORGETFUL = 15.0  # rise of Ψ from the reset to the threshold: fewer than e^-15 fire at once
_SILENT = "isi_density: got a neuron that never fires; it has no intervals; raise r_E"


def interval_density(neuron, inputs, t, rtol=RTOL):
    """As :func:`cbnet.theory.neuron.jumps.jump_intervals.interval_density`, under white noise.

    Parameters
    ----------
    neuron : Neuron
        Of any drift and noise.
    inputs, t, rtol
        As there.

    Raises
    ------
    ParameterError
        For a neuron that never fires, or fires without noise.
    ConvergenceError
        If the accuracy is not reached on the finest grid.

    Notes
    -----
    A neuron that has forgotten its reset long before it fires is a Poisson process.
    """
    rate = float(neuron.passage(*inputs, cv=False).rate[0])
    if not rate > 0:
        raise ParameterError(_SILENT)
    drift, noise = white_noise.select(neuron, *inputs)(np.zeros(1, int))
    ends = np.array([neuron.threshold]), np.array([neuron.reset])
    groups, _ = place(lambda _: (drift, noise), np.zeros(1, int), *ends, _REACH, 1.0, heavy=True)
    edges = groups[0].edges[0]
    if not np.all(np.broadcast_to(noise(edges[None]), (1, edges.size))[0] > 0):
        raise ParameterError(
            "isi_density: got a neuron without noise; its intervals are all the same: read rate"
        )
    t, mean = np.asarray(t, float) - neuron.tau_rp, 1 / rate - neuron.tau_rp
    first = int(groups[0].first[0])
    walk = Walk(drift, noise, edges, first, _CELLS)
    if walk.climb > _FORGETFUL:
        return intervals.poisson(t, 1 / mean)
    # where the density is judged, besides where it is asked for
    at = np.append(t.ravel(), np.geomspace(1e-3, 10, 200) * mean)
    before = better = None
    # cells in which drift beats noise would blur the density
    cells = _CELLS * int(np.clip(np.ceil(walk.steepest), 1, _MOST))
    for _ in range(_HALVINGS):
        if (edges.size - 1) * cells > _MOST:
            raise ConvergenceError(
                "isi_density: too little noise for the grid; its intervals are nearly all the same"
            )
        walk = Walk(drift, noise, edges, first, cells)
        nodes, values, left = intervals.Survival(walk, mean, rtol / 10).density()
        f = intervals.tabulated(at, nodes, values, left)
        if before is not None:
            last, better = better, f + (f - before) / 3
            if last is not None and np.abs(better - last).max() <= rtol * values[:, 0].max():
                break
        before, cells = f, 2 * cells
    else:
        raise ConvergenceError(f"isi_density: the accuracy of {rtol:g} is not reached")
    return np.maximum(better[: t.size], 0.0).reshape(t.shape)


class Walk:
    """L on a grid, in the form that :class:`intervals.Survival` takes.

    Parameters
    ----------
    drift, noise : callable
        A and B² as functions of v of shape (1, m).
    edges : ndarray
        Panels from far below the reset to the threshold.
    first : int
        The edge that is the reset.
    cells : int
        Into which every panel is divided.
    """

    high = low = 1  # what the operator reaches

    def __init__(self, drift, noise, edges, first, cells):
        parts = np.arange(cells) / cells
        v = np.append((edges[:-1, None] + np.diff(edges)[:, None] * parts).ravel(), edges[-1])
        h = np.diff(v)

        def at(function, v):
            return np.broadcast_to(function(v[None]), (1, v.size))[0]

        middle = v[:-1] + h / 2
        slope = -2 * at(drift, v) / at(noise, v)
        rise = h * (slope[:-1] + slope[1:] - 8 * at(drift, middle) / at(noise, middle)) / 6
        self.size, self.reset = v.size - 1, first * cells
        self.climb, self.steepest = float(rise[self.reset :].sum()), float(np.abs(rise).max())
        # half a cell beyond the lowest node: nothing leaves there
        around = (h + np.append(h[0], h[:-1])) / 2
        half = at(noise, v[:-1]) / 2 / around
        self.up = half / h * _bernoulli(rise)
        self.down = np.append(0.0, half[1:] / h[:-1] * _bernoulli(-rise[:-1]))
        width = edges[-1] - edges[first]
        pace = at(noise, v) / width**2 + np.abs(at(drift, v)) / width
        self.rates = (float(pace[self.reset :].max()),)
        # from the threshold down, as Survival has it
        self.banded = np.zeros((4, self.size))
        self.banded[2] = -(self.up + self.down)[::-1]
        self.banded[3, :-1] = self.up[:-1][::-1]
        self.banded[1, 1:] = self.down[1:][::-1]

    def start(self):
        """The chance not to have fired at time zero."""
        return np.ones(self.size)

    def distance(self, x):
        """The largest of the differences x."""
        return float(np.abs(x).max())

    def apply(self, x):
        """L x; x is zero at the threshold."""
        above, below = np.append(x[1:], 0.0), np.append(x[0], x[:-1])
        return self.up * (above - x) + self.down * (below - x)

    def at_reset(self, x):
        """x at the reset."""
        return float(x[self.reset])


def _bernoulli(x):
    """x/(e^x − 1)."""
    x = np.clip(x, -700, 700)
    return np.where(np.abs(x) < 1e-5, 1 - x / 2, x / np.where(x == 0, 1.0, np.expm1(x)))
