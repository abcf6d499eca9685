"""Networks of named populations against plain Brian2, and against cbnet's own kernels."""

import os
import subprocess
import sys

import numpy as np
import pytest
from brian2 import Hz, ms, mV

import cbnet
from cbnet.simulation import network_run
from cbnet.simulation.backends import standalone
from cbnet.simulation.measure.monitored import from_monitors
from cbnet.simulation.measure.network_simulation import measure
from cbnet.simulation.network_job import prepare

pytestmark = [
    pytest.mark.slow,  # five programs are compiled: with two idle cores about a minute
    pytest.mark.skipif(
        bool(standalone.compiler_missing()), reason=f"{standalone.compiler_missing()} not found"
    ),
]
NAMES, SIZES = ("E", "PV", "SOM"), (1000, 250, 250)
NUMBER = [[100, 40, 40], [100, 40, 30], [100, 0, 20]]
W = [[0.005, 0.12, 0.08], [0.005, 0.10, 0.08], [0.005, 0, 0.05]]
RATES = (30.0, 40.0, 13.0)
TIMES = {"duration": "2s", "transient": "0.3s", "dt": "0.1ms"}

# Nothing of cbnet: one group and one Synapses each, sources drawn by Brian2, its own order of
# things within a step, PoissonInput.
PLAIN = """
import sys
from brian2 import *

set_device("cpp_standalone", build_on_run=False)
device.insert_code("main", 'brian::_random_generators[0].seed(std::stoul(std::getenv("SEED")));')
defaultclock.dt = 0.1*ms
NUMBER, W, RATES = eval(sys.argv[2])
equations = '''
dv/dt = (-70*mV - v)/tau + gE*(0*mV - v) + gI*(-80*mV - v) : volt (unless refractory)
dgE/dt = -gE/(3*ms) : Hz
dgI/dt = -gI/(6*ms) : Hz
'''
made, groups = [], []
for p, (name, size) in enumerate(zip(("E", "PV", "SOM"), (1000, 250, 250))):
    groups.append(NeuronGroup(
        size, equations, threshold="v > -50*mV", reset="v = -60*mV", refractory=2*ms,
        method="rk4", namespace={"tau": 10*ms if name == "PV" else 20*ms}, name=f"group_{p}",
    ))
    groups[-1].v = "-60*mV + 10*mV*rand()"
    made.append(SpikeMonitor(groups[-1], name=f"spikes_{p}"))
    made.append(StateMonitor(groups[-1], ["v", "not_refractory"], record=range(100), name=f"v_{p}"))
    made.append(PoissonInput(groups[-1], "gE", 100, RATES[p]*Hz, 0.012/(3*ms)))
for t, row in enumerate(NUMBER):
    for s, k in enumerate(row):
        if k:
            g, tau = ("gE", 3*ms) if s == 0 else ("gI", 6*ms)
            one = Synapses(groups[s], groups[t], on_pre=f"{g}_post += jump", name=f"from_{s}_{t}",
                           namespace={"jump": W[t][s]/tau}, delay=1.5*ms if s == 0 else 0.8*ms)
            size, same = len(groups[s]), int(s == t)
            one.connect(i=f"k + {same}*int(k >= j) for k in sample(0, {size - same}, size={k})")
            made.append(one)
Network(*groups, *made).run(2.3*second)
device.build(directory=sys.argv[1], run=False)
"""


def network():
    cells = cbnet.neuron(
        "conductance", tau_E=3 * ms, tau_I=6 * ms, tau_L=20 * ms, tau_rp=2 * ms,
        E_L=-70 * mV, E_E=0 * mV, E_I=-80 * mV, theta=-50 * mV, V_r=-60 * mV,
    )  # fmt: skip
    return cbnet.Network(
        [
            cbnet.Population("E", cells, 1000),
            cbnet.Population("PV", cells, 250, values={"tau_L": 10 * ms}),
            cbnet.Population("SOM", cells, 250),
        ],
        cbnet.matrix(NAMES, ["E", "I", "I"], number=NUMBER, w=W, delay=[[1.5, 0.8, 0.8]] * 3 * ms),
        [
            cbnet.Input("thalamus", name, "E", number=100, w=0.012, rate=rate * Hz)
            for name, rate in zip(NAMES, RATES, strict=True)
        ],
    )


def simulated(net, **options):
    """By Brian2's own objects, also where something faster could do it."""
    job = prepare(net, **options)
    job.__dict__["refusal"] = "asked for"
    return network_run.run(job)


def of_plain(folder, seeds):
    """The same statistics, by the same estimators, of plain Brian2 with each seed."""
    (folder / "plain.py").write_text(PLAIN)
    command = [sys.executable, "plain.py", "program", repr((NUMBER, W, RATES))]
    subprocess.run(command, check=True, cwd=folder)
    o = prepare(network(), **TIMES).observation
    found = []
    for seed in seeds:
        results = folder / f"results-{seed}"
        results.mkdir()
        subprocess.run(
            ["./main", "--results_dir", f"{results}/"],
            check=True,
            cwd=folder / "program",
            env={**os.environ, "SEED": str(seed)},
            stdout=subprocess.DEVNULL,
        )

        def array(name, dtype, folder=results):
            (path,) = folder.glob(f"_dynamic_array_{name}_*")
            return np.fromfile(path, dtype)

        neurons, steps, v, held = [], [], [], []
        for p, first in enumerate((0, 1000, 1250)):
            neurons.append(array(f"spikes_{p}_i", np.int32) + first)
            steps.append(np.rint(array(f"spikes_{p}_t", float) / 1e-4).astype(int))
            v.append(array(f"v_{p}_v", float).reshape(-1, 100)[o.first_step :])
            held.append(array(f"v_{p}_not_refractory", np.int8).reshape(-1, 100)[o.first_step :])
        seen = from_monitors(
            o,
            *map(np.concatenate, (neurons, steps)),
            np.concatenate(v, axis=1),
            np.concatenate(held, axis=1) == 0,
        )
        found.append(measure(seen)[0])
    return found


def assert_alike(mine, theirs, names):
    """Means over seeds differ by less than three standard errors, by noise and over seeds."""
    for name in names:
        values, errors = [], []
        for found in (mine, theirs):
            each = np.array([np.broadcast_to(one[name], 3) for one in found])
            noise = np.array([one[f"{name}_sem"] for one in found])
            errors.append(np.sqrt((noise**2).mean(axis=0) / len(found)))
            values.append(each)
        apart = values[0].mean(axis=0) - values[1].mean(axis=0)
        # within a population graphs differ by less than noise does: the spread over all is pooled
        centred = np.concatenate([x - x.mean(axis=0) for x in values])
        number = len(mine) + len(theirs) - 2
        spread = np.sqrt((centred**2).sum(axis=0) / number * (1 / len(mine) + 1 / len(theirs)))
        error = np.maximum(np.hypot(*errors), spread)
        assert np.all(np.abs(apart) < 3 * error), (name, apart, error)


def test_three_populations_are_those_of_plain_brian2(tmp_path):
    plain = of_plain(tmp_path, (1, 2))
    runs = [simulated(network(), seed=seed, **TIMES) for seed in (1, 2)]
    names = ("rate", "cv", "cv2", "lvr", "fano_1ms", "V_mean", "V_sd")
    mine = [{n: r.in_si(n) for m in names for n in (m, f"{m}_sem")} for r in runs]
    assert np.all((mine[0]["rate"] > 5) & (mine[0]["rate"] < 30))
    assert np.all(mine[0]["cv"] > 0.5) and np.all(mine[0]["fano_1ms"] < 5)
    assert_alike(mine, plain, names)


def test_jumps_are_those_of_the_kernels():
    """Unconnected neurons under conductance jumps, many in a step."""
    params = cbnet.load("conductance").replace(K=100, a=0.01, g=8, r_E="60Hz", r_I="25Hz")
    times = {"duration": "2s", "transient": "0.2s", "seed": 1}
    kernels = cbnet.simulate(params, 1000, feedforward=True, fraction_excitatory=0.99, **times)
    given = cbnet.Network.ei(params, N=1000)
    w = {p.kind: p.w for p in given.projections}
    cells = given["E"].neuron
    net = cbnet.Network(
        [cbnet.Population("E", cells, 1000)],
        inputs=[
            cbnet.Input("excitation", "E", "E", 100, w["E"], "60 Hz"),
            cbnet.Input("inhibition", "E", "I", 25, w["I"], "25 Hz"),
        ],
    )
    found = simulated(net, dt="0.025ms", **times)
    # steps shift them by less than a share, which was measured with four times as many
    shifts = {"rate": 0.003, "cv": 0.01, "V_mean": 0.001, "V_sd": 0.005}
    for name, shift in shifts.items():
        theirs = f"{name}_E" if name in ("rate", "cv") else name
        values = float(found.in_si(name)[0]), float(kernels.in_si(theirs))
        errors = float(found.in_si(f"{name}_sem")[0]), float(kernels.in_si(f"{theirs}_sem"))
        assert abs(values[0] - values[1]) < 3 * np.hypot(*errors) + shift * abs(values[1]), name
