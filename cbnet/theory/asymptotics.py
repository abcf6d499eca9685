"""What is left of one neuron for large in-degrees: balance, voltage and rare spikes."""

import dataclasses

import numpy as np

from .. import results
from ..errors import ParameterError, warn
from ..model import reduced, unused
from ..model.parameters import POPULATIONS
from ..model.units import to_quantity
from ..support.threads import one_thread
from . import scaling, self_consistency
from .neuron.jumps import jump_process, shot_noise
from .neuron.neuron import Neuron
from .response import in_volts, rates_in_hertz

_STEP = 0.05  # of ln K, for local slopes
_MOST_K = 1e15


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class VoltageScaling(results.Result):
    """The membrane without a threshold against the in-degree, under one scaling law.

    Attributes
    ----------
    K, a : ndarray, shape (n,)
        In-degrees and efficacies.
    r_E, r_I : Quantity, shape (n,)
        Rates of the inputs.
    V_mean, V_sd, tau_eff : Quantity, shape (n,)
        Of the free membrane.
    sd_exponent, tau_exponent : ndarray, shape (n,)
        Local slopes d ln V_sd/d ln K and d ln tau_eff/d ln K.
    law : str
        That the efficacy follows.
    """

    K: object = results.variable(None, ("in_degree",), "K", "in-degree")
    a: object = results.variable(None, ("in_degree",), "a", "efficacy")
    r_E: object = results.variable("Hz", ("in_degree",), "r_E_Hz", "rate of excitatory inputs")
    r_I: object = results.variable("Hz", ("in_degree",), "r_I_Hz", "rate of inhibitory inputs")
    V_mean: object = results.variable("mV", ("in_degree",), "V_mean_mV", "mean free potential")
    V_sd: object = results.variable("mV", ("in_degree",), "V_sd_mV", "its standard deviation")
    tau_eff: object = results.variable("ms", ("in_degree",), "tau_eff_ms", "effective constant")
    sd_exponent: object = results.variable(None, ("in_degree",), "sd_exponent", "of V_sd in K")
    tau_exponent: object = results.variable(None, ("in_degree",), "tau_exponent", "of tau_eff in K")
    law: str = results.variable(None, (), "law", "law that a follows")


@one_thread
def voltage_scaling(
    params, law, K, *, r_E=None, r_I=None, mu=None, noise=None, rate=None, population="E"
):
    """Mean and standard deviation of v and the effective time constant against the in-degree.

    Parameters
    ----------
    params : Parameters
        Its K and a are where the law starts.
    law : {"sqrt", "inverse", "log", "preserving"}
        As for :meth:`Parameters.scaled`.
    K : array_like
        In-degrees from 1 to 1e15.
    r_E, r_I : Quantity, optional
        Rates of each of the inputs, the same at every K; those of `params` if not given.
    mu : Quantity, optional
        In place of `r_I`: inhibition is tuned at every K to hold the mean of v there
        (:func:`tuned_input`).
    noise, rate : optional
        For ``"preserving"``, as for :meth:`Parameters.scaled`.
    population : {"E", "I"}
        Whose parameters.

    Returns
    -------
    VoltageScaling

    Raises
    ------
    ParameterError
        For an unknown law or inputs that cannot be used.

    Notes
    -----
    Without a threshold and refractory time. With μ the root of the drift A and τ = −1/A'(μ), the
    variance is τB²(μ)/2/(1 − bτ/2), b half the curvature of B²: exact for finite jumps and for
    white noise where leak and jumps are straight lines, and the limit of small fluctuations
    elsewhere. For filtered synapses it is Σ_p τB_p²(μ)/2 · τ/(τ + τ_p), right for small
    fluctuations. With a ∝ 1/√K conductances have V_sd ∝ K^(−1/4) and τ_eff ∝ K^(−1/2); currents
    have both constant if their mean is held, which at a fixed ratio of the inputs runs away as √K
    (A. Sanzeni, M. H. Histed and N. Brunel, Phys. Rev. X 12, 011044 (2022), Sec. III).

    Examples
    --------
    >>> import cbnet
    >>> found = cbnet.voltage_scaling(cbnet.load("conductance"), "sqrt", 1e9)
    >>> round(float(found.sd_exponent[0]), 2)
    -0.25
    """
    K = np.atleast_1d(np.asarray(K, float))
    if not (K.ndim == 1 and K.size and np.all((K >= 1) & (K <= _MOST_K))):
        raise ParameterError(f"K: got {K}; expected in-degrees from 1 to {_MOST_K:g}")
    if mu is not None and r_I is not None:
        raise ParameterError("mu: got mu and r_I; mu is held by choosing r_I: give one of them")
    values = params.resolve(population)
    x, y = (
        float(values[name]) if value is None else _one(params, value, name)
        for name, value in (("r_E", r_E), ("r_I", r_I))
    )
    sides = np.stack([np.maximum(K * np.exp(-_STEP), 1.0), K, np.minimum(K * np.exp(_STEP), 1e15)])
    every, where = np.unique(sides, return_inverse=True)
    options = {}
    if law == "preserving":
        options = {"noise": noise, "rate": rate}
        if mu is not None:
            raise ParameterError("mu: got it with law='preserving', which fixes r_I; give r_I")
        if r_E is not None or r_I is not None:
            options |= {"r_E": to_quantity(x, "Hz"), "r_I": to_quantity(y, "Hz")}
    left_out = unused.tell(params, "cbnet.voltage_scaling", _free_membrane, population, law)
    with unused.told():
        a = scaling.curve(params, law, every, **options).a
    factor = values["a"] / params.resolve("E")["a"]  # populations keep their proportion
    neuron = Neuron(params, population, columns={"K": every, "a": a * factor})
    r_E, r_I = np.full(every.size, x), np.full(every.size, y)
    if mu is not None:
        r_I = _tuned(neuron, r_E, float(in_volts(mu, "mu")))
    mean, sd, tau = (part[where].reshape(sides.shape) for part in _free(neuron, r_E, r_I))
    run = np.log(sides[2] / sides[0])
    return VoltageScaling(
        parameters=params,
        K=K,
        a=(a * factor)[where].reshape(sides.shape)[1],
        r_E=to_quantity(r_E[where].reshape(sides.shape)[1], "Hz"),
        r_I=to_quantity(r_I[where].reshape(sides.shape)[1], "Hz"),
        V_mean=to_quantity(mean[1], "mV"),
        V_sd=to_quantity(sd[1], "mV"),
        tau_eff=to_quantity(tau[1], "ms"),
        sd_exponent=np.log(sd[2] / sd[0]) / run,
        tau_exponent=np.log(tau[2] / tau[0]) / run,
        law=law,
        unused=left_out,
    )


def _free_membrane(params, population, law="sqrt"):
    """What an answer about v without a threshold uses."""
    names = unused.of_neuron(params, population, "r_E", "r_I")
    found = reduced.of_model(params.model, params.resolve(population))
    if law != "preserving" and found.affine:  # others look for the mean below the threshold
        ends = unused.of_functions(params, population, ("threshold", "reset"))
        names[population] -= ends | {"tau_rp"}
    return names


@one_thread
def tuned_input(params, mu, r_E=None, *, population="E"):
    """The rate of inhibitory inputs that holds the mean potential at a value.

    Parameters
    ----------
    params : Parameters
        Of the neuron, its K and a included.
    mu : Quantity
        Where the drift is to vanish, without a threshold.
    r_E : Quantity, optional
        Rate of each excitatory input; that of `params` if not given.
    population : {"E", "I"}
        Whose parameters.

    Returns
    -------
    Quantity
        Rate r_I of each of the γK inhibitory inputs.

    Raises
    ------
    ParameterError
        If only a negative rate would do, or inhibition does not move v at `mu`.

    Notes
    -----
    f(μ) + K r_E h_E(μ) + γK r_I h_I(μ) = 0. A current-based neuron whose efficacy goes as 1/√K
    needs it: at a fixed ratio of the inputs its mean goes as √K.

    Examples
    --------
    >>> import cbnet
    >>> from brian2 import mV
    >>> r_I = cbnet.tuned_input(cbnet.load("current"), -60 * mV, "30Hz")
    >>> round(float(r_I), 4)
    9.8333
    """
    if population not in POPULATIONS:
        raise ParameterError(f"population: got {population!r}; expected 'E' or 'I'")
    unused.tell(params, "cbnet.tuned_input", _tuned_membrane, population)
    neuron = Neuron(params, population)
    rate = neuron.values["r_E"] if r_E is None else _one(params, r_E, "r_E")
    found = _tuned(neuron, np.array([float(rate)]), float(in_volts(mu, "mu")))
    return to_quantity(float(found[0]), "Hz")


def _tuned_membrane(params, population):
    names = unused.of_functions(params, population, ("leak", "jump_E", "jump_I"))
    # the input it chooses is no parameter that was left out
    return {population: names | {"K", "gamma", "tau_E", "tau_I", "r_E", "r_I"}}


@one_thread
def balance_line(params):
    """Rates of E and I at which excitation and inhibition cancel at the threshold for K → ∞.

    Returns
    -------
    rate_E, rate_I : Quantity
        NaN where no positive rates do.

    Warns
    -----
    CbnetWarning
        For what was set and the line does not depend on.

    Examples
    --------
    >>> import cbnet
    >>> from cbnet.theory import asymptotics
    >>> round(float(asymptotics.balance_line(cbnet.load("conductance"))[0]), 4)
    36.6667
    """
    unused.tell(params, "balance_line", _of_balance)
    lines = self_consistency._balance({p: Neuron(params, p) for p in POPULATIONS})
    return tuple(to_quantity(float(rate), "Hz") for rate in lines)


def _of_balance(params):
    ends = ("jump_E", "jump_I", "threshold")
    # of the limit of K, with time constants of synapses that change no mean
    names = {"K", "gamma", "nu_X", "tau_E", "tau_I", "jump"}
    return {p: names | unused.of_functions(params, p, ends) for p in POPULATIONS}


@one_thread
def escape_rate(params, r_E=None, r_I=None, *, population="E", noise="shot"):
    """Rate of rare spikes over a high barrier.

    Parameters
    ----------
    params : Parameters
        Of the neuron and its synapses.
    r_E, r_I : Quantity, optional
        Rates of each of the inputs; those of `params` if not given.
    population : {"E", "I"}
        Whose parameters.
    noise : {"shot", "diffusion"}
        Large deviations of finite jumps, or Kramers' formula for white noise, which has the same
        prefactor and another exponent.

    Returns
    -------
    Quantity
        NaN with a warning where nothing holds v below the threshold: unless the drift points down
        at the threshold, and with ``"diffusion"`` everywhere between μ and it.

    Notes
    -----
    ν = |A(θ)|/B²(θ) √(B²(μ)|A'(μ)|/π) e^(−∫ q dv): with q = −2A/B² it is within 5 % of white noise
    below 0.1 Hz; with finite jumps it is below the exact rate by 1, 5, 11 and 19 % where that is
    1e-2, 6e-5, 2e-8 and 3e-14 Hz (reference neuron). Its prefactor is that of white noise: for few
    large jumps it is off by factors of up to 20, for exponential neurons of up to 1000, where
    ``respond()`` is exact. The first is ``respond(noise="kramers")``, too.

    Examples
    --------
    >>> import cbnet
    >>> from cbnet.theory import asymptotics
    >>> params = cbnet.load("conductance")
    >>> round(float(asymptotics.escape_rate(params, "30Hz", "20Hz")), 3)
    0.008
    """
    if noise not in ("shot", "diffusion"):
        raise ParameterError(f"noise: got {noise!r}; expected 'shot' or 'diffusion'")
    unused.tell(params, "escape_rate", unused.of_neuron, population, "r_E", "r_I")
    neuron = Neuron(params, population, "kramers")
    inputs = [
        np.array([float(neuron.values[name] if value is None else _one(params, value, name))])
        for name, value in (("r_E", r_E), ("r_I", r_I))
    ]
    if noise == "diffusion":
        return to_quantity(float(neuron.passage(*inputs).rate[0]), "Hz")
    (process,) = jump_process.of_neuron(neuron, *inputs)
    if shot_noise.exponent_and_prefactor(process)[0] > 0:  # infinite without noise
        return to_quantity(shot_noise.large_deviation(process), "Hz")
    warn(
        "r_E: got an input that carries v over the threshold, so that there is no barrier; use "
        "respond()",
    )
    return to_quantity(np.nan, "Hz")


def _tuned(neuron, r_E, mu):
    """r_I at which the drift vanishes at μ, for arrays."""
    values = neuron.bound(r_E, np.ones(r_E.size))
    at = np.full((r_E.size, 1), mu)
    leak, E, I = (  # noqa: E741
        neuron.reduced.function(name, values)(at)[:, 0] for name in ("leak", "jump_E", "jump_I")
    )
    R_E, R_I = (np.broadcast_to(values[name], at.shape)[:, 0] for name in ("R_E", "R_I"))
    with np.errstate(divide="ignore", invalid="ignore"):
        r_I = -(leak + R_E * E) / (R_I * I)
    if not np.all(np.isfinite(r_I) & (r_I >= 0)):
        worst = r_I[~(np.isfinite(r_I) & (r_I >= 0))][0]
        raise ParameterError(
            f"mu: got {mu * 1e3:g} mV; it would take inhibitory inputs of {worst:.4g} Hz; choose "
            "another mu or r_E"
        )
    return r_I


def _free(neuron, r_E, r_I):
    """Mean, sd and time constant of the membrane without a threshold, for arrays."""
    values = neuron.bound(r_E, r_I)
    mu, tau = neuron.rest(r_E, r_I)
    at = mu[:, None]
    width = neuron.threshold - neuron.reset
    if neuron.reduced.filtered:
        variance = 0.0
        for p in POPULATIONS:
            h = neuron.reduced.function(f"jump_{p}", values)(at)[:, 0]
            R = np.broadcast_to(values[f"R_{p}"], at.shape)[:, 0]
            variance = variance + tau * R * h**2 / 2 * tau / (tau + neuron.taus[p])
        return mu, np.sqrt(variance), tau
    B2 = neuron.reduced.function("B2", values)
    low, here, high = (B2(at + d)[:, 0] for d in (-width, 0.0, width))
    b = (low - 2 * here + high) / (2 * width**2)
    loss = 1 - b * tau / 2
    with np.errstate(invalid="ignore"):
        sd = np.sqrt(np.where(loss > 0, tau * here / 2 / loss, np.nan))
    return mu, sd, tau


def _one(params, value, name):
    array = rates_in_hertz(params, value, name)
    if array.ndim:
        raise ParameterError(f"{name}: got {array.size} values; expected one")
    return float(array)
