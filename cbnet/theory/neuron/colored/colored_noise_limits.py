"""Approximations for synapses with time constants, by name, each with the range it is good for.

All take a :class:`~cbnet.theory.neuron.colored.filtered_membrane.Membrane` and return a rate in Hz;
outside of their range they warn. Errors are those that random neurons within the range do not
exceed (``python -m benchmarks.formulas``); outside of it none is known.
"""

from dataclasses import dataclass

import numpy as np

from ....errors import warn
from ..white import first_passage
from .colored_noise import of_neuron

ALPHA = 2.0653  # √2 |ζ(1/2)|, of a threshold that a filtered walk approaches
_ORDERS = 16  # of Hermite polynomials of two currents
_STILL = 0.7  # of its pull around the mean that the drift has at the threshold
# Largest relative error of the rate within the range.
WITHIN = {"fast": 0.2, "shift": 0.2, "rescaled": 0.15, "adiabatic": 0.12, "rice": 0.5}


def _warn(name, range_):
    warn(
        f"noise: got {name!r} outside of its range; it is good for {range_}: use 'colored'",
    )


def fast(membrane, outside=_warn):
    """Rate for τ_S ≪ τ: white noise, with threshold and reset moved up.

    θ and V_r are raised by (α/2) √(B²(v) τ_S), α = √2 abs(ζ(1/2)), each with its own B², and V_r by
    e^(−τ_rp/τ_S) of that only: the current that made the spike decays while v is held. The drift is
    that of Stratonovich. Two filters enter as one of the same B² and the same variance of the
    current, τ_S = B²/Σ (B_i²/τ_i).

    Range: τ_i ≤ 0.2 τ, of a size (within a factor of two), with one arrival or more in each, θ − μ
    at most 1.75 sd of the free v and θ − V_r at least one. Within it at most 20 % of the rate off;
    further below the threshold it is soon twice the rate, and ten times.

    References
    ----------
    N. Brunel and S. Sergi, J. Theor. Biol. 195, 87 (1998); N. Fourcaud and N. Brunel, Neural
    Comput. 14, 2057 (2002), Eq. 4.12.
    """
    return _alone(_of_fast(membrane, outside))


def _of_fast(membrane, outside):
    tau_S = _one_filter(membrane, membrane.threshold)
    kept = np.exp(-membrane.tau_rp / tau_S) if tau_S > 0 else 0.0
    return _shifted("fast", membrane, kept, outside)


def shift(membrane, outside=_warn):
    """Rate for τ_S ≪ τ as it is most often published: threshold and reset moved up alike.

    As :func:`fast`, but the reset is raised in full, as for τ_rp ≪ τ_S. It is here to be compared
    with what others computed (J. Schuecker, M. Diesmann and M. Helias, Phys. Rev. E 92, 052119
    (2015); NNMT's method "shift"); CVs are those of white noise between the two.
    """
    return _alone(_of_shift(membrane, outside))


def _of_shift(membrane, outside):
    return _shifted("shift", membrane, 1.0, outside)


def _shifted(name, membrane, kept, outside):
    """White noise between raised ends, the lower by part of its shift; None if v cannot get up."""
    mu, tau = membrane.rest()
    ends = np.array([membrane.threshold, membrane.reset])
    B2 = _white(membrane, ends)
    tau_S = _one_filter(membrane, membrane.threshold)
    short, long = min(membrane.taus), max(membrane.taus)
    few = any(0 < R * t < 1 for R, t in zip(membrane.rates, membrane.taus, strict=True))
    sd = _free_sd(membrane, mu)
    far = membrane.threshold - mu > 1.75 * sd or ends[0] - ends[1] < sd
    if long > 0.2 * tau or long > 2 * short or few or far:
        outside(
            name,
            "tau_E and tau_I of a size, at most 0.2 of the membrane's, with an arrival or more in "
            "each, mu at most 1.75 sd below the threshold and V_r at least one",
        )
    theta, V_r = ends + ALPHA / 2 * np.sqrt(B2 * tau_S) * np.array([1.0, kept])
    if V_r >= theta:
        outside(name, "a shift that leaves the reset below the threshold")
        V_r = theta - 1e-3 * (ends[0] - ends[1])
    white = _white(membrane, np.linspace(V_r, theta, 50))
    if np.any(white == 0) and np.any(white > 0):
        # no noise carries v past its own reversal potential
        outside(name, "a shifted threshold below the reversal potential of excitation")
        return None
    return _White(membrane, None, theta, V_r)


def rescaled(membrane, outside=_warn):
    """Rate with white noise made as strong as leaves the free membrane its variance.

    B_i² is multiplied by τ/(τ + τ_i). Range: μ at least three sd of the free v above θ, and V_r at
    least one below; within it at most 15 % of the rate off. Below the threshold it is some times
    too high, as no white noise knows how rarely a smooth v crosses.
    """
    return _alone(_of_rescaled(membrane, outside))


def _of_rescaled(membrane, outside):
    mu, tau = membrane.rest()
    sd = _free_sd(membrane, mu)
    if mu < membrane.threshold + 3 * sd or membrane.threshold - membrane.reset < sd:
        outside("rescaled", "mu at least three sd above the threshold, and V_r at least one below")
    weights = [tau / (tau + tau_i) if np.isfinite(tau) else 1.0 for tau_i in membrane.taus]
    return _White(membrane, weights, membrane.threshold, membrane.reset)


def adiabatic(membrane, outside=_warn):
    """Rate for τ_S ≫ τ: Gaussian currents y that stand still while v moves, for a time T(y).

    They go on while v is held. The density p of those that are not held obeys

        L p = (1 − e^(L τ_rp)) p/T,    ∫ p + ν τ_rp = 1,    ν = ∫ p/T,

    with L of two Ornstein-Uhlenbeck processes, diagonal in Hermite polynomials: p is those times
    T/(T + τ_rp) of the Gaussian. For τ_rp ≪ τ_S the rate is the mean of 1/(τ_rp + T).

    Range: τ_i ≥ 10 τ and μ ≥ θ; within it at most 12 % of the rate off. Below the threshold it is
    soon some times too high: τ ≪ τ_S is not enough, v must follow within a visit.

    References
    ----------
    R. Moreno-Bote and N. Parga, Phys. Rev. Lett. 92, 028102 (2004), for τ_rp ≪ τ_S.
    """
    mu, tau = membrane.rest()
    if min(membrane.taus) < 10 * tau or mu < membrane.threshold:
        outside("adiabatic", "tau_S at least 10 times the membrane's, and mu above the threshold")
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    rate = np.stack([1 / (membrane.tau_rp + _passage_time(membrane, nodes, z)) for z in nodes], 1)
    flux = weights[:, None] * weights * rate
    orders = np.array([(n, m) for n in range(_ORDERS) for m in range(_ORDERS - n)])
    norm = np.sqrt(np.cumprod(np.append(1.0, np.arange(1, _ORDERS))))
    H = np.polynomial.hermite_e.hermevander(nodes, _ORDERS - 1) / norm
    basis = H[:, None, orders[:, 0]] * H[None, :, orders[:, 1]]
    S = np.tensordot(basis * flux[..., None], basis, ([0, 1], [0, 1]))
    decay = orders[1:] @ (1 / np.array(membrane.taus))
    held = membrane.tau_rp + np.expm1(-decay * membrane.tau_rp) / decay
    found = []
    for most in (_ORDERS // 2, _ORDERS):
        k = np.flatnonzero(orders[1:].sum(1) < most)
        matrix = np.eye(k.size) - held[k, None] * S[1 + k[:, None], 1 + k]
        found.append(S[0, 0] + S[0, 1 + k] @ np.linalg.solve(matrix, held[k] * S[1 + k, 0]))
    # p has a kink where T begins to be finite, and what is cut off falls as the root of the order
    coarse, fine = found
    return float(fine + (fine - coarse) / (np.sqrt(2) - 1))


def _passage_time(membrane, y_E, y_I):
    """Time from the reset to the threshold with currents that stand still, infinite if never."""
    x, w = np.polynomial.legendre.leggauss(40)
    # towards the threshold, where v slows down, in ever shorter panels
    edges = np.concatenate([[0], 1 - 2.0 ** -np.arange(1, 31), [1]])
    s = (edges[:-1, None] + np.diff(edges)[:, None] * (x + 1) / 2).ravel()
    ds = (np.diff(edges)[:, None] * w / 2).ravel()
    width = membrane.threshold - membrane.reset
    v = membrane.reset + width * s
    F, (n_E, n_I) = membrane.drift(v), membrane.amplitudes(v)
    u = F + n_E * y_E[:, None] + n_I * y_I
    ends = np.array([membrane.threshold])
    at_end = membrane.drift(ends) + sum(
        n * y for n, y in zip(membrane.amplitudes(ends), (y_E, y_I), strict=True)
    )
    up = (u.min(1) > 0) & (at_end > 0)  # what comes to rest at the threshold never reaches it
    T = np.full(len(y_E), np.inf)
    T[up] = width * np.sum(ds / u[up], axis=1)
    return T


def rice(membrane, outside=_warn):
    """Rate at which the free, Gaussian membrane crosses the threshold upwards.

    Around μ with the fluctuations halfway to θ, sd² = Σ n_i² τ² τ_i/(τ + τ_i):
    ν = √(Var V'/Var V)/2π · exp(−(θ − μ)²/2 sd²), less the refractory time. No reset.

    Range: τ_i from τ to 10 τ with ten arrivals or more in each, θ − μ from two to three sd,
    θ − V_r at least one, and a drift that still pulls at θ with 0.7 of the strength that it has
    around μ (a spike upstroke does not); within it at most 50 % of the rate off. Further away the
    tails of v are not Gaussian; slower synapses make bursts, of which only the first spike is an
    upcrossing.

    References
    ----------
    S. O. Rice, Bell Syst. Tech. J. 24, 46 (1945); T. Tchumatchenko et al., Phys. Rev. Lett. 104,
    058102 (2010).
    """
    mu, tau = membrane.rest()
    gap = membrane.threshold - mu
    sd = _free_sd(membrane, mu)
    few = any(0 < R * t < 10 for R, t in zip(membrane.rates, membrane.taus, strict=True))
    other = min(membrane.taus) < tau or max(membrane.taus) > 10 * tau
    near = membrane.threshold - membrane.reset < sd
    pull = -float(membrane.drift(np.array([membrane.threshold]))[0]) * tau
    if other or few or near or not (2 * sd <= gap <= 3 * sd and pull >= _STILL * gap):
        outside(
            "rice",
            "tau_S from the membrane's to ten times that, with ten arrivals or more in it, mu two "
            "to three sd below the threshold and V_r at least one, without a spike upstroke",
        )
    if not (np.isfinite(tau) and sd > 0):
        return 0.0  # no crossings from below: at rest, or carried through
    n = membrane.amplitudes(np.array((min(mu, membrane.threshold) + membrane.threshold) / 2))
    slope = np.sqrt(sum(n_i**2 * tau / (tau + t) for n_i, t in zip(n, membrane.taus, strict=True)))
    rate = slope / sd / (2 * np.pi) * np.exp(-min((gap / sd) ** 2 / 2, 700.0))
    return float(rate / (1 + rate * membrane.tau_rp))


def passage_of(rate_of):
    """A formula in the form of the table of methods: rates, with the error known of its range."""

    def passage(neuron, inputs, rtol=None, cv=False, moments=False):
        size = len(inputs[0])
        left, rates, error = [], np.empty(size), np.full(size, WITHIN[rate_of.__name__])
        cvs, whites = np.full(size, np.nan), [None] * size
        for row in range(size):
            count = len(left)
            membrane = of_neuron(neuron, inputs, row, 2 if rate_of is adiabatic else None)
            if rate_of in _WHITE_NOISE:
                whites[row] = _WHITE_NOISE[rate_of](membrane, lambda *words: left.append(words))
            else:
                rates[row] = rate_of(membrane, lambda *words: left.append(words))
            if len(left) > count:
                error[row] = np.inf
        if rate_of in _WHITE_NOISE:
            rates, own = _together(whites, cv and rate_of is shift)
            cvs = own if rate_of is shift else cvs
        # whoever looks for a fixed point asks for rates alone: most are not its own
        if left and (cv or moments):
            _warn(*left[0])
        note = ""
        if left:
            some = "" if size == 1 else f" at {len(left)} of {size} inputs"
            note = f"outside of its range{some}: error not known"
        nothing = np.full(len(rates), np.nan)
        return first_passage.Passage(rates, cvs, error, nothing, nothing, note)

    passage.__doc__ = rate_of.__doc__
    return passage


def _white(membrane, v, weights=None):
    """Σ w_i R_i h_i², of equal weights if none are given."""
    parts = zip(weights or [1.0] * len(membrane.taus), membrane.rates, membrane.jumps, strict=True)
    return sum(w * R * h(v) ** 2 for w, R, h in parts)


def _one_filter(membrane, v):
    v = np.array(v)
    parts = zip(membrane.rates, membrane.taus, membrane.jumps, strict=True)
    variance = sum(R * h(v) ** 2 / tau for R, tau, h in parts)
    return float(_white(membrane, v) / variance) if variance > 0 else 0.0


def _free_sd(membrane, mu):
    """Sd of v without threshold, for fluctuations halfway between μ and θ."""
    return membrane.free_sd((min(mu, membrane.threshold) + membrane.threshold) / 2)


@dataclass(frozen=True)
class _White:
    """White noise of weighted strength between two ends, with the drift of Stratonovich."""

    membrane: object
    weights: list | None
    threshold: float
    reset: float

    def noise(self, v):
        """B²(v)."""
        return _white(self.membrane, v, self.weights)

    def drift(self, v):
        """A(v)."""
        step = 1e-4 * (self.membrane.threshold - self.membrane.reset)
        return self.membrane.drift(v) + (self.noise(v + step) - self.noise(v - step)) / (8 * step)


_WHITE_NOISE = {fast: _of_fast, shift: _of_shift, rescaled: _of_rescaled}


def _alone(white):
    return float(_together([white], False)[0][0])


def _together(whites, cv):
    """Rates of several, zero for None, and their CVs."""
    rates, cvs = np.zeros(len(whites)), np.full(len(whites), np.nan)
    some = [k for k, white in enumerate(whites) if white is not None]
    if not some:
        return rates, cvs
    asked = [whites[k] for k in some]

    def select(rows):
        mine = [asked[row] for row in rows]

        def of(name):
            return lambda v: np.stack(
                [getattr(one, name)(x) for one, x in zip(mine, v, strict=True)]
            )

        return of("drift"), of("noise")

    ends = (np.array([getattr(one, name) for one in asked]) for name in ("threshold", "reset"))
    tau_rp = asked[0].membrane.tau_rp
    found = first_passage.solve(None, None, *ends, tau_rp, 1e-6, cv=cv, select=select)
    rates[some], cvs[some] = found.rate, found.cv
    return rates, cvs
