"""Networks by cbnet against the same networks by plain Brian2, and against earlier simulations."""

import os
import subprocess
import sys

import numpy as np
import pytest
from brian2 import Hz, ms

import cbnet
from cbnet.simulation.backends import standalone
from cbnet.simulation.backends.workshop import run_jobs
from cbnet.simulation.job import prepare
from cbnet.simulation.measure import online
from cbnet.simulation.measure.measured import measure
from cbnet.simulation.measure.monitored import from_monitors

needs_compiler = pytest.mark.skipif(
    bool(standalone.compiler_missing()), reason=f"{standalone.compiler_missing()} not found"
)

# Nothing of cbnet: literal strings, Brian2's own order inside a step and its own refractory time,
# both of which matter little at a step of 0.01 ms.
SCRIPT = """
import sys
import numpy as np
from brian2 import *

folder, K, drive, excitation, inhibition, nu_X = sys.argv[1:]
K, nu_X = int(K), float(nu_X)
set_device("cpp_standalone", directory=folder + "/program")
defaultclock.dt = 0.01*ms
seed(7)
rng = np.random.default_rng(7)
N_E, N_I = 1000, 250
neurons = NeuronGroup(
    N_E + N_I,
    "dv/dt = -(v + 80*mV)/(20*ms) : volt (unless refractory)",
    threshold="v > -55*mV",
    reset="v = -65*mV",
    refractory=2*ms,
    method="exact",
)
neurons.v = -65*mV + 10*mV*rng.random(N_E + N_I)
external = PoissonInput(neurons, "v", N=K, rate=nu_X*Hz, weight=drive)
synapses = []
for first, size, k, on_pre in ((0, N_E, K, excitation), (N_E, N_I, K//4, inhibition)):
    pre, post = [], []
    for j in range(N_E + N_I):
        others = np.setdiff1d(np.arange(size), [j - first])
        pre.append(np.sort(rng.choice(others, k, replace=False)))
        post.append(np.full(k, j))
    S = Synapses(neurons[first:first + size], neurons, on_pre=on_pre)
    S.connect(i=np.concatenate(pre), j=np.concatenate(post))
    S.delay = (0.1 + 9.9*rng.random(k*(N_E + N_I)))*ms
    synapses.append(S)
spikes = SpikeMonitor(neurons)
traces = StateMonitor(neurons, ["v", "not_refractory"], record=range(100), dt=0.1*ms)
network = Network(neurons, external, synapses, spikes, traces)
network.run(0.8*second)
np.savez(
    folder + "/recorded.npz", i=spikes.i[:], t=spikes.t_[:], v=traces.v_.T,
    active=traces.not_refractory.T, traced=traces.t_[:],
)
"""

CASES = {
    "conductance": (
        {"K": 100, "a": 0.005, "g": 20, "nu_X": 60 * Hz},
        "0.005*(0*mV - v)",
        "v_post += 0.005*(0*mV - v_post)",
        "v_post += 0.1*(-75*mV - v_post)",
    ),
    "current": (
        {"K": 200, "a": 0.004, "g": 20, "nu_X": 40 * Hz},
        "0.22*mV",
        "v_post += 0.22*mV",
        "v_post -= 1.6*mV",
    ),
}


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("model", CASES)
def test_against_plain_brian2(model, tmp_path):
    """Slow: compiles and runs two programs."""
    changes, drive, excitation, inhibition = CASES[model]
    K, nu_X = changes["K"], float(changes["nu_X"])
    script = tmp_path / "plain.py"
    script.write_text(SCRIPT)
    arguments = [str(tmp_path), str(K), drive, excitation, inhibition, str(nu_X)]
    process = subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "MAKEFLAGS": "-j2"},
    )
    assert process.returncode == 0, process.stderr[-2000:]
    plain = np.load(tmp_path / "recorded.npz")
    # spikes and voltages in steps of 0.1 ms, which no interval is short of
    window = online.Observation(
        sizes=(1000, 250),
        first_step=2000,
        steps=6000,
        dt=1e-4,
        probes=(100, 0),
        low=(-0.08,) * 2,
        high=(-0.055,) * 2,
        reference=(-0.065,) * 2,
    )
    silent = np.zeros((6000, 100))
    v, refractory = plain["v"][2000:], ~plain["active"][2000:].astype(bool)
    steps = np.floor(plain["t"] / 1e-4 + 1e-6).astype(int)
    seen = from_monitors(window, plain["i"], steps, v, refractory, [silent, silent])
    expected, *_ = measure(seen)
    params = cbnet.load(model).replace(**changes)
    found = cbnet.simulate(params, 1250, "0.6s", seed=8)
    assert expected["rate_E"] > 5
    for name in ("rate_E", "rate_I", "cv_E", "fano_1ms", "V_mean", "V_sd"):
        value, sem = found.in_si(name), found.in_si(f"{name}_sem")
        plainly, plain_sem = expected[name], expected[f"{name}_sem"]
        off = abs(value - plainly) / np.hypot(sem, plain_sem)
        assert off < 4, f"{name}: {value} ± {sem}, plainly {plainly} ± {plain_sem}"


@pytest.mark.filterwarnings("ignore:cv_. rests on")
@pytest.mark.slow
@needs_compiler
def test_against_an_earlier_simulation():
    """Slow: three networks of 10,000 neurons.

    g = 20, a = 0.0015, K = 1000, random graph, delays uniform in 0.1 to 4 ms, by another program
    at dt = 0.05 ms.
    """
    params = cbnet.load("conductance").replace(law="bernoulli", D_min=0.1 * ms, D_max=4 * ms)
    expected = {20: 17.9, 30: 41.3, 50: 85.5}
    options = {"N": 10_000, "duration": "0.8s", "dt": "0.1ms", "seed": 1}
    done = run_jobs([prepare(params.replace(nu_X=nu * Hz), **options) for nu in expected], 1)
    for one, rate in zip(done, expected.values(), strict=True):
        # those rates have an error of about 3 %
        assert abs(one.in_si("rate_E") - rate) < 4 * one.in_si("rate_E_sem") + 0.03 * rate
        assert one.law == "bernoulli"
