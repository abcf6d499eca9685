"""How the rate of one neuron follows a modulation of its arrivals, jump by jump.

With y(v) the mean of (1 − e^(−λT))/λ, T the time from v to the threshold, L the generator of leak
and jumps and y = 0 wherever a jump lands at or above the threshold,

    (L − λ) y = −1,    Q = (1 − e^(−λτ_rp))/λ + e^(−λτ_rp) y(V_r),
    H_k = −R_k ⟨y(v + h_k) − y(v)⟩/Q,

the average over the stationary density below the threshold; 1 − λQ is the transform of the
intervals. It tells how far the response to white noise (:mod:`_linear_response`) is from this one:
on an even grid, leak upwind, on two grids of which the second is twice as fine, or, where a few
percent do not matter, on the coarse one alone.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from ....model.parameters import POPULATIONS
from ..white.linear_response import Answer

_PER_JUMP = 4  # cells of a coarse grid in the smaller jump at the threshold
_FEWEST, _MOST = 300, 20_000  # cells of a coarse grid
_REACH = 8.0  # standard deviations of the free membrane


class JumpResponse:
    """A neuron under Poisson input whose arrivals are modulated, as of :class:`LinearResponse`.

    Parameters
    ----------
    neuron : Neuron
    r_E, r_I : float
        Rates of each of its inputs, Hz.
    rough : bool
        Whether the coarse grid alone will do, a tenth of the work.

    Raises
    ------
    ValueError
        If no grid holds the neuron.
    """

    def __init__(self, neuron, r_E, r_I, rough=False):
        inputs = np.array([float(r_E)]), np.array([float(r_I)])
        self._values = {k: x[0, 0] if np.ndim(x) else x for k, x in neuron.bound(*inputs).items()}
        self._neuron, self._tau_rp = neuron, neuron.tau_rp
        mu, tau = (float(x[0]) for x in neuron.rest(*inputs))
        theta, reset = neuron.threshold, neuron.reset
        B2 = neuron.reduced.function("B2", self._values)
        at = np.array([mu if mu < theta else theta])
        sd = float(np.sqrt(tau * B2(at)[0] / 2))
        low = min(mu, reset) - _REACH * sd
        jumps = [float(neuron.reduced.function(f"jump_{p}", self._values)(np.array([theta]))[0])
                 for p in POPULATIONS]  # fmt: skip
        smallest = min(abs(h) for h in jumps if h != 0)
        cells = int(np.clip(_PER_JUMP * (theta - low) / smallest, _FEWEST, _MOST))
        self._grids = [_Grid(self, low, cells * k) for k in ((1,) if rough else (1, 2))]

    def __call__(self, lam):
        """The response per arrival rate of either kind at complex λ: an Answer without a pole."""
        lam = np.atleast_1d(np.asarray(lam, complex)).ravel()
        each = [np.array([grid.respond(x) for x in lam]) for grid in self._grids]
        found = (2 * each[-1] - each[0]).T  # the leak is of first order
        return Answer(found[:2], found[2], np.ones(lam.size, complex), np.zeros(lam.size))


class _Grid:
    def __init__(self, of, low, n):
        neuron, values = of._neuron, of._values
        dx = (neuron.threshold - low) / n
        self._v = low + dx * (np.arange(n) + 0.5)
        self._tau_rp = of._tau_rp
        leak = neuron.reduced.function("leak", values)(self._v) / dx
        row = np.arange(n)
        up, down = np.maximum(leak, 0), np.maximum(-leak, 0)
        down[0] = 0
        generator = sparse.diags([-(up + down), up[:-1], down[1:]], [0, 1, -1], format="csc")
        self._moves, self._rates = [], []
        for p in POPULATIONS:
            jump = neuron.reduced.function(f"jump_{p}", values)(self._v) / dx
            to = np.clip(row + jump, 0.0, None)
            first = np.floor(to).astype(int)
            part = to - first
            column = np.concatenate([first, first + 1])
            weight = np.concatenate([1 - part, part])
            inside = column < n
            move = sparse.csc_matrix(
                (weight[inside], (np.tile(row, 2)[inside], column[inside])), shape=(n, n)
            ) - sparse.identity(n, format="csc")
            self._moves.append(move)
            self._rates.append(float(values[f"R_{p}"]))
            generator = generator + self._rates[-1] * move
        self._generator = generator.tocsc()
        # the reset lies between two centres
        where = (neuron.reset - self._v[0]) / dx
        k = int(np.floor(where))
        if not 0 <= k < n - 1:
            raise ValueError("reset: got one within a cell of the threshold")
        self._reset = np.zeros(n)
        self._reset[k], self._reset[k + 1] = 1 - (where - k), where - k
        time = splu(self._generator)
        weights = -time.solve(self._reset, trans="T")
        self._density = weights / (weights.sum() + self._tau_rp)

    def respond(self, lam):
        n = self._v.size
        matrix = self._generator - complex(lam) * sparse.identity(n, format="csc")
        y = splu(matrix.tocsc()).solve(np.full(n, -1.0 + 0j))
        wait = np.exp(-lam * self._tau_rp)
        held = self._tau_rp if lam == 0 else (1 - wait) / lam
        Q = held + wait * (self._reset @ y)
        gain = [-(self._density @ (move @ y)) / Q for move in self._moves]
        return [*gain, 1 - lam * Q]
