"""Which time step a network needs: the error that a step makes in the rate of one neuron.

A network hides such an error behind its feedback, so steps are judged by single neurons: the
open-loop rate under Poisson input at the rates that the network would have. With instantaneous
synapses the error is computed (:mod:`cbnet.simulation.chain`); with synaptic time constants it is
estimated by a formula fitted to simulations (:func:`filtered_bias`).

The refractory time of the simulation is Brian2's ``refractory="tau_rp"``: a spike in step n blocks
the arrivals of steps n to n + R − 1, R = floor(τ_rp/dt), and the leak acts again in step n + R. A
threshold that is tested once a step sees a crossing dt/2 late on average, so that the mean interval
is the first-passage time plus (R + 1/2) dt when arrivals move v, and no whole number of steps comes
nearer to τ_rp. Synaptic variables move v in step n + R already: plus (R − 1/2) dt.
"""

import functools

import numpy as np
from scipy.optimize import brentq

from ..diffusion import of_model
from .chain import Chain

LADDER = tuple(
    step * 1e-3
    for step in (0.1, 0.05, 0.04, 0.025, 0.02, 0.0125, 0.01, 0.005, 0.004, 0.0025, 0.002, 0.001)
)
_SLOWEST = 0.01  # Hz: a network that fires less is silent, and no step would be seen in its rate
_SCAN = 40  # rates, on a logarithmic scale, among which roots are bracketed
_COARSE = 0.15  # grid for rates and first looks, in sd: rates to 1 %, a bias to a third of itself


def bias(params, dt, r_E, r_I, population="E"):
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

    Returns
    -------
    float
        (rate with steps − exact rate)/exact rate; NaN where the exact rate is zero.

    Assumptions
    -----------
    Arrivals are Poisson. In a step the leak acts, by its exact flow, then the threshold is tested,
    then inhibitory arrivals come before excitatory ones. With instantaneous synapses the answer is
    good to about 0.001; otherwise see :func:`filtered_bias`.
    """
    chain = _chain(params, r_E, r_I, population)
    return _bias(params, chain, dt, population)


def choose(params, target=0.01):
    """The largest step that keeps the bias of single neurons of the network below a target.

    Parameters
    ----------
    params : Parameters
        Of a network of two populations.
    target : float
        Largest relative error of a rate.

    Returns
    -------
    dt : float
        Time step, s: at most ``D_min``, and a whole fraction of ``D_min`` and ``tau_rp`` where the
        ladder of steps has such a one. Because the bias may change its sign with dt, the step below
        it in the ladder meets the target too.
    bias : float
        The bias of largest size among populations and states of the network. Larger than the target
        if no step of the ladder meets it; NaN if the network is silent, in which case no step can
        bias a rate.

    Assumptions
    -----------
    The rates of the network are those of neurons with Poisson input, self-consistently; with
    synaptic time constants, those of their limit of zero.
    """
    ladder, states = _ladder(params), _states(params)
    if not states:
        return ladder[0], np.nan
    rough = [(_chain(params, *state, spacing=_COARSE), state[2]) for state in states]
    fine = [(_chain(params, *state), state[2]) for state in states]

    @functools.cache
    def worst(dt):
        for neurons in (rough, fine):
            found = max((_bias(params, chain, dt, p) for chain, p in neurons), key=abs)
            if abs(found) > 2 * target:
                break
        return found

    for i, dt in enumerate(ladder[:-1]):
        if all(abs(worst(step)) <= target for step in ladder[i : i + 2]):
            return dt, worst(dt)
    last = ladder[-1]
    return last, max((_bias(params, chain, last, p) for chain, p in fine), key=abs)


def filtered_bias(dt, tau_S, rate):
    """Bias of a rate with filtered synapses."""
    return rate * dt / 2


def _bias(params, chain, dt, population):
    values = params.resolve(population)
    if values["tau_E"] > 0:
        return filtered_bias(dt, min(values["tau_E"], values["tau_I"]), chain.rate)
    return chain.bias(dt)


def _chain(params, r_E, r_I, population, **grid):
    values = params.resolve(population)
    values["R_E"] = values["K"] * float(r_E)
    values["R_I"] = values["gamma"] * values["K"] * float(r_I)
    return Chain(of_model(params.model, values), values, **grid)


def _ladder(params):
    """Steps to choose from, largest first."""
    resolved = [params.resolve(p) for p in "EI"]
    shortest = min(v["D_min"] for v in resolved)
    steps = [dt for dt in LADDER if dt <= shortest * (1 + 1e-9)] or [LADDER[-1]]

    def divides(dt, names):
        ratios = [v[name] / dt for v in resolved for name in names]
        return all(abs(r - round(r)) < 1e-6 for r in ratios)

    for names in (("D_min", "tau_rp"), ("tau_rp",)):
        fitting = [dt for dt in steps if divides(dt, names)]
        if fitting:
            return fitting
    return steps


def _states(params):
    """(r_E, r_I, population) of every firing neuron in every state of the network."""
    values = {p: params.resolve(p) for p in "EI"}

    def rate(population, nu_E, nu_I):
        r_E = values[population]["nu_X"] + nu_E
        return _chain(params, r_E, nu_I, population, spacing=_COARSE).rate

    fastest = {p: 1 / max(values[p]["tau_rp"], 1e-3) for p in "EI"}
    alike = values["E"] == values["I"]

    def inhibition(nu_E):
        """Inhibitory rate when the excitatory one is held."""
        if alike:
            return nu_E
        return brentq(
            lambda nu: rate("I", nu_E, nu) - nu, 0.0, fastest["I"], xtol=1e-3 * _SLOWEST, rtol=1e-3
        )

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
