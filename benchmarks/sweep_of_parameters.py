"""Every treatment of noise at random parameters: a value, or an error with a name.

``python -m benchmarks.sweep_of_parameters --sets 10000`` draws neurons with 1 to 1e15 inputs,
efficacies scaled as K^-1/2, 1/log K or 1/K, and rates from none to saturation, asks each for its
response by one treatment after the other, and prints how often each gave what. It returns 1 if any
answer was not a number, came with a warning of numpy, took longer than 5 s, or failed without a
name. A formula (kramers, fast, adiabatic, rescaled, rice) outside of its range must say that its
error is not known, which counts as "outside". ``--first`` goes on from where another run stopped:
set k is the same in every run.
"""

import argparse
import collections
import signal
import sys
import time
import warnings

import numpy as np
from brian2 import Hz, ms, mV

import cbnet
from cbnet.errors import CbnetError, CbnetWarning, ConvergenceError
from cbnet.theory.neuron.treatments import METHODS

LIMIT = 10.0  # s of all processors; by the clock three times as long, on a machine that is busy
GOOD = ("value", "outside", "undefined", "ConvergenceError", "ParameterError")


class TooLong(Exception):
    """An answer that took longer than the limit."""


def draw(k, filtered):
    """Parameters, and rates of the inputs in Hz, of set k."""
    rng = np.random.default_rng([17, k])
    K = int(10 ** rng.uniform(0, 15))
    g, gamma = rng.uniform(0.5, 25), 10 ** rng.uniform(-1.3, 0.3)
    strength = 10 ** rng.uniform(-2.5, -0.3)
    law = rng.integers(3)
    a = strength * [K**-0.5, 0.2 / np.log(K + 2), 1 / K][law]
    theta = rng.uniform(-65, -40)
    changes = {
        "K": K,
        "g": g,
        "gamma": gamma,
        "a": min(a, 0.9 / max(g, 1)),
        "theta": theta * mV,
        "V_r": (theta - 10 ** rng.uniform(0, 1.4)) * mV,
        "tau_L": 10 ** rng.uniform(0.3, 2) * ms,
        "tau_rp": rng.uniform(0, 5) * ms,
    }
    taus = 10 ** rng.uniform(-2, 1.7, 2)
    if filtered:
        changes |= {
            "tau_E": taus[0] * ms,
            "tau_I": (taus[0] if rng.random() < 0.5 else taus[1]) * ms,
        }
    r_E = 10 ** rng.uniform(-2, 2.5)
    # near the balance of the two, where K large neither silences nor saturates, or anywhere
    ratio = (60 + theta) / 60 if rng.random() < 0.1 else 10 ** rng.uniform(-1.5, 0.7)
    r_E, r_I = (0.0 if rng.random() < 0.03 else r for r in (r_E, r_E * ratio))
    params = cbnet.load("conductance" if rng.random() < 0.5 else "current").replace(**changes)
    return params, r_E, r_I


def outcome(name, k):
    """What a treatment makes of set k, in a word, and why if that is a failure."""
    params, r_E, r_I = draw(k, METHODS[name].filtered)
    with warnings.catch_warnings(), np.errstate(divide="warn", over="warn", invalid="warn"):
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", CbnetWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        try:
            found = cbnet.respond(params, r_E * Hz, r_I * Hz, noise=name)
        except ConvergenceError as error:
            known = np.isfinite(float(error.best.rate)) or "no grid holds" in str(error)
            return ("ConvergenceError", "") if known else ("no rate", str(error))
        except CbnetError as error:
            return type(error).__name__, str(error)
        except TooLong:
            return "too long", ""
        except Exception as error:
            return "failure", repr(error)
    rate, error = float(found.rate), float(found.error)
    if np.isnan(rate) and name == "kramers":
        return "undefined", ""  # stated: the mean is not below the threshold
    # a rounding above 1/tau_rp is none
    if not 0 <= rate * float(params.tau_rp) <= 1 + 1e-12 or not np.isfinite(rate):
        return "no rate", f"{rate}"
    voltage = float(found.V_mean), float(found.V_sd)
    if not (METHODS[name].formula or np.isfinite(voltage).all()):
        return "no voltage", f"{voltage}"
    if "error not known" in found.noise:
        return ("outside", "") if error == np.inf else ("no error estimate", f"{error}")
    return ("value", "") if 0 <= error < np.inf else ("no error estimate", f"{error}")


def _interrupt(signum, frame):
    raise TooLong


def sweep(names, sets, first=0, stop=sys.maxsize):
    """Outcomes counted by treatment, what failed, and the longest time of each treatment."""
    counts, failures = collections.Counter(), []
    longest = dict.fromkeys(names, 0.0)
    signal.signal(signal.SIGALRM, _interrupt)
    begun = time.monotonic()
    for k in range(first, first + sets):
        name = names[k % len(names)]
        started = time.process_time()
        signal.setitimer(signal.ITIMER_REAL, 3 * LIMIT)
        try:
            what, why = outcome(name, k)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        took = time.process_time() - started
        longest[name] = max(longest[name], took)
        if what in GOOD and took > LIMIT:
            what, why = "too long", f"{took:.1f} s"
        counts[name, what] += 1
        if what not in GOOD:
            failures.append((k, name, what, why))
        if time.monotonic() - begun > stop:
            break
    return counts, failures, longest


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep_of_parameters")
    parser.add_argument("--sets", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--noise", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--stop", type=int, default=sys.maxsize, help="after so many seconds")
    args = parser.parse_args(argv)
    counts, failures, longest = sweep(args.noise, args.sets, args.first, args.stop)
    for name in args.noise:
        mine = ", ".join(f"{what} {n}" for (m, what), n in sorted(counts.items()) if m == name)
        print(f"{name:10s} longest {longest[name]:6.2f} s   {mine}")
    print(f"{sum(counts.values())} sets, {len(failures)} failures")
    for k, name, what, why in failures:
        print(f"  {k} {name}: {what} {why}")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
