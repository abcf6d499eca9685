"""What decides claims about currents, and about drift and diffusion."""

import json

import numpy as np

from cbnet.results.pooling import of_few_graphs

from . import verdicts as v
from .claims import Outcome, number
from .verdicts import Number

_OF = ("sd", "mean")
CANCELLED = 0.25  # net over excitatory input


def cancels(case):
    def decide(data):
        at = data.sel(case=case).isel(K=-1)
        found = []
        for kind in ("theory", "simulation"):
            mean = at[f"current_mean_{kind}"]
            share = abs(float(mean.sel(current="net")) / float(mean.sel(current="E")))
            sem = 0.0
            if kind == "simulation":
                errors = at.current_mean_sem_simulation
                sem = share * np.hypot(
                    float(errors.sel(current="net")) / abs(float(mean.sel(current="net"))),
                    float(errors.sel(current="E")) / abs(float(mean.sel(current="E"))),
                )
            found.append(Number(share, sem))
        verdict = v.every(*(v.at_most(n, CANCELLED) for n in found))
        return Outcome(verdict, *found, f"K = {float(at.K):g}")

    return decide


def currents_shrink(case):
    def decide(data):
        at = data.sel(case=case, current="E")
        ratio = at.current_sd_theory / at.current_mean_theory
        theory = v.exponent(at.K.values, ratio)
        seen = at.current_sd_simulation / at.current_mean_simulation
        relative = (at[f"current_{n}_sem_simulation"] / at[f"current_{n}_simulation"] for n in _OF)
        sem = np.abs(seen) * np.hypot(*relative)
        simulated = v.exponent(at.K.values, seen, sem)
        verdict = v.every(v.at_most(theory, 0), v.at_most(simulated, 0))
        return Outcome(verdict, theory, simulated)

    return decide


def both_carry(data):
    """The smaller of the shares of drift and diffusion."""
    found = [Number(min(abs(n.value), abs(1 - n.value)), n.sem) for n in _both(data, "drift")]
    each, note = [v.at_least(_judged(n, data), 0.1) for n in found], _note(data)
    if each == [v.NOT_SUPPORTED, v.SUPPORTED]:
        note += "; the simulation fulfils it, theory does not"
    return Outcome(v.every(*each), *found, note)


def opposed(data):
    """What drift takes back, over the rate."""
    found = _both(data, "opposed")
    return Outcome(
        v.every(*(v.at_least(_judged(n, data), 1.0) for n in found)), *found, _note(data)
    )


def _both(data, name):
    """A number at the largest K under 1/log K, by theory and by simulation."""
    at = data.sel(case="conductance, log").isel(K=-1)
    seen = number(at[f"{name}_simulation"], at[f"{name}_sem_simulation"])
    return number(at[f"{name}_theory"]), seen


def _judged(n, data):
    """With the error of which three cover as three standard errors do, told by few graphs alone."""
    graphs = len(json.loads(data.attrs["settings"])["seeds"])
    return Number(n.value, n.sem * of_few_graphs(graphs) if n.sem else 0.0)


def _note(data):
    return f"K = {float(data.K[-1]):g}; error over networks of other seeds"
