"""A neuron of one population as the numerical theory sees it."""

from dataclasses import replace

import numpy as np

from ...errors import ConvergenceError, ParameterError
from ...model import reduced
from ...support.threads import one_thread
from . import treatments
from .white.first_passage import inaccurate, known


class Neuron:
    """A neuron of one population as the numerical theory sees it: SI floats, arrays of inputs.

    Parameters
    ----------
    params : Parameters
        Values and strings.
    population : {"E", "I"}
        Whose values.
    noise : str
        How fluctuations are treated: a name of :data:`treatments.METHODS`.
    frozen_at : float
        For ``"effective"``: the potential (V) at which B² is taken; NaN for halfway from μ to θ.
    columns : dict of str to ndarray, optional
        Parameters that differ from input to input, in place of those of `params`.
    """

    def __init__(self, params, population="E", noise="diffusion", frozen_at=np.nan, columns=None):
        self.values = params.resolve(population)
        self.columns = {}
        if columns:
            rows = [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ]
            rows = [{**row, **params.model.derive({**self.values, **row})} for row in rows]
            self.columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        self.reduced = reduced.of_model(params.model, self.values)
        self.taus = self.reduced.time_constants(self.values)
        self.method = treatments.choose(noise, params)
        self.noise, self.frozen_at = self.method.name, frozen_at
        self.tau_rp = self.values["tau_rp"]
        values = {**self.values, "R_E": 0.0, "R_I": 0.0}
        self.threshold, self.reset = (
            float(self.reduced.constant(name, _numbers(values))) for name in ("threshold", "reset")
        )

    def bound(self, r_E, r_I, rows=slice(None)):
        """Values with the total arrival rates of some rows of the inputs, as columns."""
        values = self.values | {name: x[rows, None] for name, x in self.columns.items()}
        return {
            **values,
            "R_E": values["K"] * r_E[rows, None],
            "R_I": values["gamma"] * values["K"] * r_I[rows, None],
        }

    def frozen(self, r_E, r_I):
        """Where the noise is frozen, and B² there."""
        at = np.full(r_E.shape, self.frozen_at)
        if np.isnan(self.frozen_at):
            mu = self.rest(r_E, r_I)[0]
            at = (np.where(np.isnan(mu), self.threshold, mu) + self.threshold) / 2
        return at, self.reduced.function("B2", self.bound(r_E, r_I))(at[:, None])[:, 0]

    def rest(self, r_E, r_I):
        """Root μ of the drift and −1/A'(μ), NaN where there is none."""
        values = self.bound(r_E, r_I)
        A, dA = (self.reduced.function(name, values) for name in ("A", "dA"))
        start = np.full((len(r_E), 1), self.reset)
        if self.reduced.affine:
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
    def passage(self, r_E, r_I, rtol=None, cv=True, moments=False):
        """First-passage statistics for arrays of inputs in Hz: a Passage.

        Raises
        ------
        ConvergenceError
            With the best Passage.
        ParameterError
            If the drift at the threshold is no finite number.
        """
        r_E, r_I = (np.ravel(x) for x in np.broadcast_arrays(r_E, r_I))
        rtol = self.method.rtol if rtol is None else rtol
        if not self.reduced.affine:
            self._check_drift(r_E, r_I)
        with np.errstate(all="ignore"):  # what is no number is found below
            try:
                found = self._possible(self.method.passage(self, r_E, r_I, rtol, cv, moments))
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

    def _check_drift(self, r_E, r_I):
        """Refuse exponentials that overflow below the threshold."""
        with np.errstate(over="ignore", invalid="ignore"):
            at = np.full((len(r_E), 1), self.threshold)
            drift = self.reduced.function("A", self.bound(r_E, r_I))(at)
        if not np.isfinite(drift).all():
            raise ParameterError(
                f"theta: got {self.threshold * 1e3:.5g} mV, where the drift is larger than floats "
                "hold; take a lower threshold"
            )


def _numbers(values):
    return {name: value for name, value in values.items() if not isinstance(value, str)}
