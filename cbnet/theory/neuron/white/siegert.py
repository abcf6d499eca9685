"""The leaky integrate-and-fire neuron with constant noise in closed form, and rare escapes."""

import numpy as np
from scipy.special import dawsn

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_PANELS = 8  # of a barrier
# ∫₀ˣ erfcx = ln(1 + √π x)/√π + G(t), t = (x − c)/(x + c): G is smooth up to x = ∞. Its Chebyshev
# coefficients are mpmath's with 30 digits; the next one is 1e-17.
_MIDDLE = 1.5
_CHEBYSHEV = (
    0.10660110985366504,
    0.12301838493101553,
    0.0074770551477798099,
    -0.0074122109873006142,
    0.0013808017692026197,
    -0.00010828731997120224,
    2.6246433770428171e-5,
    -1.0896043287699778e-5,
    1.4909098958229222e-6,
    -1.6422356598361791e-7,
    1.0136001048656421e-7,
    -1.8664687043773749e-8,
    8.4008904208361214e-10,
    -1.1230197793493797e-9,
    2.4590984438170761e-10,
    9.7537730279211367e-12,
    1.5431072188704312e-11,
    -3.4608596189553874e-12,
    -6.0157190228765348e-13,
    -2.8870218407588594e-13,
    4.7327628307567017e-14,
    1.9969021505982175e-14,
    7.4782932732565117e-15,
    -3.2669521064665529e-16,
    -5.5339507298765967e-16,
    -2.3533678846310011e-16,
    -2.0459294200809222e-17,
)


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
    Eq. 21). Above the mean erfcx(−y) = 2e^{y²} − erfcx(y): Dawson's integral is the first part,
    whose exponential is kept apart. What is left on both sides of the mean is one integral of erfcx
    from abs(θ − μ)/σ to abs(V_r − μ)/σ, for which there is a Chebyshev series.

    Examples
    --------
    >>> round(float(rate(-0.0665, 0.02, 0.0050679138**2 / 0.02, -0.055, -0.065, 0.002)), 6)
    0.327814
    """
    mu, tau, B2, threshold, reset, tau_rp = np.broadcast_arrays(
        *(np.asarray(x, float) for x in (mu, tau, B2, threshold, reset, tau_rp))
    )
    # Less noise than this changes no digit: the mean decides, and y stays finite.
    sigma = np.maximum(np.sqrt(tau * B2), 1e-14 * (threshold - reset))
    low, high = (reset - mu) / sigma, (threshold - mu) / sigma
    top, up = np.maximum(high, 0.0), np.maximum(low, 0.0)
    unit = np.exp(-(top**2))  # times are multiplied by it: they overflow otherwise
    climb = dawsn(top)
    above = up > 0
    if above.any():
        climb = climb - np.where(above, np.exp((up - top) * (up + top)) * dawsn(up), 0.0)
    period = tau_rp * unit + tau * (
        2 * np.sqrt(np.pi) * climb + unit * _integral(np.abs(high), np.abs(low))
    )
    return unit / period


def _integral(start, stop):
    """√π ∫ erfcx from `start` to `stop`, both non-negative, in either order."""
    ends = np.stack([start, stop])
    t = (ends - _MIDDLE) / (ends + _MIDDLE)
    twice = 2 * t
    later, last, following = np.zeros_like(t), np.full_like(t, _CHEBYSHEV[-1]), np.empty_like(t)
    for coefficient in _CHEBYSHEV[-2:0:-1]:  # Clenshaw's recurrence, in place
        np.multiply(twice, last, out=following)
        following -= later
        following += coefficient
        later, last, following = last, following, later
    smooth = t * last - later
    root = np.sqrt(np.pi)
    # the difference of two logarithms, from the lower end: it may be tiny, or all but cancel 1
    low, high = np.minimum(start, stop), np.maximum(start, stop)
    logarithm = np.log1p(root * (high - low) / (1 + root * low))
    return np.copysign(logarithm, stop - start) + root * (smooth[1] - smooth[0])


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
    With Ψ' = −2A/B²,  ν = −A(θ)/B²(θ) · √(−B²(μ)A'(μ)/π) · e^{Ψ(μ) − Ψ(θ)}: Kramers, Physica 7,
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
