"""cbnet's simulations beside plain Brian2 in its best form: ``python -m benchmarks.core``.

Every row runs both in turn (A B A B) on one thread, and prints the median of the ratios with their
range. Ratios decide; nanoseconds inform, and depend on the machine. ``--peers`` adds NEST, where it
is installed (PyPI: nest-simulator). ``--only`` takes names from the list that ``--help`` prints.
"""

import argparse
import json
import os
import platform
import sys

import brian2

import cbnet

from . import peers, rows


def names(text):
    """The rows of ``--only``."""
    chosen = [name.strip() for name in text.split(",")]
    unknown = [name for name in chosen if name not in rows.ROWS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"got {', '.join(unknown)}; expected some of {', '.join(rows.ROWS)}"
        )
    return chosen


def machine():
    """What the numbers depend on."""
    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next((x.split(":")[1].strip() for x in lines if "model name" in x), model)
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "brian2": brian2.__version__,
        "cbnet": cbnet.__version__,
    }


def main(arguments=None):
    """Print the table; the exit code is 1 if a row misses what it should reach."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", metavar="FILE", help="also write everything to this file")
    parser.add_argument("--peers", action="store_true", help="also measure NEST")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each program (5)")
    default = [name for name in rows.ROWS if name not in rows.ONLY_WHEN_ASKED]
    parser.add_argument(
        "--only", type=names, default=default, metavar="NAME,...", help=", ".join(rows.ROWS)
    )
    options = parser.parse_args(arguments)
    about = machine()
    print(", ".join(f"{k} {v}" for k, v in about.items()))
    print(f"{'work':58} {'asked':>7} {'median':>11} {'range':>13}")
    found = []
    measured = [(name, rows.ROWS[name]) for name in options.only]
    if options.peers:
        measured += [(name, peers.ROWS[name]) for name in peers.ROWS]
    for name, function in measured:
        for row in function(options.repeats):
            print(row, flush=True)
            found.append({"row": name, **row.to_dict()})
        if options.json:  # after every row: a long run that is stopped has told what it found
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump({"machine": about, "repeats": options.repeats, "rows": found}, file)
    return 1 if any(row["met"] is False for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
