"""cbnet.simulate from end to end: results, seeds, errors, interruption."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from brian2 import Hz, ms, mV, second, volt

import cbnet
from cbnet import results
from cbnet.errors import CbnetWarning, SimulationError
from cbnet.simulation import processes, standalone, wiring
from cbnet.simulation.job import prepare
from cbnet.simulation.measured import Simulation
from cbnet.simulation.workshop import run_jobs

KEYS = [
    *("rate_E_Hz", "rate_I_Hz", "rate_E_Hz_sem", "cv_E", "cv_I", "fano_1ms", "V_mean_mV"),
    *("V_sd_mV", "N", "N_E", "synapses", "law", "storage", "dt_ms", "dt_bias", "transient_s"),
    *("duration_s", "seed", "wall_s", "build_s", "wire_s", "simulate_s", "events", "peak_rss_MB"),
]
TIMINGS = {"wall_s", "build_s", "wire_s", "simulate_s", "peak_rss_MB"}

needs_compiler = pytest.mark.skipif(
    bool(standalone.compiler_missing()), reason=f"{standalone.compiler_missing()} not found"
)
ROOT = Path(cbnet.__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def params():
    return cbnet.load("conductance").replace(K=100, a=0.005, nu_X=60 * Hz)


@pytest.fixture(scope="module")
def compiled(params):
    """Three runs of one compiled program, with seeds 1, 1 and 2."""
    if standalone.compiler_missing():
        pytest.skip(f"{standalone.compiler_missing()} not found")
    options = {"N": 1250, "duration": "0.5s", "record": 10, "dt": "0.1ms"}
    return run_jobs([prepare(params, seed=seed, **options) for seed in (1, 1, 2)], 1)


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    """A machine on which there is neither g++ nor make."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def small():
    """For runs without a compiler."""
    return cbnet.load("conductance").replace(K=40, a=0.01, nu_X=60 * Hz)


def same(first, second):
    """Fields that differ, timings left out."""
    different = []
    for name in Simulation._variables():
        one, two = np.asarray(getattr(first, name)), np.asarray(getattr(second, name))
        numeric = one.dtype.kind == "f"
        if name not in TIMINGS and not np.array_equal(one, two, equal_nan=numeric):
            different.append(name)
    return different


# The result


def test_keys(compiled):
    found = compiled[0].to_dict()
    assert list(found) == KEYS
    assert (found["N"], found["N_E"], found["synapses"]) == (1250, 1000, 1250 * 125)
    assert (found["dt_ms"], found["seed"], found["law"]) == (pytest.approx(0.1), 1, "fixed")
    assert (found["transient_s"], found["duration_s"]) == (pytest.approx(0.2), pytest.approx(0.5))
    assert "C++" in found["storage"]
    for key in KEYS:
        if key not in ("law", "storage"):
            assert isinstance(found[key], float | int)


def test_same_seed_same_numbers(compiled):
    first, again, other = compiled
    assert same(first, again) == []
    assert first.spike_times.size > 50
    different = same(first, other)
    for name in ("rate_E", "V_mean", "events", "spike_times", "V_traces"):
        assert name in different


def test_one_network_as_two_seeds(compiled):
    # two draws of one network differ by their errors
    first, _, other = compiled
    for name in ("rate_E", "rate_I", "V_mean"):
        a, b = (float(getattr(s, name)) for s in (first, other))
        sems = [float(getattr(s, f"{name}_sem")) for s in (first, other)]
        assert abs(a - b) < 4 * np.hypot(*sems)


def test_save_and_load(compiled, tmp_path):
    path = compiled[0].save(tmp_path / "simulation.nc")
    loaded = results.load(path)
    assert isinstance(loaded, Simulation)
    assert loaded == compiled[0]
    assert loaded.to_dict() == compiled[0].to_dict()
    assert loaded.parameters == compiled[0].parameters


def test_units(compiled):
    for name, meta in Simulation._variables().items():
        value = getattr(compiled[0], name)
        if meta["unit"] is None:
            assert not hasattr(value, "dim"), name
            continue
        one = results.to_quantity(1.0, meta["unit"])
        assert value.dim is one.dim, name
    assert 5 * Hz < compiled[0].rate_E < 200 * Hz
    assert -75 * mV < compiled[0].V_mean < -55 * mV
    assert 0.1 * mV < compiled[0].V_sd < 5 * mV
    # E, I and net: inhibition pulls down, and both nearly cancel
    excitation, inhibition, net = compiled[0].current_mean / (mV / ms)
    assert excitation > 0 > inhibition
    assert net == pytest.approx(excitation + inhibition, rel=1e-9)
    width = np.diff(compiled[0].V_grid / volt)[0]
    assert np.sum(compiled[0].V_density * volt) * width == pytest.approx(1)


def test_recorded_spikes_and_traces(compiled):
    result = compiled[0]
    assert result.recorded.tolist() == [0, 139, 278, 416, 555, 694, 833, 971, 1110, 1249]
    assert set(result.spike_neurons) <= set(result.recorded)
    times = result.spike_times / second
    assert 0.2 <= times.min() <= times.max() < 0.7 + 1e-9
    assert np.all(np.diff(times) >= 0)
    assert result.V_traces.shape == (5000, 10)
    grid = result.trace_times / second
    assert grid[0] == pytest.approx(0.2)
    assert np.allclose(np.diff(grid), 1e-4)
    v = result.V_traces / mV
    assert v.max() <= -55 + 1e-9
    assert v.min() > -80
    # held at the reset in the step after a spike, and for the rest of the refractory time
    for neuron, t in zip(result.spike_neurons, times, strict=True):
        step = round((t - 0.2) / 1e-4)
        column = np.flatnonzero(result.recorded == neuron)[0]
        assert np.all(v[step + 1 : step + 20, column] == pytest.approx(-65, abs=1e-9))


def test_recorded_neurons_tell_of_the_network(compiled):
    result = compiled[0]
    excitatory = result.recorded < 1000
    v = result.V_traces[:, excitatory] / mV
    free = v[v != -65]
    # eight neurons of a thousand; refractory steps and half a step of leak make the difference
    assert free.mean() == pytest.approx(float(result.V_mean / mV), abs=0.5)
    assert free.std() == pytest.approx(float(result.V_sd / mV), rel=0.15)


def test_estimated_bias_is_that_of_the_measured_rates(compiled, params):
    from cbnet.simulation import timestep

    result = compiled[0]
    nu_E, nu_I = float(result.rate_E), float(result.rate_I)
    assert result.dt_bias == pytest.approx(timestep.bias(params, 1e-4, 60 + nu_E, nu_I))


# Without a compiler


def test_without_a_compiler(no_compiler, small):
    with pytest.warns(CbnetWarning, match=r"g\+\+ and make not found.*apt install g\+\+") as said:
        result = cbnet.simulate(small, 250, "0.1s", transient="0s", dt="0.1ms", record=250, seed=3)
    text = [str(w.message) for w in said if issubclass(w.category, CbnetWarning)]
    assert all("\n" not in t for t in text)
    assert "numpy" in result.storage
    assert list(result.to_dict()) == KEYS
    # every spike is handed out here, so that everything can be counted again
    spikes = np.bincount(result.spike_neurons, minlength=250)
    assert spikes.sum() > 300
    assert float(result.rate_E) == pytest.approx(spikes[:200].sum() / 200 / 0.1)
    assert float(result.rate_I) == pytest.approx(spikes[200:].sum() / 50 / 0.1)
    one = prepare(small, 250, "0.1s", transient="0s", dt="0.1ms", seed=3)
    drawn, _ = wiring.draw(small, one.layout, one.dt, one.streams[0])
    out_E = np.bincount(drawn["E"].sources, minlength=200)
    out_I = np.bincount(drawn["I"].sources, minlength=50)
    assert result.events == spikes @ np.concatenate([out_E, out_I])


def test_compiler_of_another_name(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler -O1")
    assert standalone.compiler_missing() == "no-such-compiler"


def test_too_long_a_step_is_reported(no_compiler, small):
    with pytest.warns(CbnetWarning) as said:
        result = cbnet.simulate(small.replace(D=1 * ms), 250, "0.1s", dt="1ms", seed=1)
    text = " ".join(str(w.message) for w in said)
    assert f"dt = 1 ms shifts the rate of a neuron by an estimated {result.dt_bias:+.1%}" in text
    assert abs(result.dt_bias) > 0.02


def test_drift_is_reported(no_compiler):
    # slow synapses that begin empty
    slow = cbnet.load("conductance").replace(
        K=40, a=0.05, g=0.01, nu_X=100 * Hz, tau_S=300 * ms, tau_rp=8 * ms
    )
    with pytest.warns(CbnetWarning) as said:
        cbnet.simulate(slow, 250, "0.1s", transient="0s", dt="0.1ms", initial="low", seed=1)
    assert any("the rate drifts: " in str(w.message) for w in said)


def test_progress(no_compiler, small):
    class Listener:
        stages, fractions = [], []

        def stage(self, name):
            self.stages.append(name)

        def update(self, fraction):
            self.fractions.append(fraction)

    with pytest.warns(CbnetWarning):
        cbnet.simulate(small, 250, "20ms", transient="0s", dt="0.1ms", progress=Listener())
    assert Listener.stages == ["simulating without a compiler"]
    assert Listener.fractions[-1] == 1


@pytest.mark.slow
def test_both_targets_agree(compiled, params, no_compiler):
    """Slow: simulates in numpy."""
    fast = compiled[0]
    with pytest.warns(CbnetWarning, match="not found"):
        slow = cbnet.simulate(params, 1250, "0.2s", transient="0.1s", dt="0.1ms", seed=1)
    assert fast.synapses == slow.synapses
    for name in ("rate_E", "rate_I", "V_mean", "V_sd", "fano_1ms"):
        a, b = (float(getattr(s, name)) for s in (fast, slow))
        sems = [float(getattr(s, f"{name}_sem")) for s in (fast, slow)]
        assert abs(a - b) < 4 * np.hypot(*sems), name


# What goes wrong


@needs_compiler
def test_failed_compilation_shows_the_compilers_message(small, monkeypatch, tmp_path):
    script = tmp_path / "compiler"
    script.write_text("#!/bin/sh\necho 'fatal error: made up' >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SimulationError, match="compiling failed") as caught:
        cbnet.simulate(small, 250, "0.1s", dt="0.1ms")
    assert "fatal error: made up" in str(caught.value)
    assert list(tmp_path.glob("cbnet-*")) == []


class Killer:
    """Ends the compiled program as soon as it says how far it is."""

    def stage(self, name):
        pass

    def update(self, fraction):
        if 0 < fraction < 1:
            for child in processes._running:
                os.kill(child.pid, signal.SIGKILL)


@pytest.mark.slow
@needs_compiler
def test_killed_program(small, monkeypatch, tmp_path):
    """Slow: compiles a program that runs long enough to be killed."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SimulationError, match=r"the simulation stopped \(signal 9\)") as caught:
        cbnet.simulate(small, 500, "100s", dt="0.1ms", progress=Killer())
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert not processes._running


def descendants(pid):
    """Children of a process, their children, and so on."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(folder.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        found.append((int(folder.name), parent))
    mine, new = {pid}, True
    while new:
        new = {child for child, parent in found if parent in mine} - mine
        mine |= new
    return mine - {pid}


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def command(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


CODE = """
import cbnet
from brian2 import Hz
params = cbnet.load("conductance").replace(K=40, a=0.01, nu_X=60*Hz)
cbnet.simulate(params, 500, "500s", dt="0.1ms")
"""


@pytest.mark.slow
@needs_compiler
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for children in /proc")
@pytest.mark.parametrize("when", ["compiling", "running"])
def test_interrupt_leaves_nothing_behind(tmp_path, when):
    """Slow: interrupts the compiler and, after that has finished once, the program."""
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", CODE], env=env, stderr=subprocess.DEVNULL)
    name = "cc1plus" if when == "compiling" else "main"
    try:
        for _ in range(1200):
            children = descendants(process.pid)
            if name in map(command, children):
                break
            assert process.poll() is None
            time.sleep(0.1)
        else:
            pytest.fail(f"{name} never started")
        time.sleep(0.3)
        children = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
    finally:
        process.kill()
    assert process.returncode != 0
    assert not any(alive(c) for c in children)
    assert list(tmp_path.glob("cbnet-*")) == []


@pytest.fixture
def small_disk(monkeypatch, tmp_path):
    """A function that mounts a file system of some kilobytes for temporary files."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(size):
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(folder)]
        if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("no permission to mount a small file system")
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        monkeypatch.setenv("TMPDIR", str(folder))

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
@needs_compiler
def test_full_disk_while_compiling(small, small_disk):
    """Slow: generates a program before the disk is full."""
    small_disk(300)
    with pytest.raises(SimulationError, match="^compiling failed .*no space left on the disk"):
        cbnet.simulate(small, 500, "0.1s", dt="0.1ms")


@pytest.mark.slow
@needs_compiler
def test_full_disk_while_simulating(small, small_disk):
    """Slow: compiles a program whose traces do not fit beside it."""
    small_disk(100_000)
    with pytest.raises(SimulationError, match="no space left on the disk") as caught:
        cbnet.simulate(small, 500, "10s", dt="0.1ms")
    assert "compiling" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_synapses_that_cannot_be_written(tmp_path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this machine")
    with pytest.raises(SimulationError, match="^/dev/full: cannot be written \\(8000 bytes\\)"):
        standalone._write(full, np.zeros(1000))
