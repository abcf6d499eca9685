"""Monte Carlo of neurons with synaptic time constants, for the theory to be held against.

``python -m benchmarks.colored_reference`` compiles `filtered_neuron.cpp` with g++, simulates every
point below with two steps and writes `colored_reference.csv`: rate, CV of the intervals, mean and
sd of v, extrapolated in dt, with standard errors (jackknife over independent copies). It takes
some twenty minutes on one core; a number of points as argument does only so many.
"""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from brian2 import Hz

import cbnet
from cbnet.simulation.event_driven import arrival_rates

HERE = Path(__file__).resolve().parent
TABLE = HERE / "colored_reference.csv"
STEPS_MS = (0.1, 0.05)
COPIES = 100
SEED = 20
SPIKES = 6_000  # aimed at, in all copies and at each step
ARRIVALS = 5e8  # at most
FIELDS = ("rate_Hz", "cv", "V_mean_mV", "V_sd_mV")

STRONG = {"a": 0.01, "g": 12, "K": 1000}
MIDDLE = {"a": 0.005, "g": 20, "K": 1000}
WEAK = {"a": 0.003, "g": 12, "K": 1000}
SHORT = {"tau_L": "10ms", "E_L": "-70mV", "theta": "-50mV", "V_r": "-60mV", "a": 0.003, "g": 10}
LONG = {
    "tau_L": "30ms",
    "E_I": "-85mV",
    "theta": "-52mV",
    "V_r": "-70mV",
    "tau_rp": "5ms",
    "a": 0.004,
    "g": 5,
}
SPARSE = {"K": 100, "a": 0.03, "g": 4, "gamma": 0.4}
# model, changes of the reference set, r_E and r_I in Hz, tau_E and tau_I in ms
POINTS = (
    *(("conductance", STRONG, 10, 18, t, t) for t in (0.1, 0.5, 1, 2)),
    *(("conductance", STRONG, 50, 90, t, t) for t in (0.1, 0.5)),
    *(("conductance", STRONG, 20, 36, t, t) for t in (0.5, 1)),
    *(("conductance", MIDDLE, 20, 16, t, t) for t in (0.1, 0.5, 1, 2)),
    *(("conductance", MIDDLE, 100, 80, t, t) for t in (0.1, 0.5, 1, 2)),
    *(("conductance", WEAK, 20, 16, t, t) for t in (0.1, 0.5, 1, 2, 5, 10)),
    *(("conductance", WEAK, 100, 80, t, t) for t in (0.1, 1, 5, 10)),
    ("conductance", {}, 60, 30, 2, 2),
    ("conductance", {}, 30, 12, 5, 5),
    ("conductance", {}, 30, 12, 2, 10),
    ("conductance", {}, 30, 12, 10, 2),
    ("conductance", {"g": 8, "a": 0.005}, 20, 30, 1, 1),
    ("conductance", {"g": 8, "a": 0.005}, 20, 30, 1, 4),
    ("conductance", {"g": 15, "a": 0.004, "K": 2000}, 15, 16, 0.5, 0.5),
    ("conductance", {"gamma": 0.4, "g": 6, "a": 0.008, "K": 400}, 20, 22, 1, 3),
    ("conductance", SHORT, 20, 9, 2, 2),
    ("conductance", SHORT, 20, 9, 5, 2),
    ("conductance", SHORT, 20, 9, 0.5, 5),
    ("conductance", LONG, 20, 30, 1, 1),
    ("conductance", LONG, 20, 30, 3, 0.3),
    ("conductance", {"E_E": "10mV", "E_I": "-70mV", "a": 0.004, "g": 18}, 30, 40, 0.3, 0.3),
    ("conductance", {"a": 0.02, "g": 12}, 5, 9, 0.2, 0.2),
    ("conductance", {"a": 0.02, "g": 12}, 5, 9, 0.5, 0.5),
    ("conductance", SPARSE, 20, 40, 1, 1),
    ("conductance", SPARSE, 20, 40, 0.3, 3),
    ("conductance", {"a": 0.0015}, 40, 17, 50, 5),
    ("conductance", {"a": 0.0015}, 40, 16, 20, 20),
    ("current", {}, 50.5, 20.5, 2, 2),
    ("current", {}, 50.5, 20.5, 5, 5),
    ("current", {}, 50.5, 20.5, 2, 10),
    ("current", {}, 50.5, 20.5, 10, 2),
    ("current", {"K": 100, "a": 0.01, "g": 15, "tau_L": "15ms"}, 45, 15, 3, 3),
    ("current", {"K": 100, "a": 0.01, "g": 15, "tau_L": "15ms"}, 45, 15, 0.5, 6),
    ("current", {"K": 50, "a": 0.03, "g": 8, "theta": "-58mV"}, 15, 15, 1, 1),
)


def parameters(point):
    """The point's Parameters and rates, ready for cbnet."""
    model, changes, r_E, r_I, tau_E, tau_I = point
    params = cbnet.load(model).replace(**changes, tau_E=f"{tau_E}ms", tau_I=f"{tau_I}ms")
    return params, r_E, r_I


def compiled(folder):
    """Path of the compiled program."""
    program = Path(folder) / "filtered_neuron"
    source = HERE / "filtered_neuron.cpp"
    subprocess.run(["g++", "-O3", "-o", str(program), str(source)], check=True)
    return program


def arguments(point):
    """What describes the neuron to the program, in ms and mV."""
    params, r_E, r_I = parameters(point)
    v = arrival_rates(params, r_E * Hz, r_I * Hz, "E")
    if params.model.name == "current":
        synapses = (0, 0, v["J_E"] * 1e3, 0, 0, -v["J_I"] * 1e3)
    else:
        synapses = (v["a"], v["E_E"] * 1e3, 0, v["g"] * v["a"], v["E_I"] * 1e3, 0)
    times = (v["tau_E"] * 1e3, v["tau_I"] * 1e3, v["R_E"] / 1e3, v["R_I"] / 1e3)
    names = ("tau_L", "E_L", "theta", "V_r", "tau_rp")
    tau_L, E_L, *rest = (v[name] * 1e3 for name in names)
    return [repr(float(x)) for x in (*synapses, *times, tau_L, E_L, 0, 0, *rest)]


def run(program, point, dt, duration, seed, copies=COPIES):
    """Statistics (ms, mV) of one neuron in the order of FIELDS, and their standard errors."""
    _, _, _, _, tau_E, tau_I = point
    how = (dt, copies, duration, 200 + 10 * max(tau_E, tau_I), seed)
    command = [str(program), *arguments(point), *map(str, how)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = np.array([line.split() for line in text.splitlines()], float)
    left_out = np.array([statistics(row, duration * (copies - 1)) for row in rows.sum(0) - rows])
    sem = np.sqrt((copies - 1) * left_out.var(0))
    return statistics(rows.sum(0), duration * copies), sem


def statistics(sums, duration):
    """From the program's sums over copies."""
    spikes, total, squares, n, below, v1, v2 = sums
    n = max(n, 1)
    cv = np.sqrt(max(squares / n - (total / n) ** 2, 0)) / max(total / n, 1e-300)
    return np.array(
        [spikes / duration * 1e3, cv, v1 / below, np.sqrt(v2 / below - (v1 / below) ** 2)]
    )


def reference(program, point, seed, spikes=SPIKES):
    """Statistics extrapolated in dt, their standard errors, and whether the two steps agree.

    The error of a step is of fourth order; the last number is the difference of the two rates in
    units of its standard error.
    """
    (rate, *_), _ = run(program, point, STEPS_MS[0], 2e3, seed)
    longest = ARRIVALS / sum(map(float, arguments(point)[8:10]))
    duration = min(longest, spikes / max(rate, 1e-3) * 1e3) / COPIES
    (coarse, e_coarse), (fine, e_fine) = (
        run(program, point, dt, duration, seed + k) for k, dt in enumerate(STEPS_MS, 1)
    )
    ratio = (STEPS_MS[0] / STEPS_MS[1]) ** 4
    weight = ratio / (ratio - 1)
    found = weight * fine - (weight - 1) * coarse
    sem = np.hypot(weight * e_fine, (weight - 1) * e_coarse)
    return found, sem, (fine[0] - coarse[0]) / np.hypot(e_fine[0], e_coarse[0])


def main():
    """Simulate and write the table."""
    points = POINTS[: int(sys.argv[1])] if len(sys.argv) > 1 else POINTS
    with tempfile.TemporaryDirectory() as folder, TABLE.open("w", newline="") as file:
        program = compiled(folder)
        writer = csv.writer(file)
        errors = (f"{name}_sem" for name in FIELDS)
        writer.writerow(("point", *FIELDS, *errors, "difference_of_steps_in_sem"))
        for k, point in enumerate(points):
            found, sem, difference = reference(program, point, SEED + 10 * k)
            row = [f"{x:.6g}" for x in (*found, *sem)]
            writer.writerow((k, *row, f"{difference:.2f}"))
            file.flush()
            print(point, *row, f"{difference:.2f}", flush=True)


if __name__ == "__main__":
    main()
