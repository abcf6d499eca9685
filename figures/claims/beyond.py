"""What cbnet adds to the paper: finite jumps, filtered synapses, large K, stability, steps."""

import math
from dataclasses import replace

import numpy as np

from . import verdicts as v
from .claims import BEYOND, NETWORK, ONE_NEURON, Claim, Outcome, difference, number
from .verdicts import Number

WITHIN = 0.05  # of a rate: an approximation that counts as right
SLOWEST = 1 / 60  # Hz: once a minute; a slower rate is not waited for
KNOWN = 0.1  # relative error of a rate up to which its logarithm has one


def _right(ratios, errors, silent):
    """The outcome of a theory that is to be right everywhere.

    One neuron that is further off than `WITHIN` by three standard errors refutes it; one whose rate
    is not known to that accuracy, or that did not fire, leaves it open.
    """
    off = np.maximum(np.abs(np.log(ratios)) - v.SIGMAS * errors, 0.0)
    sharp = v.SIGMAS * errors <= WITHIN
    verdicts = [
        v.NOT_SUPPORTED if far > WITHIN else v.SUPPORTED if known else v.UNDECIDED
        for far, known in zip(off, sharp, strict=True)
    ]
    verdicts += [v.UNDECIDED] * silent
    # what decides: the most certain deviation, or the least certain rate
    worst = int(np.argmax(off)) if off.max() > WITHIN or sharp.all() else int(np.argmax(errors))
    found = Number(float(ratios[worst]), float(ratios[worst] * errors[worst]))
    note = f"{sharp.sum()} of {sharp.size + silent} rates known to 5 % (3 s.e.)"
    return Outcome(v.every(*verdicts), Number(1.0), found, note)


def _wrong(ratios, errors, silent):
    """The outcome of a theory that is to be wrong somewhere, where it is most certainly so."""
    fired = ratios.size
    known = errors <= KNOWN
    if not known.any():
        return Outcome(v.UNDECIDED, Number(1.0), None, "no rate is known to 10 %")
    ratios, errors = ratios[known], errors[known]
    apart = np.abs(np.log(ratios))
    worst = int(np.argmax(apart - v.SIGMAS * errors))
    place = Number(float(apart[worst]), float(errors[worst]))
    found = Number(float(ratios[worst]), float(ratios[worst] * errors[worst]))
    note = f"{ratios.size} of {fired + silent} rates known to 10 %"
    return Outcome(v.at_least(place, WITHIN), Number(1.0), found, note)


def _exact(noise, judge):
    """The exactly simulated rate over a theory's."""

    def decide(data):
        theory = data.rate_theory.sel(noise=noise).values
        seen, sem = data.rate_exact.values, data.rate_sem_exact.values
        good = (seen > 0) & (theory > 0)
        if not good.any():
            return Outcome(v.UNDECIDED, Number(1.0))
        ratios, errors = seen[good] / theory[good], sem[good] / seen[good]
        return judge(ratios, errors, (~good).sum())

    return decide


def _exponents_differ(data):
    at = data.exponent.sel(set="strong inhibition").sel(ratio=1.8, method="nearest")
    shot, white = (float(at.sel(exponent_noise=n)) for n in ("shot", "diffusion"))
    theory = Number(shot / white)
    note = f"g = 12, r_I = 1.8 r_E: C = {shot:.5f} and {white:.5f}; theory only"
    return Outcome(v.at_least(theory, 1.0 + WITHIN), theory, None, note)


def _filtered(noise, judge, slowest=0.0):
    """A theory's rate over the simulated one, with synaptic time constants.

    Neurons that are slower than `slowest` (Hz), as theory and simulation agree, are left out.
    """

    def decide(data):
        seen, sem = data.filtered_rate.values, data.filtered_rate_sem.values
        theory = data.filtered_theory.sel(filtered_noise=noise).values
        fast = ~((seen < slowest) & (theory < slowest))
        seen, sem, theory = seen[fast], sem[fast], theory[fast]
        good = (seen > 0) & (theory > 0)
        if not good.any():
            return Outcome(v.UNDECIDED, Number(1.0))
        ratios, errors = theory[good] / seen[good], sem[good] / seen[good]
        outcome = judge(ratios, errors, (~good).sum())
        if fast.all():
            return outcome
        left_out = f"; {(~fast).sum()} that fire less than once a minute left out"
        return replace(outcome, note=outcome.note + left_out)

    return decide


def _white_noise_at_the_shortest(data):
    outcome = _filtered("diffusion", _wrong)(data.isel(tau_S=[0]))
    tau = float(data.tau_S[0])
    note = f"{outcome.note}; τ_S = {tau:g} ms; that jumps are finite is a part of it (b.2)"
    return replace(outcome, note=note)


def _slope_converges(data):
    slope, limit = (float(data[n][-2]) for n in ("slope", "slope_theory"))
    theory = Number(slope / limit)
    note = f"at K = {float(data.K_diffusion[-2]):.0e}; theory only"
    return Outcome(v.between(theory, 0.98, 1.02), theory, None, note)


def _not_logarithmic(data):
    a, K = float(data.a_diffusion[-1]), float(data.K_diffusion[-1])
    theory = Number(a * math.log(K) / float(data.C_diffusion))
    note = f"at K = {K:.0e}; theory only"
    return Outcome(v.at_least(theory, 1.0 + WITHIN), theory, None, note)


def _frequency(model):
    def decide(data):
        at = data.sel(model=model, point="A")
        # the leading mode is one of several peaks: compare power there with that of theory
        f = data.f.values
        near = np.argmin(np.abs(f - float(at.point_frequency)))
        theory = number(at.spectrum_theory[near])
        simulated = number(at.point_mode_power, at.point_mode_power_sem)
        note = f"at {float(at.point_frequency):.0f} Hz, delays up to {float(at.point_delay):g} ms"
        verdict = v.every(v.at_least(simulated, 2.0), v.at_least(theory, 2.0))
        return Outcome(verdict, theory, simulated, note)

    return decide


def _flat_fano(model):
    def decide(data):
        at = data.sel(model=model)
        simulated = v.exponent(at.N.values, at.fano_simulation, at.fano_sem_simulation)
        theory = v.exponent(at.N.values, at.fano_theory)
        # synchrony would make the variance grow as N², the Fano factor as N
        verdict = v.every(v.at_most(theory, 0.5), v.at_most(simulated, 0.5))
        return Outcome(verdict, theory, simulated, f"N = {at.N.values[0]:g} to {at.N.values[-1]:g}")

    return decide


def _stable(model):
    def decide(data):
        theory = number(data.point_growth.sel(model=model, point="A"))
        return Outcome(v.at_most(theory, 0), theory, None, "theory only")

    return decide


def _leaves_the_balance(data):
    """The rate over that of the balance line, at the largest K less that at the smallest."""
    at = data.sel(model="conductance", scaling="log")
    nu_X = float(at.nu_X_simulated[-1])
    line = float(at.balance_line.sel(nu_X=nu_X))
    theory = [number(x / line) for x in at.rate_E_theory.isel(branch=0).sel(nu_X=nu_X)]
    seen, errors = (at[name].isel(nu_X_simulated=-1) / line for name in ("rate_E", "rate_E_sem"))
    simulated = [number(*one) for one in zip(seen, errors, strict=True)]
    ways = (theory, simulated)
    found = [difference(way[-1], way[0]) for way in ways]
    verdicts = [v.at_least(n, 0) for n in found] + [v.at_least(way[-1], 1) for way in ways]
    note = f"ν_X = {nu_X:g} Hz, K = {float(at.K[0]):g} to {float(at.K[-1]):g}, where it is "
    note += f"{simulated[-1].value:.2f}"
    return Outcome(v.every(*verdicts), *found, note)


def _step(arrivals, far):
    def decide(data):
        at = data.sel(arrivals=arrivals, dt=0.1)
        simulated = number(at.step_ratio, at.step_ratio_sem)
        if far:
            verdict = v.at_most(simulated, 1 - WITHIN)
        else:
            verdict = v.between(simulated, 1 - WITHIN, 1 + WITHIN)
        return Outcome(verdict, Number(1.0), simulated)

    return decide


def _claim(key, says, scope, number_, criterion, figure, decide):
    return Claim(key, BEYOND, says, scope, number_, criterion, figure, decide)


RATIO = "exactly simulated over predicted rate, where it decides"
EVERYWHERE = "within 5 % and 3 s.e. of 1 for every neuron, its rate known to 5 % (3 s.e.)"
CLAIMS = (
    _claim(
        "b.1",
        "the theory of finite jumps is right",
        ONE_NEURON,
        RATIO,
        EVERYWHERE,
        "approximations",
        _exact("shot", _right),
    ),
    _claim(
        "b.2",
        "the diffusion approximation is not",
        ONE_NEURON,
        RATIO,
        "further than 5 % from 1, by 3 s.e., for a neuron whose rate is known to 10 %",
        "approximations",
        _exact("diffusion", _wrong),
    ),
    _claim(
        "b.3",
        "noise frozen at one potential (effective time constant) is not",
        ONE_NEURON,
        RATIO,
        "further than 5 % from 1, by 3 s.e., for a neuron whose rate is known to 10 %",
        "approximations",
        _exact("effective", _wrong),
    ),
    _claim(
        "b.4",
        "white noise has another exponent at leading order, however large K",
        ONE_NEURON,
        "C of finite jumps over C of white noise",
        "at least 1.05",
        "approximations",
        _exponents_differ,
    ),
    _claim(
        "b.5",
        "the theory of filtered synapses is right",
        ONE_NEURON,
        "predicted over simulated rate, where it decides",
        f"{EVERYWHERE}; neurons that fire once a minute or more",
        "approximations",
        _filtered("colored", _right, SLOWEST),
    ),
    _claim(
        "b.6",
        "white noise is wrong even for the shortest synaptic time constant",
        ONE_NEURON,
        "predicted over simulated rate at the shortest τ_S, where it decides",
        "further than 5 % from 1, by 3 s.e., for a neuron whose rate is known to 10 %",
        "approximations",
        _white_noise_at_the_shortest,
    ),
    _claim(
        "b.7",
        "the efficacy that keeps a response has d ln K/d(1/a) → C + a/2",
        ONE_NEURON,
        "slope over C + a/2 at large K",
        "1 ± 0.02",
        "scaling",
        _slope_converges,
    ),
    _claim(
        "b.8",
        "... while a ln K is still far from its limit C: 1/log K holds only logarithmically",
        ONE_NEURON,
        "a ln K/C at the largest K",
        "at least 1.05",
        "scaling",
        _not_logarithmic,
    ),
    _claim(
        "b.9",
        "the asynchronous state is stable, conductance (K = 1000, ν_X = 30 Hz, delays to 10 ms)",
        NETWORK,
        "growth rate of the leading mode (1/s)",
        "below 0",
        "stability",
        _stable("conductance"),
    ),
    _claim(
        "b.10",
        "... and current synapses",
        NETWORK,
        "growth rate of the leading mode (1/s)",
        "below 0",
        "stability",
        _stable("current"),
    ),
    _claim(
        "b.11",
        "the leading mode is what the simulated population shows, conductance",
        NETWORK,
        "power over that of independent neurons at the mode's frequency",
        "at least 2, theory and simulation by 3 s.e.",
        "stability",
        _frequency("conductance"),
    ),
    _claim(
        "b.12",
        "fluctuations of the population are of finite size, not macroscopic synchrony: conductance",
        NETWORK,
        "exponent of the Fano factor in 1 ms against the number of neurons",
        "at most 0.5 (synchrony: 1), theory and simulation by 3 s.e.",
        "stability",
        _flat_fano("conductance"),
    ),
    _claim(
        "b.16",
        "the same of current synapses (K = 1000, ν_X = 30 Hz, delays to 10 ms)",
        NETWORK,
        "exponent of the Fano factor in 1 ms against the number of neurons",
        "at most 0.5 (synchrony: 1), theory and simulation by 3 s.e.",
        "stability",
        _flat_fano("current"),
    ),
    _claim(
        "b.13",
        "steps of 0.1 ms in Brian2's order of arrivals bias a rate",
        ONE_NEURON,
        "simulated over exact rate, reference neuron at ν_X = 50 Hz",
        "at most 0.95 by 3 s.e.",
        "approximations",
        _step("brian2", far=True),
    ),
    _claim(
        "b.14",
        "... arrivals in random order, threshold tested after each, do not",
        ONE_NEURON,
        "simulated over exact rate, reference neuron at ν_X = 50 Hz",
        "0.95 to 1.05 by 3 s.e.",
        "approximations",
        _step("random", far=False),
    ),
    _claim(
        "b.15",
        "a ∝ 1/log K takes a network of conductance synapses away from the balance line",
        NETWORK,
        "rate over that of the balance line, at the largest K less that at the smallest",
        "above 0, and the ratio above 1 at the largest K, theory and simulation by 3 s.e.",
        "network_response",
        _leaves_the_balance,
    ),
)
