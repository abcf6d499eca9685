"""The response of a network along a line: the rate of E given, that of I following."""

import numpy as np

from ...errors import ConvergenceError, ParameterError
from ...model.parameters import POPULATIONS
from ..neuron import renewal
from ..neuron.neuron import Neuron

# What does not enter the theory: populations that differ in nothing else are one to the solver.
IRRELEVANT = {"D_min", "D_max", "law", "CV_K", "r_E", "r_I"}
# Φ(ν_X, 0) below this (Hz) counts as silence.
SILENT = 1e-6
HIGHEST = 1e6  # Hz, where nothing but the membrane limits the rate (no refractory time)
_FLOOR = 1e-30  # Hz: rarer spikes than these count as this many
_STEPS = 60


class Transfer:
    """Φ of one population as a function of the recurrent rates, in Hz.

    Parameters
    ----------
    neuron : Neuron
    """

    def __init__(self, neuron):
        self.neuron, self.nu_X = neuron, neuron.values["nu_X"]
        self.highest = 1 / neuron.tau_rp if neuron.tau_rp > 0 else HIGHEST

    def __call__(self, nu_E, nu_I, rtol):
        """Rates.

        Raises
        ------
        ConvergenceError
            If one of them is no number.
        """
        rate = self.estimate(nu_E, nu_I, rtol)[0]
        if np.isnan(rate).any():
            worst = np.unravel_index(int(np.argmax(np.isnan(rate))), np.shape(rate))
            raise unknown(self.neuron.noise, nu_E[worst])
        return rate

    def estimate(self, nu_E, nu_I, rtol):
        """Rates and their estimated relative errors; the best ones where `rtol` is out of reach.

        What a formula approximates is not asked here: its own rates are exact.
        """
        try:
            passage = self.neuron.passage(self.nu_X + nu_E, nu_I + 0 * nu_E, rtol, cv=False)
        except ConvergenceError as error:
            passage = error.best  # its error counts in the answer, if a root is near
        error = np.zeros(passage.rate.shape) if self.neuron.method.formula else passage.error
        return tuple(np.reshape(each, np.shape(nu_E)) for each in (passage.rate, error))


class Line:
    """ln Φ_E − ln ν_E where ν_I = Φ_I, as a function of x = ln ν_E: zero at a fixed point.

    The rate of I that reproduces itself is found by a bracketed secant; Φ_I must fall with it. For
    populations with the same parameters ν_I is ν_E.

    Parameters
    ----------
    params : Parameters
    noise : str
        A name of :data:`_methods.METHODS`.
    trains : {"poisson", "renewal"}
        What recurrent spike trains are like.
    """

    def __init__(self, params, noise, trains="poisson"):
        self.neurons = {p: Neuron(params, p, noise) for p in POPULATIONS}
        self.alike = set(params.differing()) <= IRRELEVANT
        if trains == "renewal":
            if not self.alike:
                raise ParameterError(
                    "trains: got 'renewal' for populations that differ; expected the same "
                    "parameters; use trains='poisson'"
                )
            self.neurons = {p: renewal.Renewed(n) for p, n in self.neurons.items()}
        self.E, self.I = (Transfer(neuron) for neuron in self.neurons.values())

    def __call__(self, x, rtol, guess=None):
        """The excess at an array of x.

        Parameters
        ----------
        x : ndarray, shape (N,)
        rtol : float
            Accuracy of rates.
        guess : ndarray, shape (N,), optional
            Where to look for ln ν_I first.

        Returns
        -------
        excess, z, error : ndarray, shape (N,)
            ln Φ_E − x, ln ν_I, and the estimated error of the former; NaN where a rate is not
            known.
        """
        x = np.asarray(x, float)
        nu = np.exp(x)
        if self.alike:
            z, unsure = x, 0.0
        else:
            z, unsure = self.nullcline(nu, rtol, x if guess is None else guess)
        rate, error = np.full(x.shape, np.nan), np.full(x.shape, np.inf)
        some = np.flatnonzero(np.isfinite(z))
        if some.size:
            rate[some], error[some] = self.E.estimate(nu[some], np.exp(z[some]), rtol)
        return _log(rate) - x, z, error + unsure

    def nullcline(self, nu, rtol, guess):
        """ln ν_I that reproduces itself next to given ν_E (NaN if not known), and its error."""
        low, high = np.full(nu.shape, np.log(SILENT)), np.full(nu.shape, np.log(self.I.highest))
        z = np.clip(guess, low, high)
        g, error = np.zeros(nu.shape), np.zeros(nu.shape)
        before = np.full(nu.shape, np.nan), np.full(nu.shape, np.nan)
        slope = np.full(nu.shape, -2.0)
        todo = np.arange(nu.size)
        for _ in range(_STEPS):
            rate, error[todo] = self.I.estimate(nu[todo], np.exp(z[todo]), rtol)
            g[todo] = _log(rate) - z[todo]
            up = g > 0
            low, high = np.where(up, np.fmax(low, z), low), np.where(up, high, np.fmin(high, z))
            with np.errstate(invalid="ignore", divide="ignore"):
                secant = (g - before[1]) / (z - before[0])
            # Φ_I falls with its own rate, so that the slope is below −1
            slope = np.where(np.isfinite(secant), np.clip(secant, -1e3, -1.0), slope)
            before = z.copy(), g.copy()
            step = -g / slope
            silent = ~up & (z <= np.log(SILENT))
            done = (np.abs(step) <= rtol / 4) | silent | (high - low <= rtol / 4)
            new = z + step
            outside = (new <= low) | (new >= high)
            # what may be silent is seen at the lowest rate
            middle = np.where(low <= np.log(SILENT), np.maximum(low, high - 4), (low + high) / 2)
            new = np.where(outside, np.where(g < 0, middle, (low + high) / 2), new)
            z[todo] = np.where(done, np.where(silent, z, z + step), new)[todo]
            lost = np.isnan(g)
            z[lost], error[lost] = np.nan, np.inf
            todo = todo[~(done | lost)[todo]]
            if not todo.size:
                break
        quiet = np.flatnonzero((z <= np.log(SILENT)) & (g < 0))
        if quiet.size:
            rate, error[quiet] = self.I.estimate(nu[quiet], np.zeros(quiet.size), rtol)
            z[quiet] = np.minimum(_log(rate), np.log(SILENT))
        return z, error


def unknown(noise, nu):
    """The error of a network whose rates are not known where they are needed."""
    return ConvergenceError(
        f"noise: got {noise!r}, with which no rate is known of a neuron of this network, whose own "
        f"rate is {float(nu):.3g} Hz, so that its states cannot be told; take another noise"
    )


def _log(rate):
    return np.log(np.maximum(rate, _FLOOR))
