"""How the efficacy a changes with the in-degree K."""

import functools

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

from ..errors import ConvergenceError, ParameterError
from ..parameters import POPULATIONS, nearest, to_quantity
from . import _methods
from ._jump_process import momentum
from ._line import SILENT
from ._neuron import Neuron
from ._roots import all_roots
from .response import rates_in_hertz
from .self_consistency import solve

LAWS = ("sqrt", "inverse", "log", "preserving")
REFERENCE_NU_X = 20.0  # Hz: external rate of the network whose response is preserved
_SMALLEST = 1e-12  # efficacy
_TINY = 1e-9  # efficacy at which jumps are read off the strings as proportional to it


def scale(params, law, K, noise=None, r_E=None, r_I=None, rate=None):
    """Parameters at another in-degree, with the efficacy following a law.

    Parameters
    ----------
    params : Parameters
        Its K and a are where the law starts.
    law : {"sqrt", "inverse", "log", "preserving"}
        a ∝ 1/√K; a ∝ 1/K; a ∝ 1/ln K; or the a at which a neuron keeps its rate Φ(r_E, r_I; K, a).
    K : int
        The new in-degree.
    noise : {"shot", "diffusion", "effective"}, optional
        For ``"preserving"``: how Φ is computed; finite jumps for instantaneous synapses if not
        given.
    r_E, r_I : Quantity, optional
        For ``"preserving"``: the inputs at which Φ is kept; those of the network's fixed point at
        an external rate of 20 Hz, with the K and a of `params`, if not given.
    rate : Quantity, optional
        For ``"preserving"``: the rate to keep at `r_E` and `r_I`; Φ at the K and a of `params` if
        not given.

    Returns
    -------
    Parameters
        The same with other K and a. Where the populations have an a of their own, both change by
        the same factor (``"preserving"`` keeps the response of E).

    Raises
    ------
    ParameterError
        For an unknown law, an in-degree that cannot be used, or a response that no a gives.

    Notes
    -----
    A. Sanzeni, M. H. Histed and N. Brunel, Phys. Rev. X 12, 011044 (2022), Secs. III and IV. Where
    several a give the same rate, the one followed continuously from the K and a of `params` is
    taken. The logarithmic law needs K > 1.

    Examples
    --------
    >>> import cbnet
    >>> round(cbnet.load("conductance").scaled("sqrt", K=4000).a, 6)
    0.00075
    """
    if law not in LAWS:
        raise ParameterError(
            f"law: got {law!r}; expected one of {', '.join(LAWS)} ({nearest(str(law), LAWS)})"
        )
    K = params.model.entry("K", "K").parse(K, "K")
    for population in POPULATIONS:
        if f"{population}.K" in params.changes:
            raise ParameterError(
                f"{population}.K: got an in-degree of population {population} alone; scaling "
                "changes K of both; set K for both"
            )
    explicit = {"r_E": r_E, "r_I": r_I, "rate": rate}
    if law != "preserving":
        given = [name for name, value in explicit.items() if value is not None]
        if given:
            raise ParameterError(f"{given[0]}: got it with law={law!r}; only 'preserving' takes it")
    values = params.resolve("E")
    _check_used(params, values)
    K_0, a_0 = values["K"], values["a"]
    if law == "sqrt":
        factor = np.sqrt(K_0 / K)
    elif law == "inverse":
        factor = K_0 / K
    elif law == "log":
        if min(K, K_0) < 2:
            raise ParameterError(f"K: got {K} from {K_0}; law='log' needs both above 1")
        factor = np.log(K_0) / np.log(K)
    else:
        factor = _preserving(params, K, _methods.choose(noise, params), explicit) / a_0
    changed = {"K": K, "a": float(a_0 * factor)}
    for population in POPULATIONS:
        own = f"{population}.a"
        if own in params.changes:
            changed[own] = float(params.changes[own] * factor)
    if "E.a" in params.changes:
        # what is left for I, unless it has its own
        changed["a"] = float(params.resolve("I")["a"] * factor)
    return params.replace(**changed)


def _check_used(params, values):
    """Refuse a model whose jumps do not depend on a."""
    neuron = Neuron(params)
    theta = np.array([neuron.threshold])
    halved = {**values, "a": 0.5 * values["a"]}
    halved |= params.model.derive(halved)
    for name in ("jump_E", "jump_I"):
        before, after = (neuron.reduced.function(name, v)(theta) for v in (values, halved))
        if before != after:
            return
    raise ParameterError(
        f"law: got model {params.model.name!r}, whose synapses do not depend on a; state their "
        "strength in terms of a, or change K and it with replace()"
    )


def _preserving(params, K, method, explicit):
    """The efficacy at in-degree K that gives the rate to be kept."""
    noise, rtol = method.name, method.rtol
    if not method.network:
        raise ParameterError(f"noise: got {noise!r} for law='preserving'; expected 'diffusion'")
    inputs = [explicit["r_E"], explicit["r_I"]]
    if (inputs[0] is None) != (inputs[1] is None) or (
        inputs[0] is None and explicit["rate"] is not None
    ):
        raise ParameterError(
            "r_E: got some of r_E, r_I and rate; law='preserving' needs r_E and r_I, or none"
        )
    values = params.resolve("E")
    if inputs[0] is None:
        r_E, r_I, rate = _reference(params, noise)
    else:
        r_E, r_I = (
            _one_rate(params, value, name)
            for name, value in zip(("r_E", "r_I"), inputs, strict=True)
        )
        if explicit["rate"] is None:
            rate = _rates(params, noise, values["K"], np.array([values["a"]]), r_E, r_I, rtol)[0]
        else:
            rate = _one_rate(params, explicit["rate"], "rate")
    most = 1 / values["tau_rp"] if values["tau_rp"] > 0 else np.inf
    if not SILENT < rate < most:
        raise ParameterError(
            f"rate: got {rate:.4g} Hz at r_E = {r_E:.4g} Hz, r_I = {r_I:.4g} Hz; expected a rate "
            f"above {SILENT:g} Hz and below 1/tau_rp; choose other inputs"
        )
    # where rates take milliseconds, three decades at a time: a changes little over them
    decades = abs(np.log10(K / values["K"])) / (3 if method.costly else 1)
    steps = max(1, int(np.ceil(decades)))
    a = values["a"]
    for k in np.geomspace(values["K"], K, steps + 1)[0 if explicit["rate"] is not None else 1 :]:
        if method.costly:
            a = _nearby(params, noise, k, a, r_E, r_I, rate, rtol)
            if a is None:
                raise _no_efficacy(K, k, rate, r_E, r_I)
            continue
        roots = all_roots(
            lambda a, rtol, k=k: a * _rates(params, noise, k, a, r_E, r_I, rtol) / rate,
            _SMALLEST,
            1.0,
            rtol,
        )
        if not roots:
            raise _no_efficacy(K, k, rate, r_E, r_I)
        a = min((root.rates[0] for root in roots), key=lambda found: abs(np.log(found / a)))
    return a


def _no_efficacy(K, k, rate, r_E, r_I):
    return ParameterError(
        f"K: got {K}; no efficacy gives {rate:.4g} Hz at r_E = {r_E:.4g} Hz, r_I = {r_I:.4g} Hz "
        f"once K = {k:.4g}; choose other inputs or another law"
    )


def _nearby(params, noise, K, a, r_E, r_I, rate, rtol):
    """The efficacy nearest to `a` with the rate to be kept, or None."""
    most = 1.0 / max(params.resolve("E")["g"], 1.0) if "g" in params.model.entries else 1.0

    def excess(x, tol):
        found = _rates(params, noise, K, np.array([np.exp(x)]), r_E, r_I, tol)[0]
        return float(np.clip(np.log(max(found, 1e-300) / rate), -50, 50))

    low, high = np.log(_SMALLEST), np.log(0.999 * most)
    x, step = np.clip(np.log(a), low, high), 0.02
    before = excess(x, 1e-2)
    if abs(before) < rtol:
        before = excess(x, rtol)
        if before == 0:
            return float(np.exp(x))
    # a rate grows with the efficacy below threshold, which is where it needs to be kept
    for direction in (-np.sign(before), np.sign(before)):
        at, value, step = x, before, 0.02
        while low < at < high or at == x:
            following = float(np.clip(at + direction * step, low, high))
            next_value = excess(following, 1e-2)
            if next_value * before <= 0:
                ends = sorted((at, following))
                ends = ends[0] - 0.01, min(ends[1] + 0.01, high)
                # ln ν changes C/a times as fast as ln a
                fine = 5 * rtol
                if excess(ends[0], fine) * excess(ends[1], fine) > 0:
                    return None
                return float(np.exp(brentq(excess, *ends, args=(fine,), xtol=rtol * 1e-3)))
            if following == at or abs(next_value) >= 50 and abs(value) >= 50:
                break
            at, value, step = following, next_value, 1.6 * step
    return None


def _rates(params, noise, K, a, r_E, r_I, rtol):
    """Φ of an E neuron for an array of efficacies."""
    neuron = Neuron(params, "E", noise, columns={"K": np.full(a.shape, float(K)), "a": a})
    inputs = np.full(a.shape, float(r_E)), np.full(a.shape, float(r_I))
    try:
        return neuron.passage(*inputs, rtol, cv=False).rate
    except ConvergenceError as error:
        return error.best.rate


@functools.lru_cache(maxsize=32)
def _reference(params, noise):
    """Inputs and rate of an E neuron in the network at the reference external rate."""
    nu_X = to_quantity(REFERENCE_NU_X, "Hz")
    own = {f"{p}.nu_X": nu_X for p in POPULATIONS if f"{p}.nu_X" in params.changes}
    solution = solve(params.replace(nu_X=nu_X, **own), noise=noise)
    rate_E, rate_I = (np.asarray(x, float) for x in (solution.rate_E, solution.rate_I))
    active = np.flatnonzero(solution.stable & (rate_E > SILENT))
    if not active.size:
        raise ParameterError(
            f"law: got 'preserving', but the network is silent at nu_X = {REFERENCE_NU_X:g} Hz, "
            f"K = {params.resolve('E')['K']}, a = {params.resolve('E')['a']:g}; give r_E and r_I"
        )
    k = active[0]
    return REFERENCE_NU_X + rate_E[k], rate_I[k], rate_E[k]


def exponent(params, eta, noise="shot", population="E"):
    """C of the rate ν ~ K √a e^{−C/a} that is left of a neuron below threshold for large K.

    Parameters
    ----------
    params : Parameters
        Of the neuron; its K and a do not enter.
    eta : float
        Ratio r_I/r_E of the rates of its inputs.
    noise : {"shot", "diffusion"}
        Finite jumps, or white noise. They differ at leading order.
    population : {"E", "I"}
        Whose parameters.

    Returns
    -------
    float
        Zero where the mean input is at or above the threshold.

    Raises
    ------
    ParameterError
        If jumps do not depend on a, or `eta` cannot be used.

    Notes
    -----
    With jumps a h_E and a h_I to first order in a, μ the root of h_E + γη h_I and no leak (for
    large K it does not count),

        C_shot = ∫_μ^θ q dv,   e^{q h_E} − 1 + γη (e^{q h_I} − 1) = 0,  q ≠ 0,
        C_diffusion = −∫_μ^θ 2 (h_E + γη h_I)/(h_E² + γη h_I²) dv.

    A response that is kept has C/a = ln K + ½ ln a + constant, so that a ln K tends to C, slowly.

    Examples
    --------
    >>> import cbnet
    >>> from cbnet.theory import scaling
    >>> round(scaling.exponent(cbnet.load("conductance"), 0.8), 6)
    0.004744
    """
    if noise not in ("shot", "diffusion"):
        raise ParameterError(f"noise: got {noise!r}; expected 'shot' or 'diffusion'")
    if not (np.isfinite(eta) and eta >= 0):
        raise ParameterError(f"eta: got {eta}; expected a finite ratio of at least 0")
    neuron = Neuron(params, population)
    _check_used(params, neuron.values)
    values = {**neuron.values, "a": _TINY}
    values |= params.model.derive(values)
    h_E, h_I = (neuron.reduced.function(f"jump_{name}", values) for name in POPULATIONS)
    ratio, theta = values["gamma"] * eta, neuron.threshold

    def mean(v):
        return float(h_E(v) + ratio * h_I(v)) / _TINY

    if mean(theta) >= 0:
        return 0.0
    width = theta - neuron.reset
    low = theta - width
    while mean(low) < 0:
        width *= 2
        low = theta - width
        if width > 1e6:
            return float("inf")
    mu = brentq(mean, low, theta, xtol=1e-15)

    def slope(v):
        E, I = (np.array([float(h(v)) / _TINY]) for h in (h_E, h_I))  # noqa: E741
        if noise == "diffusion":
            return float((-2 * (E + ratio * I) / (E**2 + ratio * I**2))[0])
        return float(momentum(0.0 * E, E, I, 1.0, ratio)[0])

    return float(quad(slope, mu, theta, epsabs=1e-14, epsrel=1e-10)[0])


def local_slope(params, eta, noise="shot", population="E"):
    """d ln K/d(1/a) of the efficacy that keeps a rate: C + a/2, at the a of `params`."""
    return exponent(params, eta, noise, population) + params.resolve(population)["a"] / 2


def limit_slope(params, c, noise="shot"):
    """ν/ν_X of a network of identical neurons with a = c/ln K as K → ∞.

    The input ratio settles where a neuron neither falls silent nor saturates, C(η*) = c, and
    ν/(ν_X + ν) = η*: a line of slope η*/(1 − η*), which is not that of the balance line.

    Parameters
    ----------
    params : Parameters
        Of the network; its K and a do not enter.
    c : float
        a ln K.
    noise : {"shot", "diffusion"}
        As for :func:`exponent`.

    Returns
    -------
    float
        Infinite where C stays below c for every η < 1: no inhibition that the network can have
        holds the rate down.

    Examples
    --------
    >>> import cbnet
    >>> from cbnet.theory import scaling
    >>> params = cbnet.load("conductance")
    >>> round(scaling.limit_slope(params, scaling.exponent(params, 0.8)), 6)
    4.0
    """
    if not (np.isfinite(c) and c > 0):
        raise ParameterError(f"c: got {c}; expected a finite number above 0")
    if exponent(params, 1.0, noise) <= c:
        return float("inf")
    eta = brentq(lambda eta: exponent(params, eta, noise) - c, 0.0, 1.0, xtol=1e-13)
    return float(eta / (1 - eta))


def _one_rate(params, value, name):
    if name == "rate" and isinstance(value, str):
        return float(params.model.entry("r_E", name).parse(value, name))
    array = rates_in_hertz(params, value, name)
    if array.ndim:
        raise ParameterError(f"{name}: got {array.size} values; expected one")
    return float(array)
