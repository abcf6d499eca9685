"""Whether stated errors are kept: ``python -m benchmarks.coverage``.

Random neurons (:mod:`benchmarks.random_neurons`), each solver beside a more exact and independent
solution of the same equations, each formula beside what it approximates:

- finite jumps: a Markov chain on grids, extrapolated (:mod:`benchmarks.jump_chain`);
- white noise: quadrature (:mod:`benchmarks.white_quadrature`);
- filtered synapses: simulation (:mod:`benchmarks.filtered_paths`).

A number is within if it deviates by no more than its stated error and three standard errors of the
reference. The exit code is 1 unless 99 % of every row are, and none is off by more than three times
its stated error. Of what is not within the worst are printed, with what makes the neuron again.
"""

import argparse
import functools
import json
import multiprocessing
import os
import sys
import time

from . import coverage_densities, coverage_in_degrees, coverage_networks, coverage_solvers
from .coverage_checks import failures, met, row
from .jump_chain import compiled

CHAIN, PATHS, FILTERED = "jump_chain.cpp", "jump_paths.cpp", "filtered_neuron.cpp"
# What to draw, how often in a full run, and the program that is needed for it.
SUBJECTS = {
    "shot": (coverage_solvers.shot, 300, CHAIN),
    "rare": (coverage_solvers.rare, 40, CHAIN),
    "white": (coverage_solvers.white, 300, None),
    "colored": (coverage_solvers.colored, 40, FILTERED),
    "few": (coverage_solvers.few, 20, FILTERED),
    **{
        name: (functools.partial(coverage_solvers.formula, name), 20, None)
        for name in coverage_solvers.RANGES
    },
    "densities": (coverage_densities.shot, 60, CHAIN),
    "densities_white": (coverage_densities.white, 60, None),
    "densities_colored": (coverage_densities.colored, 10, FILTERED),
    "intervals": (coverage_densities.intervals, 30, PATHS),
    "networks": (coverage_networks.fixed_points, 20, CHAIN),
    "in_degrees": (coverage_in_degrees.distribution, 10, None),
}
SEED = 1


def one(task):
    """The checks of one draw, and the seconds for them."""
    name, seed, index = task
    started = time.perf_counter()
    return name, SUBJECTS[name][0](seed, index), time.perf_counter() - started


def measure(names, share=1.0, seed=SEED, processes=1):
    """Checks of the subjects named, a share of the full number of each.

    Returns
    -------
    dict of tuple to list of Check
        By solver and statistic.
    dict of str to float
        Seconds of each subject.
    """
    for source in sorted({SUBJECTS[name][2] for name in names} - {None}):
        compiled(source)  # once, and not in every process
    tasks = [
        (name, seed, index)
        for name in names
        for index in range(max(1, round(share * SUBJECTS[name][1])))
    ]
    found, seconds = {}, dict.fromkeys(names, 0.0)
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for name, checks, took in pool.imap_unordered(one, tasks):
            seconds[name] += took
            for check in checks:
                found.setdefault((check.solver, check.statistic), []).append(check)
    return found, seconds


def table(found):
    """The table, in Markdown."""
    lines = [
        "| solver | statistic | checks | error not known | within | worst, times its error "
        "| stated (median) | error of the reference (median) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for checks in found.values():
        this = row(checks)
        lines.append(
            f"| {this['solver']} | {this['statistic']} | {this['checks']} | {this['not known']} "
            f"| {this['within']:.1%} | {this['worst']:.2g} | {this['stated']:.1e} "
            f"| {this['reference']:.1e} |"
        )
    return "\n".join(lines)


def main():
    """Print the table and what failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(SUBJECTS), help="subjects, with commas between")
    parser.add_argument("--share", type=float, default=1.0, help="of the full number of neurons")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--show", type=int, default=3, help="neurons of a row that failed, at most")
    parser.add_argument("--json", help="file for every check")
    options = parser.parse_args()
    names = options.only.split(",")
    found, seconds = measure(names, options.share, options.seed, options.processes)
    print(table(found), flush=True)
    for (solver, statistic), checks in found.items():
        for check in failures(checks)[: options.show]:
            print(
                f"{solver}, {statistic}: off {check.off:.2e}, stated {check.stated:.2e}, reference "
                f"± {check.sem:.1e}: {check.about}",
                file=sys.stderr,
            )
    print(
        f"seed {options.seed}; seconds: "
        + ", ".join(f"{name} {took:.0f}" for name, took in seconds.items())
    )
    if options.json:
        with open(options.json, "w") as file:
            json.dump([vars(check) for checks in found.values() for check in checks], file)
    return int(not all(met(checks) for checks in found.values()))


if __name__ == "__main__":
    sys.exit(main())
