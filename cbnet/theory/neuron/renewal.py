"""Presynaptic trains that are more regular, or more irregular, than Poisson."""

import numpy as np

from ...errors import ConvergenceError, ParameterError
from .white import first_passage, white_noise
from .white.first_passage import Passage

NOISES = ("shot", "diffusion")
_ROUNDS = 60
_QUIET = 1e-6  # Hz: slower trains are Poisson to any membrane
_START = 0.8  # CV


def noise_factor(rate, cv, tau_rp, tau):
    """Noise of a renewal train that reaches a membrane, over that of a Poisson train.

    Parameters
    ----------
    rate, cv : ndarray
        Of the train, in Hz.
    tau_rp, tau : float or ndarray
        Refractory time of the train's neuron, and time constant of the membrane, in s.

    Returns
    -------
    ndarray

    Notes
    -----
    Input of the spectrum S(ω) gives a membrane of time constant τ the variance that white noise of
    the intensity ν F would give, with

        F = ∫ S(ω)/ν (τ/π)/(1 + ω²τ²) dω = 1 + 2 [f/(1 − f) − ν τ],

    f the mean of e^(−T/τ) over the intervals T. They are taken as a refractory time and a gamma
    distribution of the given rate and CV. F goes from CV² for τ ≫ 1/ν to 1 for τ ≪ 1/ν.

    Examples
    --------
    >>> from cbnet.theory.neuron.renewal import noise_factor
    >>> [round(float(noise_factor(40.0, 0.5, 0.002, tau)), 3) for tau in (1e-4, 0.02, 10.0)]
    [0.992, 0.413, 0.25]
    """
    rate, cv, tau = np.broadcast_arrays(*(np.asarray(x, float) for x in (rate, cv, tau)))
    active = (rate > _QUIET) & (cv > 0) & (tau > 0)
    nu, c, t = np.where(active, rate, 1.0), np.where(active, cv, 1.0), np.where(active, tau, 1.0)
    free = np.maximum(1 / nu - tau_rp, 1e-6 / nu)
    spread = (c / nu) ** 2
    # ln f: shape free²/spread, scale spread/free
    log_f = -tau_rp / t - free**2 / spread * np.log1p(spread / free / t)
    with np.errstate(under="ignore", over="ignore"):
        # 1/(e^x − 1) − νt: nothing cancels that matters until ν t is 1e7
        renewals = 1 / np.expm1(-log_f) - nu * t
    return np.where(active, np.clip(1 + 2 * renewals, 0.0, None), 1.0)


class Renewed:
    """A neuron whose recurrent input comes from neurons like itself.

    It stands in for a :class:`Neuron` whose inputs are r_E = ν_X + ν and r_I = ν: recurrent trains
    have its own CV, external ones are Poisson.
    """

    def __init__(self, neuron):
        if neuron.noise not in NOISES:
            raise ParameterError(
                f"trains: got 'renewal' with noise={neuron.noise!r}; expected {' or '.join(NOISES)}"
            )
        self._neuron = self.plain = neuron

    def __getattr__(self, name):
        return getattr(self._neuron, name)

    def passage(self, r_E, r_I, rtol=None, cv=True, moments=False):
        """As for :class:`Neuron`, with rate and CV that agree with those of the input."""
        neuron = self._neuron
        r_E, r_I = (np.ravel(x).astype(float) for x in np.broadcast_arrays(r_E, r_I))
        asked = neuron.method.rtol if rtol is None else rtol
        fine = min(asked, 1e-6)
        tau = neuron.rest(r_E, r_I)[1]
        recurrent = np.minimum(r_E, r_I)
        own = np.full(r_E.size, _START)
        for _ in range(_ROUNDS):
            factor = noise_factor(r_I, own, neuron.tau_rp, tau)
            reduced = r_E - (1 - factor) * recurrent, factor * r_I
            found = self._white(r_E, r_I, reduced, fine, False)
            # a neuron too quiet to have a CV is a Poisson process
            following = np.where(np.isfinite(found.cv), found.cv, 1.0)
            change = np.abs(following - own)
            own = (own + following) / 2
            if change.max() < asked / 4:
                break
        found = self._white(r_E, r_I, reduced, fine, moments)
        error = np.fmax(found.error, change)
        answer = Passage(found.rate, found.cv, error, found.v_mean, found.v_sd)
        if neuron.noise == "shot":
            answer = self._corrected(answer, r_E, r_I, rtol, fine, cv, moments)
        return answer

    def _white(self, r_E, r_I, reduced, rtol, moments):
        """White noise with the drift of some rates and the strength of others."""
        neuron = self._neuron

        def select(rows):
            drift, _ = white_noise.select(neuron, r_E, r_I)(rows)
            return drift, neuron.reduced.function("B2", neuron.bound(*reduced, rows))

        threshold = np.full(r_E.size, neuron.threshold)
        try:
            return first_passage.solve(
                None, None, threshold, neuron.reset, neuron.tau_rp, rtol, moments, select=select
            )
        except ConvergenceError as failure:
            return failure.best

    def _corrected(self, reduced, r_E, r_I, rtol, fine, cv, moments):
        """Finite jumps times what the reduction does to white noise."""
        poisson = self._white(r_E, r_I, (r_E, r_I), fine, moments)
        try:
            jumps = self._neuron.passage(r_E, r_I, rtol, cv, moments)
            failed = None
        except ConvergenceError as failure:
            jumps, failed = failure.best, failure
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(poisson.rate > 0, reduced.rate / poisson.rate, 1.0)
            most = 1 / self.tau_rp if self.tau_rp > 0 else np.inf
            # saturation stays where it is: the ratio is that of the times to the threshold
            if self.tau_rp > 0 and np.all(poisson.rate < most):
                times = [1 / np.maximum(x.rate, 1e-300) - self.tau_rp for x in (reduced, poisson)]
                passage = 1 / np.maximum(jumps.rate, 1e-300) - self.tau_rp
                rate = 1 / (self.tau_rp + passage * times[0] / times[1])
                rate = np.where(jumps.rate > 0, rate, 0.0)
            else:
                rate = jumps.rate * ratio
            answer = Passage(
                rate,
                jumps.cv * reduced.cv / poisson.cv,
                np.fmax(jumps.error, reduced.error),
                jumps.v_mean + reduced.v_mean - poisson.v_mean,
                jumps.v_sd * reduced.v_sd / poisson.v_sd,
                jumps.note,
            )
        if failed is not None:
            raise ConvergenceError(str(failed), best=answer) from failed
        return answer


class Driven(Renewed):
    """A neuron whose recurrent input comes from neurons that are known.

    Parameters
    ----------
    neuron : Neuron
    share : float
        Of excitatory arrivals that are recurrent.
    trains : sequence of (ndarray, ndarray, float)
        Of E and of I neurons: rates in Hz, CVs, and refractory time in s.
    """

    def __init__(self, neuron, share, trains):
        super().__init__(neuron)
        self._share, self._trains = share, trains

    def passage(self, r_E, r_I, rtol=None, cv=True, moments=False):
        """As for :class:`Neuron`."""
        neuron = self._neuron
        r_E, r_I = (np.ravel(x).astype(float) for x in np.broadcast_arrays(r_E, r_I))
        fine = min(neuron.method.rtol if rtol is None else rtol, 1e-6)
        tau = neuron.rest(r_E, r_I)[1][:, None]
        # a train makes noise in proportion to its rate
        E, I = (  # noqa: E741
            np.average(noise_factor(rate, cv, tau_rp, tau), axis=1, weights=rate)
            if rate.sum() > 0
            else np.ones(r_E.size)
            for rate, cv, tau_rp in self._trains
        )
        found = self._white(r_E, r_I, (r_E * (1 - self._share * (1 - E)), r_I * I), fine, moments)
        if neuron.noise == "shot":
            found = self._corrected(found, r_E, r_I, rtol, fine, cv, moments)
        return found
