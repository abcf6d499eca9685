"""Networks beside theories of regular presynaptic trains: ``python -m benchmarks.regular_trains``.

Rate and CV of E neurons: simulated, with standard errors, and in theory with Poisson trains and
with renewal trains of the neurons' own CV. The last line counts the networks in which a theory is
closer, by more than two standard errors. ``--unequal`` is about networks of unequal in-degrees:
mean and sd of the rates of their neurons.
"""

import argparse
import json

import numpy as np

import cbnet
from cbnet.errors import ConvergenceError

NETWORKS = (
    ("conductance", 20),
    ("conductance", 30),
    ("conductance", 50),
    ("current", 30),
    ("current", 50),
    ("current", 80),
)
THEORIES = tuple(
    (noise, trains) for trains in ("poisson", "renewal") for noise in ("diffusion", "shot")
)
RTOL = 1e-3
# nu_X in Hz, in-degree, its coefficient of variation, neurons; conductance synapses
UNEQUAL = ((30, 1000, 0.1, 10_000), (30, 1000, 0.0, 10_000), (40, 200, 0.15, 2_000))


def theory(params, noise, trains):
    """Rate (Hz) and CV of the most active stable state."""
    try:
        found = cbnet.solve(params, noise=noise, trains=trains, rtol=RTOL)
    except ConvergenceError as failure:
        found = failure.best
    state = [s for s in found.fixed_points if s.stable][-1]
    return float(state.rate_E), float(state.cv_E)


def row(model, nu_X, N, seconds, seed=1):
    """One network: what was simulated, and every theory."""
    params = cbnet.load(model).replace(nu_X=f"{nu_X}Hz")
    seen = cbnet.simulate(params, N=N, duration=f"{seconds}s", seed=seed)
    return {
        "model": model,
        "nu_X_Hz": nu_X,
        "rate": [float(seen.rate_E), float(seen.rate_E_sem)],
        "cv": [float(seen.cv_E), float(seen.cv_E_sem)],
        "fano_1ms": float(seen.fano_1ms),
    } | {f"{noise} {trains}": theory(params, noise, trains) for noise, trains in THEORIES}


def closer(one, of):
    """Which trains are closer to the simulation, by more than two standard errors, or neither."""
    k = ("rate", "cv").index(of)
    value, sem = one[of]
    misses = [abs(one[f"shot {trains}"][k] - value) for trains in ("poisson", "renewal")]
    if abs(misses[0] - misses[1]) < 2 * sem:
        return "undecided"
    return "poisson" if misses[0] < misses[1] else "renewal"


def unequal(nu_X, K, CV_K, N, seconds, graphs):
    """Mean rate of neurons, its standard error over graphs, sd; mean and sd in both theories."""
    params = cbnet.load("conductance").scaled("sqrt", K=K).replace(nu_X=f"{nu_X}Hz")
    law = {"law": "gaussian", "CV_K": CV_K} if CV_K else {}
    seen = [
        cbnet.simulate(params.replace(**law), N=N, duration=f"{seconds}s", seed=seed)
        for seed in range(1, graphs + 1)
    ]
    rates = np.array([one.spike_counts[: one.N_E] for one in seen]) / seconds
    sem = rates.mean(1).std(ddof=1) / np.sqrt(graphs)
    fano = np.mean([one.fano_1ms for one in seen])
    found = {"simulation": (rates.mean(), sem, rates.std(1).mean(), fano)}
    for trains in ("poisson", "renewal"):
        theory = cbnet.heterogeneity(params, CV_K=CV_K, N=N, noise="shot", trains=trains, rtol=RTOL)
        found[trains] = float(theory.rate_mean[0]), float(theory.rate_sd[0])
    return found


def show_unequal(seconds, graphs):
    print("| nu_X, K, CV_K, N | simulation | shot poisson | shot renewal | Fano |")
    print("|---" * 5 + "|")
    for given in UNEQUAL:
        found = unequal(*given, seconds, graphs)
        seen = "{:.1f} ± {:.1f}, {:.1f} | ".format(*found["simulation"])
        theories = " | ".join("{:.1f}, {:.1f}".format(*found[t]) for t in ("poisson", "renewal"))
        name, fano = ", ".join(f"{x:g}" for x in given), found["simulation"][-1]
        print(f"| {name} | {seen}{theories} | {fano:.1f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--N", type=int, default=10_000, help="neurons")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each simulation")
    parser.add_argument("--json", help="write the rows there, too")
    parser.add_argument("--graphs", type=int, default=6, help="simulated for each with --unequal")
    parser.add_argument("--unequal", action="store_true", help="networks of unequal in-degrees")
    given = parser.parse_args()
    if given.unequal:
        return show_unequal(given.seconds, given.graphs)
    names = [f"{noise} {trains}" for noise, trains in THEORIES]
    print("| network, nu_X | simulation | " + " | ".join(names) + " | Fano |")
    print("|---" * (len(names) + 3) + "|")
    rows = []
    for model, nu_X in NETWORKS:
        one = row(model, nu_X, given.N, given.seconds)
        rows.append(one)
        seen = "{:.2f} ± {:.2f}, {:.4f} ± {:.4f}".format(*one["rate"], *one["cv"])
        theories = " | ".join("{:.2f}, {:.3f}".format(*one[name]) for name in names)
        print(f"| {model}, {nu_X} | {seen} | {theories} | {one['fano_1ms']:.1f} |", flush=True)
    for of in ("rate", "cv"):
        found = [closer(one, of) for one in rows]
        counts = ", ".join(
            f"{trains} {found.count(trains)}" for trains in ("poisson", "renewal", "undecided")
        )
        print(f"closer in {of} (finite jumps): {counts}")
    if given.json:
        with open(given.json, "w") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
