"""Time of a firing rate in theory, beside NNMT's Siegert function: ``python -m benchmarks.theory``.

Two batches of neurons: current synapses, where a closed form exists and NNMT has it, and
conductance synapses, where only the collocation serves. Rates are timed in one process, no threads
but those of numpy; the median processor time of several repeats is printed in microseconds a
neuron. Then whole answers in milliseconds, beside what is aimed at: networks, finite jumps,
synaptic time constants.
"""

import argparse
import importlib.util
import json
import statistics
import sys
import time

import numpy as np

import cbnet
from cbnet.theory.neuron.white import siegert
from cbnet.theory.response import Neuron

from . import accuracy

NEURONS = 2000
REPEATS = 7
AGREEMENT = 1e-9  # required of the rates that both compute
_CASES = {
    "rate, rtol 1e-6": {"rtol": 1e-6, "cv": False},
    "rate and CV, rtol 1e-6": {"rtol": 1e-6},
    "rate, rtol 1e-10": {"rtol": 1e-10, "cv": False},
    "rate, CV, mean and sd of V, rtol 1e-8": {"rtol": 1e-8, "moments": True},
}


# answers, and the milliseconds that each should take
AIMED_AT = {
    "network, every branch, white noise": 50,
    "network, every branch, finite jumps, K = 1000": 1000,
    "rate and CV with finite jumps, 1e-4": 3,
    "rate and CV with tau_S = 1 ms, 1 %": 250,
    "distribution of rates, finite jumps, conductance, CV_K = 0.2": 1000,
    "distribution of rates, finite jumps, current, CV_K = 0.2": 1000,
}


def microseconds(function, repeats, of=NEURONS):
    """Median processor time of one neuron of a batch, the first call not counted."""
    function()
    times = []
    for _ in range(repeats):
        start = time.process_time()  # other work on the machine counts little
        function()
        times.append(time.process_time() - start)
    return statistics.median(times) / of * 1e6


def inputs():
    """Presynaptic rates in Hz for which reference neurons fire from below 1e-3 Hz up."""
    rng = np.random.default_rng(1)
    r_E = rng.uniform(20, 80, NEURONS)
    return r_E, r_E * rng.uniform(0.2, 0.7, NEURONS)


def nnmt_rates(neuron, r_E, r_I):
    """A function that computes the same rates with NNMT, or None where it is not installed."""
    if importlib.util.find_spec("nnmt") is None:
        return None
    from nnmt.lif.delta import _firing_rates_for_given_input

    values = neuron.values
    mu, tau = neuron.rest(r_E, r_I)
    B2 = neuron.reduced.function("B2", neuron.bound(r_E, r_I))(np.zeros((r_E.size, 1)))[:, 0]
    # its potentials are relative to the resting potential, and its sigma² is that of τ B²
    mean, sigma = mu - values["E_L"], np.sqrt(tau * B2)
    reset, threshold = neuron.reset - values["E_L"], neuron.threshold - values["E_L"]
    return lambda: _firing_rates_for_given_input(
        mean, sigma, reset, threshold, values["tau_L"], values["tau_rp"]
    )


def answers():
    """Functions that compute the answers of :data:`AIMED_AT`, in that order."""
    params = cbnet.load("conductance")
    white, jumps = params.replace(g=12, a=0.0015, nu_X="10Hz"), params
    strong = params.replace(g=12, a=0.01)
    shot, colored = (
        Neuron(strong, noise="shot"),
        Neuron(strong.replace(tau_S="1ms"), noise="colored"),
    )
    one = np.array([10.0]), np.array([18.0])
    current = cbnet.load("current")
    return (
        lambda: cbnet.solve(white, noise="diffusion"),
        lambda: cbnet.solve(jumps, noise="shot"),
        lambda: shot.passage(*one),
        lambda: colored.passage(*one),
        lambda: cbnet.heterogeneity(params, CV_K=0.2, noise="shot"),
        lambda: cbnet.heterogeneity(current, CV_K=0.2, noise="shot"),
    )


def measure(repeats=REPEATS):
    """All timings and differences, as a dictionary ready for JSON."""
    r_E, r_I = inputs()
    found = {"neurons": NEURONS, "repeats": repeats, "us_per_neuron": {}, "versions": {}}
    found["versions"] = cbnet.respond(cbnet.load("conductance")).versions
    neurons = {name: Neuron(cbnet.load(name)) for name in ("conductance", "current")}
    for name, neuron in neurons.items():
        for case, options in _CASES.items():
            found["us_per_neuron"][f"{name}: {case}"] = microseconds(
                lambda neuron=neuron, options=options: neuron.passage(r_E, r_I, **options), repeats
            )
    current = neurons["current"]
    mu, tau = current.rest(r_E, r_I)
    B2 = current.reduced.function("B2", current.bound(r_E, r_I))(np.zeros((NEURONS, 1)))[:, 0]

    def closed_form():
        return siegert.rate(mu, tau, B2, current.threshold, current.reset, current.tau_rp)

    found["us_per_neuron"]["current: closed form of cbnet"] = microseconds(closed_form, repeats)
    collocation = current.passage(r_E, r_I, rtol=1e-10, cv=False).rate
    # rates below this are silence, and relative differences of them nobody's concern
    firing = collocation > 1e-6
    found["firing"] = int(firing.sum())
    found["difference_closed_form"] = float(np.max(np.abs(closed_form() / collocation - 1)[firing]))
    found["ms_an_answer"] = {
        what: microseconds(function, min(repeats, 3), 1) / 1e3
        for what, function in zip(AIMED_AT, answers(), strict=True)
    }
    theirs = nnmt_rates(current, r_E, r_I)
    if theirs is None:
        found["difference_nnmt"] = None
    else:
        found["us_per_neuron"]["current: Siegert function of NNMT"] = microseconds(theirs, repeats)
        found["difference_nnmt"] = float(np.max(np.abs(theirs() / collocation - 1)[firing]))
    return found


def main():
    """Print the table, or JSON; the exit code is 1 if the rates do not agree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="timed repeats of each case")
    parser.add_argument(
        "--accuracy", action="store_true", help="deviations from exact simulations instead of times"
    )
    options = parser.parse_args()
    if options.accuracy:
        if options.json:
            print(json.dumps(list(accuracy.compare())))
            return 0
        return accuracy.show(accuracy.compare())
    found = measure(options.repeats)
    if options.json:
        print(json.dumps(found))
    else:
        print(f"{found['neurons']} neurons, median of {found['repeats']}:")
        for case, us in found["us_per_neuron"].items():
            print(f"  {us:8.2f} us  {case}")
        print("one answer:")
        for what, ms in found["ms_an_answer"].items():
            print(f"  {ms:8.1f} ms  {what} (aimed at {AIMED_AT[what]} ms)")
        print(f"largest relative difference of rates above 1e-6 Hz ({found['firing']} neurons):")
        print(f"  {found['difference_closed_form']:.1e}  collocation against the closed form")
        if found["difference_nnmt"] is None:
            print("  NNMT is not installed: pip install nnmt (it needs Python below 3.13)")
        else:
            print(f"  {found['difference_nnmt']:.1e}  collocation against NNMT")
    differences = [found["difference_closed_form"], found["difference_nnmt"] or 0.0]
    if max(differences) > AGREEMENT:
        print(f"rates differ by {max(differences):.1e}, more than {AGREEMENT:g}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
