"""Formulas for filtered synapses within their ranges: ``python -m benchmarks.formulas``.

Random neurons and inputs, of which those count that lie within a formula's range; the formula is
held against the solution for these synapses (``noise="colored"``, to a thousandth). Prints how many
there were, the root mean square and the largest relative deviation of the rate, and the neuron of
the largest. ``cbnet.theory.neuron.colored.colored_noise_limits.WITHIN`` states these errors.
"""

import argparse
import sys
import warnings

import numpy as np
from brian2 import Hz, ms, mV

import cbnet
from cbnet.errors import CbnetWarning, ConvergenceError
from cbnet.theory.neuron.colored.colored_noise_limits import WITHIN

DRAWN = 40_000  # per formula at most, of which few lie within its range
SLOWEST = 0.5  # Hz


def draw(rng, name):
    """Parameters and rates (Hz) of inputs, of neurons between rare and regular firing."""
    theta = rng.uniform(-58, -45)
    model = cbnet.load("conductance" if rng.random() < 0.5 else "current")
    tau_L = 10 ** rng.uniform(0.7, 1.6)
    ratio = {"rescaled": (-1.5, 1.5), "adiabatic": (-0.8, 2.0)}
    ratio |= dict.fromkeys(("fast", "shift"), (-2.0, -0.5))
    tau_E = tau_L * 10 ** rng.uniform(*ratio.get(name, (-0.3, 1.3)))
    tau_I = tau_E * (10 ** rng.uniform(-0.4, 0.4) if rng.random() < 0.5 else 1)
    params = model.replace(
        K=int(10 ** rng.uniform(1, 3.5)),
        a=10 ** rng.uniform(-3.2, -1.8),
        g=rng.uniform(4, 25),
        gamma=rng.uniform(0.1, 0.6),
        theta=theta * mV,
        V_r=(theta - rng.uniform(1, 20)) * mV,
        E_L=(theta - rng.uniform(2, 30)) * mV,
        tau_L=tau_L * ms,
        tau_rp=rng.choice([5, 15]) * rng.uniform(0, 1) * ms,
        tau_E=tau_E * ms,
        tau_I=tau_I * ms,
    )
    r_E = 10 ** rng.uniform(0.5, 2.3)
    return params, r_E, r_E * rng.uniform(0, 1.2)


def deviations(name, wanted, seed):
    """(deviation, parameters, r_E, r_I) of as many neurons within the range as wanted."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(DRAWN):
        if len(found) == wanted:
            break
        params, r_E, r_I = draw(rng, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CbnetWarning)
            formula = cbnet.respond(params, r_E * Hz, r_I * Hz, noise=name)
            if not (np.isfinite(float(formula.error)) and float(formula.rate) > SLOWEST):
                continue
            try:
                exact = cbnet.respond(params, r_E * Hz, r_I * Hz, noise="colored", rtol=1e-3)
            except ConvergenceError as failure:
                exact = failure.best
        if float(exact.error) < 5e-3 and float(exact.rate) > SLOWEST:
            found.append((float(formula.rate / exact.rate) - 1, params, r_E, r_I))
    return found


def main():
    """Print the table; the exit code is 1 if a stated error is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--neurons", type=int, default=200, help="within each range")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join(WITHIN), help="formulas, with commas between")
    options = parser.parse_args()
    wrong = False
    print("| formula | neurons | root mean square | largest | stated |\n|---|---|---|---|---|")
    for name in options.only.split(","):
        stated = WITHIN[name]
        found = deviations(name, options.neurons, options.seed)
        off = np.array([one[0] for one in found])
        worst = found[int(np.abs(off).argmax())]
        print(
            f"| {name} | {off.size} | {np.sqrt(np.mean(off**2)):.1%} | {worst[0]:+.1%} "
            f"| {stated:.0%} |",
            flush=True,
        )
        print(
            f"{name}: {worst[1]!r}, r_E={worst[2]:.4g} Hz, r_I={worst[3]:.4g} Hz", file=sys.stderr
        )
        wrong |= bool(np.abs(off).max() > stated)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
