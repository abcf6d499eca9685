"""Standard errors of simulations against the spread over noise within one graph.

    python -m benchmarks.standard_errors [--seeds 60] [--only NAME]

Each network is simulated with one graph (``graph_seed``) and many seeds. The ratio is the standard
deviation of a statistic over the seeds, over the root mean square of the standard errors that the
runs state for it: one where they are right, above one where they are too small. The last row is
the mean over the networks.
"""

import argparse
import os
import warnings

import numpy as np

import cbnet
from cbnet.errors import CbnetWarning
from cbnet.simulation.backends.workshop import run_jobs
from cbnet.simulation.job import prepare

SMALL = {"K": 40, "a": 0.01, "nu_X": "50Hz"}
MIDDLE = {"K": 100, "a": 0.005, "nu_X": "80Hz"}
CURRENT = {"K": 100, "a": 0.006, "nu_X": "40Hz"}
# name: model, values, N, duration
NETWORKS = {
    "few spikes": ("conductance", SMALL, 250, "0.25s"),
    "small": ("conductance", SMALL, 250, "1s"),
    "small, long": ("conductance", SMALL, 250, "5s"),
    "fast synapses": ("conductance", SMALL | {"nu_X": "80Hz", "tau_S": "2ms"}, 250, "0.5s"),
    "filtered synapses": (
        "conductance",
        {"K": 100, "a": 0.006, "nu_X": "60Hz", "tau_S": "2ms"},
        1250,
        "1s",
    ),
    "slow synapses": ("conductance", SMALL | {"nu_X": "80Hz", "tau_S": "20ms"}, 250, "2s"),
    "slow synapses, long": ("conductance", SMALL | {"nu_X": "80Hz", "tau_S": "20ms"}, 250, "10s"),
    "too short to tell": ("conductance", SMALL | {"nu_X": "80Hz", "tau_S": "100ms"}, 250, "1s"),
    "very slow synapses": ("conductance", MIDDLE | {"tau_S": "100ms"}, 1250, "5s"),
    "high rates, short": ("conductance", MIDDLE, 1250, "0.3s"),
    "high rates": ("conductance", MIDDLE, 1250, "1s"),
    "low rates": ("conductance", MIDDLE | {"nu_X": "40Hz"}, 1250, "0.5s"),
    "random in-degrees": ("conductance", MIDDLE | {"law": "bernoulli"}, 1250, "2s"),
    "current": ("current", CURRENT, 1250, "0.5s"),
    "current, slow synapses": ("current", CURRENT | {"tau_S": "10ms"}, 1250, "1s"),
    "large, short": ("conductance", {"K": 400, "a": 0.0024, "nu_X": "50Hz"}, 10_000, "0.3s"),
    "current, large": ("current", {"K": 400, "a": 0.0024, "nu_X": "40Hz"}, 5000, "4s"),
}
STATISTICS = ("rate_E", "rate_I", "cv_E", "cv_I", "V_mean", "V_sd", "fano_1ms")
CURRENTS = ("current_mean", "current_sd")  # excitatory, inhibitory, net


def ratios(results):
    """Spread over stated error by statistic, NaN where no run states one.

    Parameters
    ----------
    results : list of Simulation

    Returns
    -------
    dict of str to float
    """
    found = {}
    for name in (*STATISTICS, *CURRENTS):
        values, errors = (
            np.array([np.atleast_1d(one.in_si(f"{name}{end}"))[-1] for one in results], float)
            for end in ("", "_sem")
        )
        known = np.isfinite(values) & np.isfinite(errors)
        found[name] = np.nan
        if known.sum() > 2:
            stated = np.sqrt(np.mean(errors[known] ** 2))
            found[name] = values[known].std(ddof=1) / stated
    return found


def measure(name, seeds, processes):
    """Ratios of one network, and its rate."""
    model, values, N, duration = NETWORKS[name]
    params = cbnet.load(model).replace(**values)
    slow = "tau_S" in values
    given = {"graph_seed": 1, "dt": "0.1ms", "transient": "2s" if slow else "0.2s"}
    jobs = [prepare(params, N, duration, seed=1000 + k, **given) for k in range(seeds)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CbnetWarning)  # of drifts by chance, and of long steps
        results = run_jobs(jobs, processes)
    return ratios(results), float(np.mean([float(one.in_si("rate_E")) for one in results]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--only", choices=NETWORKS, action="append", help="these networks")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    given = parser.parse_args()
    columns = (*STATISTICS, *CURRENTS)
    print(f"| network | N | time | Hz | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 4) + "|")
    found = []
    for name in given.only or NETWORKS:
        mine, rate = measure(name, given.seeds, given.processes)
        found.append([mine[c] for c in columns])
        _, _, N, duration = NETWORKS[name]
        _print_row(name, f"{N} | {duration} | {rate:.2g}", found[-1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column without a number
        _print_row("mean", " | | ", np.nanmean(found, axis=0))


def _print_row(name, about, numbers):
    shown = ["–" if np.isnan(x) else f"{x:.2f}" for x in numbers]
    print(f"| {name} | {about} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
