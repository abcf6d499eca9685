"""Storages of cbnet and plain Brian2, each with seeds of its own, give the same statistics."""

import functools
import itertools
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from brian2 import ms

import cbnet
from cbnet.errors import CbnetWarning
from cbnet.simulation.backends import standalone
from cbnet.simulation.backends.workshop import run_jobs
from cbnet.simulation.job import prepare
from cbnet.simulation.measure.measured import measure
from cbnet.simulation.measure.monitored import from_monitors

pytestmark = [
    pytest.mark.slow,  # up to four programs, and twenty networks of 5000 neurons by each
    pytest.mark.skipif(
        bool(standalone.compiler_missing()), reason=f"{standalone.compiler_missing()} not found"
    ),
]

NETWORK = {"N": 5000, "duration": "1.8s", "transient": "0.2s", "dt": "0.1ms"}
VALUES = {"K": 500, "a": 0.002, "g": 20.0, "nu_X": "45Hz"}
SEEDS = 20
# A bitmap needs one delay for all. A short one leaves the state asynchronous: with 2 ms the
# population oscillates (Fano factor 250 and rising with N).
STORAGES = {
    ("0.1ms", "0.1ms"): ("stored", "bitmap", "procedural"),
    ("0.1ms", "10ms"): ("stored", "procedural"),
}

# Nothing of cbnet. Excitation comes first, recurrent and external. Brian2 gives the pathways of
# synapses the order -1 and then sorts by name: external input of that order would come last, after
# inhibition, which raises the rate by 5 %.
PLAIN = """
import sys
from brian2 import *

set_device("cpp_standalone", build_on_run=False)
# first of all, so that synapses and initial voltages are drawn from it too
seeded = 'brian::_random_generators[0].seed(std::stoul(std::getenv("SEED")));'
device.insert_code("main", seeded)
defaultclock.dt = 0.1*ms
N_E, N_I, K = 4000, 1000, 500
shortest, longest = (float(ms_)*ms for ms_ in sys.argv[2:4])
neurons = NeuronGroup(
    N_E + N_I,
    "dv/dt = -(v + 80*mV)/(20*ms) : volt (unless refractory)",
    threshold="v > -55*mV",
    reset="v = -65*mV",
    refractory=2*ms,
    method="exact",
)
neurons.v = "-65*mV + 10*mV*rand()"
neurons.run_regularly("v = v*(1 - 0.002)**poisson(22500*Hz*dt)", when="synapses", order=-2)
made = []
for name, first, size, k, on_pre in (
    ("excitation", 0, N_E, K, "v_post += 0.002*(0*mV - v_post)"),
    ("inhibition", N_E, N_I, K//4, "v_post += 0.04*(-75*mV - v_post)"),
):
    for target, start, stop in (("E", 0, N_E), ("I", N_E, N_E + N_I)):
        same = int(start == first)
        made.append(Synapses(
            neurons[first:first + size], neurons[start:stop], on_pre=on_pre, name=f"{name}_{target}"
        ))
        made[-1].connect(i=f"k + {same}*int(k >= j) for k in sample(0, {size - same}, size={k})")
        made[-1].delay = "shortest + (longest - shortest)*rand()"
spikes = SpikeMonitor(neurons, name="spikes")
Network(neurons, spikes, *made).run(2.0*second)
device.build(directory=sys.argv[1], run=False)
"""


def statistics(measured):
    """Rate, CV, Fano factor, and the spread of spike counts over neurons, by their names."""
    counts = measured("spike_counts")
    excitatory = counts[: 4 * len(counts) // 5]
    return [*(float(measured(name)) for name in ("rate_E", "cv_E", "fano_1ms")), excitatory.std()]


def of_cbnet(params, storage, seeds, N=NETWORK["N"]):
    """Statistics with each seed, in Brian2's order of arrivals."""
    options = {**NETWORK, "N": N, "storage": storage, "arrivals": "brian2"}
    with warnings.catch_warnings():
        # Brian2's order is off at this step, in all of them alike
        warnings.simplefilter("ignore", CbnetWarning)
        done = run_jobs([prepare(params, seed=seed, **options) for seed in seeds], 2)
    assert {one.storage for one in done} == {storage}
    return np.array([statistics(functools.partial(getattr, one)) for one in done])


def compile_plain(folder, delays):
    (folder / "plain.py").write_text(PLAIN)
    in_ms = [each.removesuffix("ms") for each in delays]
    subprocess.run([sys.executable, "plain.py", "program", *in_ms], check=True, cwd=folder)


def of_brian2(folder, params, seeds):
    """The same of plain Brian2, by the same estimators."""
    o = prepare(params, arrivals="brian2", **NETWORK).observation
    nothing = np.zeros((o.steps, sum(o.probes)))

    def one(seed):
        results = folder / f"results-{seed}"
        results.mkdir()
        subprocess.run(
            ["./main", "--results_dir", f"{results}/"],
            check=True,
            cwd=folder / "program",
            env={**os.environ, "SEED": str(seed)},
            stdout=subprocess.DEVNULL,
        )
        (i,) = (np.fromfile(path, np.int32) for path in results.glob("_dynamic_array_spikes_i*"))
        (t,) = (np.fromfile(path) for path in results.glob("_dynamic_array_spikes_t*"))
        steps = np.rint(t / o.dt).astype(int)
        seen = from_monitors(
            o, i, steps, nothing, nothing > 0, [nothing, nothing], traces=nothing[:, :0]
        )
        fields, *_ = measure(seen)
        return statistics(fields.get)

    with ThreadPoolExecutor(2) as pool:
        return np.array(list(pool.map(one, seeds)))


def means(found):
    """The mean over seeds and its standard error: a pair of arrays for each name."""
    return {
        name: (of.mean(axis=0), of.std(axis=0, ddof=1) / np.sqrt(len(of)))
        for name, of in found.items()
    }


def apart(found):
    """The differences of all pairs, in combined standard errors."""
    of = means(found)
    return {
        (one, two): (of[one][0] - of[two][0]) / np.hypot(of[one][1], of[two][1])
        for one, two in itertools.combinations(of, 2)
    }


@pytest.mark.parametrize("delays", STORAGES, ids="-".join)
def test_storages_and_plain_brian2(delays, tmp_path):
    params = cbnet.load("conductance").replace(**VALUES, D_min=delays[0], D_max=delays[1])
    compile_plain(tmp_path, delays)

    def of(name, seeds):
        if name == "plain":
            return of_brian2(tmp_path, params, seeds)
        return of_cbnet(params, name, seeds)

    names = (*STORAGES[delays], "plain")
    found = {name: of(name, range(100 * k, 100 * k + SEEDS)) for k, name in enumerate(names)}
    for name, (mean, sem) in means(found).items():
        print(name, *(f"{m:.5g} ± {s:.2g}" for m, s in zip(mean, sem, strict=True)))
        assert sem[0] < 0.005 * mean[0]
    for pair, z in apart(found).items():
        print(*pair, z)
        if np.abs(z).max() < 3:
            continue
        # One of up to 24 z may exceed 3 by chance, about once in fifteen machines. With twice
        # as many seeds that were not seen yet, chance does not repeat itself; a difference grows.
        again = {
            name: of(name, range(1000 + 100 * k, 1000 + 100 * k + 2 * SEEDS))
            for k, name in enumerate(pair)
        }
        (z_again,) = apart(again).values()
        print(*pair, "once more", z_again)
        assert np.abs(z_again).max() < 3, (pair, z, z_again)
    # asynchronous: the Fano factor does not grow with N
    larger = of_cbnet(params, "stored", range(4), N=4 * NETWORK["N"])[:, 2]
    print("Fano factor of four times as many", larger)
    mean, sem = means(found)["stored"]
    assert larger.mean() - 3 * larger.std(ddof=1) / 2 < mean[2] + 3 * sem[2]


@pytest.mark.filterwarnings("ignore:cv_. rests on")
def test_unequal_in_degrees():
    """Computed at every spike they do to a network what they do when kept."""
    params = cbnet.load("conductance").replace(**VALUES, law="gaussian", CV_K=0.15)
    found = {
        storage: of_cbnet(params, storage, range(100 * k, 100 * k + SEEDS))
        for k, storage in enumerate(("stored", "procedural"))
    }
    for name, (mean, sem) in means(found).items():
        print(name, *(f"{m:.5g} ± {s:.2g}" for m, s in zip(mean, sem, strict=True)))
    (z,) = apart(found).values()
    assert np.abs(z).max() < 3.5, z  # of four: by chance once in 500 machines


def test_bitmap_is_stored():
    """One graph, so that nothing differs."""
    params = cbnet.load("conductance").replace(**VALUES, D=2 * ms)
    one, two = (of_cbnet(params, storage, (1, 2)) for storage in ("stored", "bitmap"))
    assert np.array_equal(one, two)
