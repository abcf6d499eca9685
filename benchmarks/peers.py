"""NEST's exponential conductances beside cbnet's, on one thread and on two.

NEST runs in a process of its own: its threads and its memory are those of the process. It is not
needed for anything else; ``pip install nest-simulator`` installs it.
"""

import importlib.util
import json
import statistics
import subprocess
import sys
from pathlib import Path

from brian2 import Hz

from .measuring import Row, in_turn, ratios
from .rows import exponential_parameters, simulated

SPAN = 0.2  # s
SETTLING = 100.0  # ms, before anything is timed or counted
ROOT = Path(__file__).resolve().parent.parent


def nest(params, threads, N=10_000):
    """A function that simulates the network with NEST, and returns what it took."""
    v = params.resolve("E")
    specification = {**v, "N_E": N * 4 // 5, "N_I": N // 5, "threads": threads, "span": SPAN}

    def run():
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.peers", json.dumps(specification)],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"NEST stopped: {(done.stdout + done.stderr)[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])

    return run


def exponential(repeats):
    """Exponential conductances: NEST's ``iaf_cond_exp`` against cbnet."""
    if importlib.util.find_spec("nest") is None:
        print("NEST is not installed: pip install nest-simulator")
        return []
    params = exponential_parameters()
    run = simulated(params, SPAN, 1e-4)
    run()
    rows = []
    for threads, required in ((1, 50), (2, float("nan"))):
        theirs, ours = in_turn(repeats, nest(params, threads), run)
        values = ratios([r["loop_s"] for r in theirs], [r.simulate_s for r in ours])
        steps = 10_000 * SPAN / 1e-4
        more = {
            "nest_ns_neuron_step": statistics.median(r["loop_s"] / steps * 1e9 for r in theirs),
            "cbnet_ns_neuron_step": statistics.median(r.simulate_s / steps * 1e9 for r in ours),
            "nest_Hz": theirs[0]["rate_Hz"],
            "cbnet_Hz": float(ours[0].rate_E / Hz),
        }
        work = f"5 NEST iaf_cond_exp on {threads} thread{'s' * (threads > 1)}, cbnet on one"
        rows.append(Row(work, required, values, more=more))
    return rows


ROWS = {"nest": exponential}


def _network(p):
    """Build and run with NEST in this process."""
    import time

    import nest as simulator

    simulator.set_verbosity("M_ERROR")
    simulator.ResetKernel()
    simulator.resolution = 0.1
    simulator.local_num_threads = p["threads"]
    simulator.rng_seed = 1
    capacity = 250.0  # pF; conductances scale with it, so that any value gives the same network
    neurons = simulator.Create(
        "iaf_cond_exp",
        p["N_E"] + p["N_I"],
        {
            "C_m": capacity,
            "g_L": capacity / (p["tau_L"] * 1e3),
            "E_L": p["E_L"] * 1e3,
            "E_ex": p["E_E"] * 1e3,
            "E_in": p["E_I"] * 1e3,
            "V_th": p["theta"] * 1e3,
            "V_reset": p["V_r"] * 1e3,
            "t_ref": p["tau_rp"] * 1e3,
            "tau_syn_ex": p["tau_E"] * 1e3,
            "tau_syn_in": p["tau_I"] * 1e3,
        },
    )
    neurons.V_m = simulator.random.uniform(p["V_r"] * 1e3, p["theta"] * 1e3)
    # a spike adds a/tau_S to the conductance over the capacity: pF/ms is nS
    weight = {"E": p["a"] / (p["tau_E"] * 1e3) * capacity}
    weight["I"] = -p["g"] * p["a"] / (p["tau_I"] * 1e3) * capacity
    delay = p["D_min"] * 1e3
    drive = simulator.Create("poisson_generator", params={"rate": p["K"] * p["nu_X"]})
    simulator.Connect(drive, neurons, syn_spec={"weight": weight["E"], "delay": delay})
    excitatory, inhibitory = neurons[: p["N_E"]], neurons[p["N_E"] :]
    degrees = {"E": p["K"], "I": round(p["gamma"] * p["K"])}
    for name, sources in (("E", excitatory), ("I", inhibitory)):
        rule = {"rule": "fixed_indegree", "indegree": degrees[name]}
        rule |= {"allow_autapses": False, "allow_multapses": False}
        simulator.Connect(sources, neurons, rule, {"weight": weight[name], "delay": delay})
    recorder = simulator.Create("spike_recorder", params={"start": SETTLING})
    simulator.Connect(excitatory[:1000], recorder)
    simulator.Prepare()
    simulator.Run(SETTLING)
    start = time.perf_counter()
    simulator.Run(p["span"] * 1e3)
    taken = time.perf_counter() - start
    rate = recorder.n_events / min(1000, p["N_E"]) / p["span"]
    print(json.dumps({"loop_s": taken, "rate_Hz": rate}))


if __name__ == "__main__":
    _network(json.loads(sys.argv[1]))
