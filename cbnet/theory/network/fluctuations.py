"""Spontaneous fluctuations of a finite network in a stable state."""

import numpy as np
from scipy.integrate import trapezoid

from .line import SILENT

_HIGHEST = 4000.0  # Hz: for a bin of 1 ms what lies beyond weighs less than 1e-2 of its excess
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_RTOL = 1e-4
_ROUNDS = 14


def cross_spectra(feedback, f, N, shares):
    """Spectra and cross-spectra of the populations' activity, spikes per time and neuron.

    Parameters
    ----------
    feedback : Feedback
    f : ndarray, shape (n,)
        In Hz.
    N : float
        Neurons; infinity for those that share no input.
    shares : ndarray, shape (P,)
        Of the populations among them.

    Returns
    -------
    ndarray of complex, shape (n, P, P)
        N times C = (1 − M)⁻¹ D (1 − M)⁻†, in Hz; two-sided.

    Notes
    -----
    D_p N_p is the spectrum of a renewal process less Σ abs(g φ)² K²/N_q ν_q over the links: what
    neurons that share inputs have in common is in the feedback already.
    """
    # a renewal process has a finite spectrum at zero frequency, but 0/0 in its formula
    gain, interval, *_ = feedback.gains(2j * np.pi * np.maximum(f, 1e-3))
    rates = feedback.rates
    own = rates * (1 - np.abs(interval) ** 2) / np.abs(1 - interval) ** 2
    for k, link in enumerate(feedback.links):
        shared = link.number / (N * shares[link.source])
        power = np.abs(gain[:, k]) ** 2 * link.number
        own[:, link.target] -= power * shared * rates[link.source]
    spread = np.linalg.inv(np.eye(rates.size) - feedback.assemble(gain))
    # however many neurons there are, the spectrum per neuron stays
    return np.einsum("fpq,fq,frq->fpr", spread, own / shares, spread.conj())


def spectrum(feedback, f, N, shares):
    """Power spectra of the populations' spike trains, per neuron, shape (n, P), in Hz; two-sided.

    Parameters as of :func:`cross_spectra`.
    """
    return np.einsum("fpp->fp", cross_spectra(feedback, f, N, shares)).real * shares


def rough_fano_factor(feedback, N, shares, width):
    """The same to about a per cent, from few frequencies: to compare responses with."""
    f = np.concatenate([np.linspace(0.5, 20, 8), np.geomspace(25, _HIGHEST, 40)])
    excess = spectrum(feedback, f, N, shares) / feedback.rates - 1
    excess = excess * np.sinc(f * width)[:, None] ** 2
    return 1 + 2 * width * trapezoid(excess, f, axis=0)


def fano_factor(rough, fine, N, shares, width):
    """Variance over mean of the populations' counts in bins.

    Parameters
    ----------
    rough, fine : Feedback
        The same network on two grids, to estimate the error.
    N, shares
        As for :func:`cross_spectra`.
    width : float
        Of a bin, s.

    Returns
    -------
    fano : ndarray, shape (P,)
        NaN for a silent population.
    error : float
        Estimated, relative.
    """
    firing = rough.rates > SILENT
    scale = np.where(firing, rough.rates, np.nan)
    edges = np.concatenate([[0.0], np.geomspace(1.0, _HIGHEST, 30)])
    low, high = edges[:-1], edges[1:]

    def integrals(feedback, low, high):
        f = (low + high)[:, None] / 2 + (high - low)[:, None] / 2 * _NODES
        excess = spectrum(feedback, f.ravel(), N, shares) / scale - 1
        excess *= np.sinc(f.ravel() * width)[:, None] ** 2
        parts = excess.reshape(len(low), len(_NODES), shares.size) * _WEIGHTS[:, None]
        return width * parts.sum(1) * (high - low)[:, None]

    value = integrals(rough, low, high)
    total, uncertain = np.ones(shares.size), np.zeros(shares.size)
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        ends = np.concatenate([low, middle]), np.concatenate([middle, high])
        halves = integrals(rough, *ends)
        first, second = np.split(halves, 2)
        gap = np.abs(first + second - value)
        level = _RTOL * np.nanmax(np.abs(1 + np.nansum(value, 0))) / len(low)
        good = np.all(~(gap > level), axis=1)
        total = total + (first + second)[good].sum(0)
        uncertain = uncertain + gap[good].sum(0)
        if good.all():
            break
        low, high = (np.concatenate([e[: len(good)][~good], e[len(good) :][~good]]) for e in ends)
        value = np.concatenate([first[~good], second[~good]])
    else:
        total, uncertain = total + value.sum(0), uncertain + np.abs(value).sum(0)
    # where the grid matters most: at the frequency of the largest fluctuations
    f = np.geomspace(1.0, _HIGHEST, 60)
    one, other = (spectrum(x, f, N, shares) for x in (rough, fine))
    with np.errstate(divide="ignore", invalid="ignore"):  # clocks have no power between harmonics
        grid = np.nanmax(np.abs(one - other)[:, firing] / np.abs(other)[:, firing], initial=0.0)
    return total, float(max(np.nanmax(uncertain / total), grid))
