"""How the efficacy a changes with the in-degree K."""

import dataclasses
import math

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

from .. import results
from ..errors import ParameterError
from ..model import scaling as laws
from ..model import unused
from ..model.parameters import POPULATIONS
from ..support.threads import one_thread
from . import preserving
from .neuron import treatments
from .neuron.jumps.jump_process import momentum
from .neuron.neuron import Neuron

_LARGEST_K = 1e15
_TINY = 1e-9  # efficacy at which jumps are read off the strings as proportional to it


@one_thread
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

    Warns
    -----
    CbnetWarning
        For ``"preserving"``, names what was set and makes no difference to the efficacy: unequal
        in-degrees, and the rates of a neuron's inputs that are not given here.

    Notes
    -----
    A. Sanzeni, M. H. Histed and N. Brunel, Phys. Rev. X 12, 011044 (2022), Secs. III and IV. Where
    several a give the same rate, the one followed continuously from the K and a of `params` is
    taken. The logarithmic law needs K > 1. For finite jumps at K > 1e6 see :func:`curve`.

    Examples
    --------
    >>> import cbnet
    >>> round(cbnet.load("conductance").scaled("sqrt", K=4000).a, 6)
    0.00075
    """
    K = params.model.entry("K", "K").parse(K, "K")
    explicit = {"r_E": r_E, "r_I": r_I, "rate": rate}
    laws.check(params, law, explicit)
    values = params.resolve("E")
    K_0 = values["K"]
    if law == "preserving":
        _check_value(values)
        unused.tell(params, "the efficacy that keeps the response", _kept, r_E is not None)
        kept = preserving.kept(params, treatments.choose(noise, params), explicit)
        factor = kept.efficacies(np.array([K]))[0][0] / values["a"]
    else:
        factor = laws.factor(law, K_0, K)
    return laws.weaker(params, float(factor)).updated({"K": K})


def _kept(params, at_inputs):
    """What enters the efficacy that keeps a response, or is for the new parameters to hold."""
    left_out = {"law", "CV_K"} | (set() if at_inputs else {"r_E", "r_I"})
    return dict.fromkeys(POPULATIONS, set(params.model.entries) - left_out)


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Scaling(results.Result):
    """The efficacy of E neurons against the in-degree under one law.

    Attributes
    ----------
    K, a : ndarray, shape (n,)
        In-degrees and efficacies.
    slope : ndarray, shape (n,)
        d ln K/d(1/a) of these values, by differences; NaN for a single one. For ``"preserving"`` it
        tends to `exponent`, much sooner than a ln K does.
    local_slope : ndarray, shape (n,)
        C + a/2, what `slope` is once K is large; NaN for other laws.
    exponent : float
        C, for the ratio of the inputs at which the response is kept; NaN for other laws.
    error : ndarray, shape (n,)
        Estimated relative error of a.
    law, noise : str
        The law, and how the response that is kept was computed.
    """

    K: object = results.variable(None, ("in_degree",), "K", "in-degree")
    a: object = results.variable(None, ("in_degree",), "a", "efficacy")
    slope: object = results.variable(None, ("in_degree",), "slope", "d ln K/d(1/a)")
    local_slope: object = results.variable(None, ("in_degree",), "local_slope", "C + a/2")
    exponent: float = results.variable("1", (), "exponent", "C, limit of the slope")
    error: object = results.variable(None, ("in_degree",), "error", "relative error of a")
    law: str = results.variable(None, (), "law", "law that a follows")
    noise: str = results.variable(None, (), "noise", "how fluctuations were treated")


@one_thread
def curve(params, law, K, noise=None, r_E=None, r_I=None, rate=None):
    """The efficacy against the in-degree, up to K = 1e15.

    Parameters
    ----------
    params, law, noise, r_E, r_I, rate
        As for :func:`scale`.
    K : array_like
        In-degrees from 1 to 1e15.

    Returns
    -------
    Scaling

    Raises
    ------
    ParameterError
        As for :func:`scale`.

    Notes
    -----
    The response of finite jumps is solved exactly up to K = 1e6 (or ten times the K of `params`, if
    that is more). Above, spikes are those of large deviations, ν = ρ ν_LD: exponent ∫ q dv with
    finite jumps, Kramers' prefactor, and a factor ρ (0.9 to 1) that joins on continuously, as the
    straight line in a through its last two exact values, since it tends to a constant for a → 0.
    ``noise`` says so, and ``error`` counts what the slope of that line does. Against the exact
    solution at K = 1e9 and 1e12 this is within 5e-4 of a. Where the mean of the inputs is above
    threshold (`exponent` is zero) white noise takes the place of large deviations.

    Examples
    --------
    >>> import cbnet
    >>> from cbnet.theory import scaling
    >>> found = scaling.curve(cbnet.load("conductance"), "sqrt", [1000, 4000])
    >>> [round(float(a), 6) for a in found.a]
    [0.0015, 0.00075]
    """
    K = np.atleast_1d(np.asarray(K, float))
    if not (K.ndim == 1 and K.size and np.all((K >= 1) & (K <= _LARGEST_K))):
        raise ParameterError(f"K: got {K}; expected in-degrees from 1 to {_LARGEST_K:g}")
    explicit = {"r_E": r_E, "r_I": r_I, "rate": rate}
    laws.check(params, law, explicit)
    values = params.resolve("E")
    _check_value(values)
    kept_there = law == "preserving" and (r_E is not None or r_I is not None)
    left_out = unused.tell(params, "scaling.curve", _enters, law, kept_there)
    C, error, shown = float("nan"), np.zeros(K.size), "none"
    if law == "preserving":
        method = treatments.choose(noise, params)
        kept = preserving.kept(params, method, explicit)
        a, error, extrapolated = kept.efficacies(K)
        if kept.r_E > 0:
            treatment = "shot" if method.name in ("shot", "colored") else "diffusion"
            with unused.told():
                C = exponent(params, kept.r_I / kept.r_E, treatment)
        over = "large deviations" if C > 0 else "corrected white noise"
        note = f"{over} for K > {extrapolated:.3g}" if extrapolated else ""
        shown = treatments.describe(method, params, note)
    else:
        a = values["a"] * laws.factor(law, values["K"], K)
    slope = np.full(K.size, np.nan)
    if K.size > 1 and np.all(np.diff(K) > 0):
        # 1/a against ln K is nearly straight
        slope = 1 / np.gradient(1 / a, np.log(K), edge_order=min(2, K.size - 1))
    return Scaling(
        parameters=params,
        K=K,
        a=a,
        slope=slope,
        local_slope=C + a / 2,
        exponent=C,
        error=error,
        law=law,
        noise=shown,
        unused=left_out,
    )


def _enters(params, law, at_inputs):
    """What the efficacy depends on: that of a network is kept at an external rate of its own."""
    if law != "preserving":
        return dict.fromkeys(POPULATIONS, {"K", "a"})
    if at_inputs:
        return unused.of_neuron(params, "E", "r_E", "r_I")
    return {p: names - {"nu_X"} for p, names in unused.of_network(params).items()}


def _check_value(values):
    """Refuse an efficacy that is not known because jumps were set which none gives."""
    if math.isnan(values["a"]):
        raise ParameterError(
            "a: got jumps that were set and that no a gives; set what they follow from, such as "
            "E_E or V_match, or a itself"
        )


@one_thread
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
    unused.tell(params, "scaling.exponent", _of_exponent, population)
    neuron = Neuron(params, population)
    laws.check_used(params)
    _check_value(neuron.values)
    values = laws.weaker(params, _TINY / neuron.values["a"]).resolve(population)
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
        return float(momentum(0.0 * E, (E, I), (1.0, ratio))[0])

    return float(quad(slope, mu, theta, epsabs=1e-14, epsrel=1e-10)[0])


def _of_exponent(params, population):
    names = unused.of_functions(params, population, ("jump_E", "jump_I", "threshold"))
    # K and a are what the exponent is of, the ratio of the inputs is given
    return {population: names | {"gamma", "K", "a", "tau_E", "tau_I", "r_E", "r_I"}}


@one_thread
def local_slope(params, eta, noise="shot", population="E"):
    """d ln K/d(1/a) of the efficacy that keeps a rate: C + a/2, at the a of `params`."""
    return exponent(params, eta, noise, population) + params.resolve(population)["a"] / 2


@one_thread
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
    with unused.told():
        eta = brentq(lambda eta: exponent(params, eta, noise) - c, 0.0, 1.0, xtol=1e-13)
    return float(eta / (1 - eta))
