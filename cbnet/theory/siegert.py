"""The leaky integrate-and-fire neuron with constant noise in closed form, and rare escapes."""

import numpy as np
from scipy.special import dawsn, erfcx

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_PANELS = 8


@np.errstate(under="ignore")
def rate(mu, tau, B2, threshold, reset, tau_rp):
    """Firing rate for dv = −(v − μ)/τ dt + B dW with constant B².

    Parameters
    ----------
    mu, tau, B2, threshold, reset, tau_rp : float or ndarray
        In V, s, V²/s, V, V and s; they broadcast.

    Returns
    -------
    ndarray
        In Hz, to about 1e-13 relative.

    Notes
    -----
    With σ² = τB² and y = (v − μ)/σ,

        1/ν = τ_rp + τ√π ∫ erfcx(−y) dy    from the reset to the threshold

    (Siegert, Phys. Rev. 81, 617 (1951); Ricciardi 1977; Brunel, J. Comput. Neurosci. 8, 183 (2000),
    Eq. 21). Below the mean erfcx is integrated numerically, above it erfcx(−y) = 2e^{y²} − erfcx(y)
    and Dawson's integral is the first part, whose exponential is kept apart.

    Examples
    --------
    >>> round(float(rate(-0.0665, 0.02, 0.0050679138**2 / 0.02, -0.055, -0.065, 0.002)), 6)
    0.327814
    """
    mu, tau, B2, threshold, reset, tau_rp = np.broadcast_arrays(
        *(np.asarray(x, float) for x in (mu, tau, B2, threshold, reset, tau_rp))
    )
    shape = mu.shape
    mu, tau, B2, threshold, reset, tau_rp = (
        x.ravel() for x in (mu, tau, B2, threshold, reset, tau_rp)
    )
    # Less noise than this changes no digit: the mean decides, and y stays finite.
    sigma = np.maximum(np.sqrt(tau * B2), 1e-14 * (threshold - reset))
    low, high = (reset - mu) / sigma, (threshold - mu) / sigma
    top = np.maximum(high, 0.0)
    unit = np.exp(-(top**2))  # times are multiplied by it: they overflow otherwise
    up = np.maximum(low, 0.0)
    climb = 2 * (dawsn(top) - np.exp(up**2 - top**2) * dawsn(up))
    # the rest is of one sign on each side of the mean
    below = _integral(np.maximum(-high, 0.0), np.maximum(-low, 0.0))
    above = _integral(up, top)
    period = tau_rp * unit + tau * np.sqrt(np.pi) * (climb + unit * (below - above))
    return (unit / period).reshape(shape)


def _integral(start, stop):
    """∫ erfcx over non-negative intervals, in s = ln(1 + y), which makes its long tail short."""
    a, b = np.log1p(start), np.log1p(stop)
    h = (b - a) / _PANELS
    edges = a[:, None] + h[:, None] * np.arange(_PANELS)
    s = edges[..., None] + h[:, None, None] * (_NODES + 1) / 2
    return np.sum(erfcx(np.expm1(s)) * np.exp(s) * _WEIGHTS, axis=(1, 2)) * h / 2


@np.errstate(under="ignore")
def kramers(drift, noise, drift_slope, mu, threshold):
    """Rate of rare escapes from the resting potential μ over the threshold.

    Parameters
    ----------
    drift, noise, drift_slope : callable
        A, B² and A' as functions of v of shape (N, m).
    mu, threshold : ndarray, shape (N,)
        In V.

    Returns
    -------
    ndarray, shape (N,)
        In Hz; NaN unless the drift points down everywhere between μ and the threshold. Within 5 %
        below 0.1 Hz for the reference neurons.

    Notes
    -----
    With Ψ' = −2A/B²,  ν = |A(θ)|/B²(θ) · √(B²(μ)|A'(μ)|/π) · e^{Ψ(μ) − Ψ(θ)}: Kramers, Physica 7,
    284 (1940), for an absorbing threshold on a slope.
    """
    mu, threshold = np.atleast_1d(mu), np.atleast_1d(threshold)
    below = mu < threshold  # False for an undefined μ
    safe = np.where(below, mu, threshold - 1.0)
    gap = threshold - safe
    edges = safe[:, None] + gap[:, None] * np.arange(_PANELS) / _PANELS
    width = (gap / _PANELS)[:, None, None]
    v = (edges[..., None] + width * (_NODES + 1) / 2).reshape(mu.size, -1)
    A, B2 = (np.broadcast_to(f(v), v.shape) for f in (drift, noise))
    top = threshold[:, None]
    ends = [np.broadcast_to(f(top), top.shape)[:, 0] for f in (drift, noise)]
    well = [np.broadcast_to(f(safe[:, None]), top.shape)[:, 0] for f in (noise, drift_slope)]
    usable = below & (B2 > 0).all(1) & (A < 0).all(1) & (ends[0] < 0)
    B2 = np.where(usable[:, None], B2, 1.0)
    barrier = np.sum(
        (-2 * A / B2).reshape(mu.size, _PANELS, -1) * _WEIGHTS * width / 2, axis=(1, 2)
    )
    prefactor = np.abs(ends[0]) / np.where(usable, ends[1], 1.0)
    prefactor *= np.sqrt(well[0] * np.abs(well[1]) / np.pi)
    escape = prefactor * np.exp(-np.clip(barrier, 0, 745))
    quiet = below & ~(B2 > 0).all(1)
    return np.where(usable, escape, np.where(quiet, 0.0, np.nan))
