"""Which time step a network needs: the error that a step makes in the rate of one neuron.

A network hides such an error behind its feedback, so steps are judged by single neurons: the
open-loop rate under Poisson input at the rates that the network would have. With instantaneous
synapses the error is computed (:mod:`cbnet.simulation.step.chain`); with synaptic time constants it
is estimated by a formula fitted to simulations (:func:`filtered_bias`).

A step is that of :mod:`cbnet.simulation.brian.network`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from ...model.parameters import POPULATIONS
from ...model.reduced import of_model
from ...support.threads import one_thread
from .chain import Chain
from .plain_step import PlainChain
from .stepping import stepped

LADDER = tuple(
    step * 1e-3
    for step in (0.1, 0.05, 0.04, 0.025, 0.02, 0.0125, 0.01, 0.005, 0.004, 0.0025, 0.002, 0.001)
)
_SLOWEST = 0.01  # Hz: a network that fires less is silent, and no step would be seen in its rate
_FASTEST = 1e4  # Hz: no network is looked for above
_SCAN = 40  # rates, on a logarithmic scale, among which roots are bracketed
_REGULAR = 1e-3  # CV of trains that have none
_COARSE = 0.15  # grid for rates and first looks, in sd: rates to 1 %, a bias to a third of itself


@dataclass(frozen=True)
class Shifts:
    """What a step changes of one neuron's statistics.

    Attributes
    ----------
    rate, cv : float
        (value with steps − exact value)/exact value.
    V_mean, V_sd : float
        Value with steps − exact value, V.
    """

    rate: float
    cv: float
    V_mean: float
    V_sd: float


@one_thread
def shifts(params, dt, r_E, r_I, population="E", compiled=True, arrivals="random"):
    """What a step changes of the statistics of one neuron.

    Parameters
    ----------
    params, dt, r_E, r_I, population, compiled, arrivals
        As for :func:`bias`.

    Returns
    -------
    Shifts
        NaN where nothing is known, or there is no such value.

    Assumptions
    -----------
    As for :func:`bias`. Other shifts than that of the rate come from a coarser grid: they are good
    to a few per cent of themselves and, if larger, 0.001 of the sd of v; that of the CV to 0.015 of
    the CV at steps as long as the membrane's effective time constant, less at shorter ones.
    """
    rate = bias(params, dt, r_E, r_I, population, compiled, arrivals)
    chain = _chain(params, r_E, r_I, population, spacing=_COARSE)
    if not np.isfinite(rate) or chain.diffusion.filtered:
        return Shifts(rate, np.nan, np.nan, np.nan)
    if arrivals == "random":
        exact, found = chain.exact, stepped(chain, dt, compiled).moments
    else:
        plain = PlainChain(chain.diffusion, chain.values, longest=float(dt))
        exact, found = plain.below.exact, plain.plain(float(dt), "excitation")
    cv = found.cv / exact.cv - 1 if exact.cv > _REGULAR else np.nan
    return Shifts(
        rate,
        *(round(float(x), 8) for x in (cv, found.V_mean - exact.V_mean, found.V_sd - exact.V_sd)),
    )


@one_thread
def bias(params, dt, r_E, r_I, population="E", compiled=True, arrivals="random"):
    """Relative error of the rate of one neuron that is simulated in steps.

    Parameters
    ----------
    params : Parameters
        Model and values.
    dt : float
        Time step, s.
    r_E, r_I : float
        Rates of each of the K excitatory and γK inhibitory inputs, Hz.
    population : {"E", "I"}
        Whose parameters to use.
    compiled : bool
        Whether the step is that of the compiled kernel; otherwise it is the one of numpy.
    arrivals : {"random", "brian2"}
        Order of the arrivals of a step. Brian2's has all excitatory ones first; with synaptic time
        constants the order makes no difference.

    Returns
    -------
    float
        (rate with steps − exact rate)/exact rate; NaN where the exact rate is zero, and for
        Brian2's order where the leak is not affine in v, of which nothing is known.

    Assumptions
    -----------
    Arrivals are Poisson. With instantaneous synapses the answer is good to about 0.001 at steps up
    to 0.1 ms; at 0.2 ms to 0.004 where the leak alone crosses the threshold and few arrivals do as
    much. Otherwise see :func:`filtered_bias`.
    """
    chain = _chain(params, r_E, r_I, population)
    if arrivals == "random" or chain.diffusion.filtered:
        return _bias(chain, float(dt), compiled)
    if not chain.diffusion.affine_leak:
        return np.nan
    plain = PlainChain(chain.diffusion, chain.values, longest=float(dt))
    return round(plain.plain_bias(float(dt), "excitation"), 8)


@one_thread
def choose(params, target=0.01, connected=True, compiled=True, shortest=None):
    """The largest step that keeps the bias of single neurons of the network below a target.

    Parameters
    ----------
    params : Parameters
        Of a network of two populations.
    target : float
        Largest relative error of a rate.
    connected : bool
        Whether the neurons are a network, or each has input of the rates `r_E` and `r_I`.
    compiled : bool
        As in :func:`bias`.
    shortest : float, optional
        Shortest delay, s, infinite if nothing is connected; by default ``D_min`` of a network.

    Returns
    -------
    dt : float
        Time step, s: at most the shortest delay and a fifth of the synaptic time constants, and a
        whole fraction of ``D_min`` where the ladder of steps has such a one.
    bias : float
        The bias of largest size among populations and states of the network. Larger than the target
        if no step of the ladder meets it; NaN if the network is silent, in which case no step can
        bias a rate.

    Assumptions
    -----------
    The rates of the network are those of neurons with Poisson input, self-consistently; with
    synaptic time constants, those of their limit of zero.
    """
    ladder = _ladder(params, connected, shortest)
    states = _states(params) if connected else _inputs(params)
    if not states:
        return ladder[0], np.nan
    rough = [_chain(params, *state, spacing=_COARSE) for state in states]
    fine = [_chain(params, *state) for state in states]

    def worst(dt):
        for neurons in (rough, fine):
            found = max((_bias(chain, dt, compiled) for chain in neurons), key=abs)
            if abs(found) > 2 * target:
                break
        return found

    for dt in ladder:
        found = worst(dt)
        if abs(found) <= target:
            break
    return dt, found


def within(params, target, dt, *state):
    """The largest step of the ladder below dt whose bias is within the target, or None.

    Parameters
    ----------
    params, dt
        As for :func:`bias`.
    target : float
        Largest relative error of a rate.
    *state
        What else :func:`bias` takes.
    """
    for step in LADDER:
        if step < dt * (1 - 1e-9) and abs(bias(params, step, *state)) <= target:
            return step
    return None


def filtered_bias(diffusion, values, dt, compiled=True):
    """Estimated bias of a rate with synapses that have a time constant.

    Where leak and jumps are affine in v, the step looks for crossings inside itself
    (``cpp/filtered.h``), and what is left is fitted:

        bias = 0.37 τ_S/(τ + τ_S) τ_S/(τ_rp + τ_S) (dt/τ_S)^{5/2}.

    Otherwise the threshold is tested at the end of the step, and the fit is

        bias = 0.094 (1 + max(z, 0)) τ_S/(τ + τ_S) (dt/τ_S)^{3/2},
        z = (θ − μ)/σ_V,    σ_V² = τ B²(μ)/2 · τ/(τ + τ_S);

    Both are 0 where the drift has no root. The power 3/2 is that of crossings of a smooth path that
    last less than a step; the first formula is empirical.

    Parameters
    ----------
    diffusion : Reduced
        The strings, reduced.
    values : dict
        Resolved parameters with the total rates ``R_E``, ``R_I``, scalars in SI.
    dt : float
        Time step, s.
    compiled : bool
        As in :func:`bias`: the step of numpy is the second whatever the strings.

    Returns
    -------
    float

    Assumptions
    -----------
    The first formula was fitted at dt/τ_S = 0.05, 0.1 and 0.2, relative to 0.02, to 15 sets of
    parameters and checked on these and three more: both models, τ_S/τ from 0.03 to 2, rates from
    0.06 to 220 Hz, time constants that differ among them. The rates came from simulations of the
    kernel in which all steps had the same arrivals; ``python -m benchmarks.timestep`` repeats them
    with independent ones. The residuals of all 18 have a root mean square of 0.003 (χ² per value
    1.3, 0.9 and 1.6), their statistical errors included; at dt/τ_S = 0.4 those known to 0.003 or
    better reach 0.012.
    The second formula was fitted at dt/τ_S = 0.05, 0.1 and 0.2 to 14 such sets, with residuals of
    root mean square 0.005. τ_S is the shorter of the two time constants.
    """
    mu, tau = (float(x) for x in diffusion.operating_point(values))
    if not np.isfinite(mu):
        return 0.0
    tau_S = min(filter(None, diffusion.time_constants(values).values()))
    steps, slow = dt / tau_S, tau_S / (tau + tau_S)
    if compiled and diffusion.affine_leak and diffusion.affine_jumps:
        return 0.37 * slow * tau_S / (values["tau_rp"] + tau_S) * steps**2.5
    variance = tau * float(diffusion.function("B2", values)(mu)) / 2 * tau / (tau + tau_S)
    z = max((float(diffusion.constant("threshold", values)) - mu) / np.sqrt(variance), 0.0)
    return 0.094 * (1 + z) * slow * steps**1.5


def _bias(chain, dt, compiled):
    if chain.diffusion.filtered:
        return filtered_bias(chain.diffusion, chain.values, dt, compiled)
    if chain.rate == 0:
        return np.nan
    # The last digits of a linear system depend on how many threads solve it; a simulation's answer
    # must not, and these are beyond what the chain is good for.
    return round(stepped(chain, dt, compiled).rate / chain.rate - 1, 8)


def _chain(params, r_E, r_I, population, **grid):
    values = params.resolve(population)
    values["R_E"] = values["K"] * float(r_E)
    values["R_I"] = values["gamma"] * values["K"] * float(r_I)
    return Chain(of_model(params.model, values), values, **grid)


def _ladder(params, connected=True, shortest=None):
    """Steps to choose from, largest first."""
    resolved = [params.resolve(p) for p in "EI"]
    delays = [v["D_min"] for v in resolved] if connected and shortest is None else []
    if shortest is not None and np.isfinite(shortest):
        delays = [shortest]
    limits = [*delays, LADDER[0]]
    for values in resolved:
        taus = of_model(params.model, values).time_constants(values).values()
        limits += [tau / 5 for tau in taus if tau > 0]
    steps = [dt for dt in LADDER if dt <= min(limits) * (1 + 1e-9)] or [LADDER[-1]]

    ratios = [[delay / dt for delay in delays] for dt in steps]
    fitting = [dt for dt, r in zip(steps, ratios, strict=True) if np.allclose(r, np.rint(r))]
    return fitting or steps


def _inputs(params):
    """(r_E, r_I, population) of neurons that are not connected."""
    states = []
    for population in POPULATIONS if params.differing() else ("E",):
        values = params.resolve(population)
        states.append((values["r_E"], values["r_I"], population))
    return states


def _states(params):
    """(r_E, r_I, population) of every firing neuron in every state of the network."""
    values = {p: params.resolve(p) for p in "EI"}

    def rate(population, nu_E, nu_I):
        r_E = values[population]["nu_X"] + nu_E
        return _chain(params, r_E, nu_I, population, spacing=_COARSE).rate

    fastest = {p: 1 / max(values[p]["tau_rp"], 1 / _FASTEST) for p in "EI"}
    alike = values["E"] == values["I"]

    def inhibition(nu_E):
        """Inhibitory rate when the excitatory one is held."""
        if alike:
            return nu_E

        def surplus(nu):
            return rate("I", nu_E, nu) - nu

        if surplus(fastest["I"]) > 0:
            return fastest["I"]
        return brentq(surplus, 0.0, fastest["I"], xtol=1e-3 * _SLOWEST, rtol=1e-3)

    def excess(nu):
        return np.log(max(rate("E", nu, inhibition(nu)), 1e-12) / nu)

    nus = np.geomspace(_SLOWEST, 0.999 * fastest["E"], _SCAN)
    signs = [excess(nu) for nu in nus]
    roots = [
        brentq(excess, low, high, rtol=1e-3)
        for low, high, a, b in zip(nus, nus[1:], signs, signs[1:], strict=False)
        if a > 0 >= b or a <= 0 < b
    ]
    states = []
    for nu in roots:
        nu_I = inhibition(nu)
        states.append((values["E"]["nu_X"] + nu, nu_I, "E"))
        if not alike and nu_I > _SLOWEST:
            states.append((values["I"]["nu_X"] + nu, nu_I, "I"))
    return states
