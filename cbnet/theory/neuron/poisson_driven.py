"""What a neuron under stationary Poisson arrivals does, whatever its arrivals are called."""

from dataclasses import replace

import numpy as np

from ...errors import ConvergenceError, ParameterError
from ...support.threads import one_thread
from .white.first_passage import inaccurate, known


class PoissonDriven:
    """A neuron whose drift and noise are functions of v and of arrays of inputs.

    Which arrays its inputs are, each with one row an input, is the matter of a subclass, which has
    ``drift(*inputs, rows=slice(None))``, ``squared_noise`` and ``slope`` of the drift alike:
    functions of v of shape (rows, m) in SI units; ``jump_fields(*inputs)``, of JumpProcess;
    ``filtered_membrane(*inputs, row=0)``; and ``restricted(rows)``, itself for some inputs.

    Attributes
    ----------
    threshold, reset, tau_rp : float
        In V, V, s.
    method : Method
    noise : str
        Its name.
    frozen_at : float
        For ``"effective"``: the potential (V) at which B² is taken; NaN for halfway from μ to θ.
    affine : bool
        Whether the drift is a straight line in v.
    """

    frozen_at = np.nan

    def frozen(self, *inputs):
        """Where the noise is frozen, and B² there."""
        at = np.full(len(inputs[0]), self.frozen_at)
        if np.isnan(self.frozen_at):
            mu = self.rest(*inputs)[0]
            at = (np.where(np.isnan(mu), self.threshold, mu) + self.threshold) / 2
        return at, self.squared_noise(*inputs)(at[:, None])[:, 0]

    def rest(self, *inputs):
        """Root μ of the drift and −1/A'(μ), NaN where there is none."""
        A, dA = self.drift(*inputs), self.slope(*inputs)
        start = np.full((len(inputs[0]), 1), self.reset)
        if self.affine:
            slope = dA(start)
            mu = np.where(slope < 0, start - A(start) / np.where(slope < 0, slope, -1.0), np.nan)
        else:
            mu = self._stable_root(A, start)
            slope = dA(np.where(np.isnan(mu), start, mu))
        tau = np.where((slope < 0) & ~np.isnan(mu), -1 / np.where(slope < 0, slope, -1.0), np.nan)
        return mu[:, 0], tau[:, 0]

    def _stable_root(self, A, start):
        """The root nearest the reset below the threshold with drift towards it on both sides."""
        width = self.threshold - self.reset
        v = np.broadcast_to(
            np.linspace(self.reset - 10 * width, self.threshold, 1101), (len(start), 1101)
        )
        up = A(v) > 0
        stable = up[:, :-1] & ~up[:, 1:]
        distance = np.where(stable, np.abs(v[:, :-1] - self.reset), np.inf)
        k, row = distance.argmin(1), np.arange(len(start))
        low, high = v[row, k][:, None], v[row, k + 1][:, None]
        for _ in range(60):
            middle = (low + high) / 2
            rising = A(middle) > 0
            low, high = np.where(rising, middle, low), np.where(rising, high, middle)
        return np.where(stable.any(1)[:, None], low, np.nan)

    @one_thread
    def answer(self, inputs, rtol, cv, moments):
        """First-passage statistics for a sequence of arrays of inputs: a Passage.

        Raises
        ------
        ConvergenceError
            With the best Passage.
        ParameterError
            If the drift at the threshold is no finite number.
        """
        rtol = self.method.rtol if rtol is None else rtol
        if not self.affine:
            self._check_drift(inputs)
        with np.errstate(all="ignore"):  # what is no number is found below
            try:
                found = self._possible(self.method.passage(self, inputs, rtol, cv, moments))
            except ConvergenceError as failure:
                failure.best = self._possible(failure.best)
                raise
        lost = np.isinf(found.error)
        if lost.any() and not self.method.formula:
            raise ConvergenceError(inaccurate(rtol, np.inf, found.note), best=found)
        return found

    def _possible(self, found):
        """The same answer; its error is infinite where it cannot be one, or says nothing."""
        most = (1 + 1e-9) / self.tau_rp if self.tau_rp > 0 else np.inf
        wrong = ~(found.rate <= most) | ~(found.rate >= 0)
        # not asked for, or undefined
        wrong |= (found.cv < 0) | np.isinf(found.cv) | (found.v_sd < 0) | np.isinf(found.v_sd)
        wrong |= found.v_mean > self.threshold + 1e-9 * abs(self.threshold)
        error = np.where(wrong, np.inf, found.error)
        # that of a formula is its distance to what it approximates, however far that is
        return replace(found, error=error if self.method.formula else known(error))

    def _check_drift(self, inputs):
        """Refuse exponentials that overflow below the threshold."""
        with np.errstate(over="ignore", invalid="ignore"):
            at = np.full((len(inputs[0]), 1), self.threshold)
            drift = self.drift(*inputs)(at)
        if not np.isfinite(drift).all():
            raise ParameterError(
                f"theta: got {self.threshold * 1e3:.5g} mV, where the drift is larger than floats "
                "hold; take a lower threshold"
            )
