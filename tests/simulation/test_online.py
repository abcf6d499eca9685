"""Accumulators in C++ against those made of spike lists and traces, and the files between them."""

import ctypes
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cbnet.errors import ParameterError, SimulationError
from cbnet.simulation.measure import online
from cbnet.simulation.measure.monitored import from_monitors
from cbnet.simulation.measure.recording import Recording
from tests import cpp

DRIVER = r"""
#include "statistics.h"

namespace {
// Arrays of one row a step and one column a neuron.
struct Membrane {
    const double *voltage, *raw, *E, *I;
    const uint8_t *held;
    double v(int i) { return voltage[i]; }
    double trace(int i) { return raw[i]; }
    bool refractory(int i) { return held[i]; }
    void currents(int i, double *out) {
        out[0] = E[i];
        out[1] = I[i];
    }
};
}  // namespace

extern "C" void run(const int64_t *numbers, const double *volts, const int32_t *recorded,
                    const int32_t *traced, int64_t steps, const int64_t *first_spike,
                    const int32_t *spikes,
                    const double *v, const double *raw, const double *E, const double *I,
                    const uint8_t *held, const char *folder) {
    cbnet::Observation o;
    const int32_t neurons = numbers[0], excitatory = numbers[1];
    o.sizes = {excitatory, neurons - excitatory};
    o.first_step = numbers[2];
    o.measured_steps = numbers[3];
    o.steps_per_bin = numbers[4];
    o.probes = {static_cast<int32_t>(numbers[5]), 0};
    o.kinds = 2;
    o.bins = numbers[6];
    o.pieces = numbers[7];
    o.recorded.assign(recorded, recorded + numbers[8]);
    o.traced.assign(traced, traced + numbers[9]);
    o.trace_every = numbers[10];
    o.trace_bytes = numbers[11];
    o.refractoriness = volts[3];
    o.low = {volts[0], 0};
    o.high = {volts[1], 1};
    o.reference = {volts[2], 0};
    cbnet::Statistics statistics(o, folder);
    for (int64_t step = 0; step < steps; step++) {
        const int64_t at = step * neurons;
        statistics.step(step, spikes + first_spike[step], first_spike[step + 1] - first_spike[step],
                        Membrane{v + at, raw + at, E + at, I + at, held + at});
    }
    statistics.write();
}

extern "C" void write_nothing(const char *folder) {
    cbnet::Observation o{{4, 1}, 0, 100, 10, {2, 0}, {0.0, 0.0}, {1.0, 1.0}, 2, 10, 10, {0.0, 0.0},
                         {}, {}, 1, 8, 0.0};
    cbnet::Statistics(o, folder).write();
}
"""

# those of Brian2's C++ standalone mode, and plain ones
FLAGS = {
    "plain": ["-O2"],
    "fast": ["-O3", "-ffast-math", "-fno-finite-math-only", "-march=native"],
}


@pytest.fixture(scope="module", params=FLAGS)
def library(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("driver")
    return cpp.compiled(DRIVER, folder, *cpp.WARNINGS, *FLAGS[request.param])


def recording(spikes, traced=None, every=1, dtype="float64"):
    traced = spikes if traced is None else traced
    return Recording(np.array(spikes, np.int32), np.array(traced, np.int32), every, dtype)


def observation(**changes):
    defaults = {
        "sizes": (47, 13),
        "first_step": 40,
        "steps": 1234,
        "dt": 1e-4,
        "probes": (9, 0),
        "low": (-0.064, 0),
        "high": (-0.055, 1),
        "reference": (-0.0595, 0),
        "bins": 30,
        "neighbours": True,
        "recording": recording([3, 8, 50]),
    }
    return online.Observation(**defaults | changes)


@dataclasses.dataclass
class Run:
    """Everything that happened, in every step and neuron."""

    fired: np.ndarray
    v: np.ndarray
    raw: np.ndarray
    E: np.ndarray
    I: np.ndarray  # noqa: E741
    held: np.ndarray

    @classmethod
    def random(cls, o, seed, p=0.03, after=7):
        rng = np.random.default_rng(seed)
        shape = (o.first_step + o.steps + after, o.N)
        # neurons of very different rates, the first silent, the last in every step
        chance = p * np.linspace(0, 4, o.N) ** 2
        chance[-1] = 1
        v = rng.normal(-0.06, 0.003, shape)
        return cls(
            fired=rng.random(shape) < chance,
            v=v,
            raw=v + 1e-4,
            E=rng.normal(30, 10, shape),
            I=rng.normal(-28, 10, shape),
            held=rng.random(shape) < 0.02,
        )

    def compiled(self, library, o, folder):
        steps, neurons = np.nonzero(self.fired)
        first = np.searchsorted(steps, np.arange(len(self.fired) + 1))
        kept = o.recording
        numbers = [
            *(o.N, o.sizes[0], o.first_step, o.steps, o.steps_per_bin),
            *(o.probes[0], o.bins, o.pieces, len(kept.spikes), len(kept.traced), kept.every),
            np.dtype(kept.dtype).itemsize,
        ]
        given = [
            np.array(numbers, np.int64),
            np.array([o.low[0], o.high[0], o.reference[0], online.REFRACTORINESS / o.dt]),
            *(kept.spikes, kept.traced),
            len(self.fired),
            first.astype(np.int64),
            neurons.astype(np.int32),
            *(self.v, self.raw, self.E, self.I, self.held.astype(np.uint8)),
        ]
        pointers = [
            ctypes.c_int64(a) if isinstance(a, int) else a.ctypes.data_as(ctypes.c_void_p)
            for a in given
        ]
        ctypes.CDLL(str(library)).run(*pointers, os.fsencode(folder))
        return online.read(folder, o)

    def monitored(self, o, seed=0):
        steps, neurons = np.nonzero(self.fired)
        mixed = np.random.default_rng(seed).permutation(len(steps))
        now = slice(o.first_step, o.first_step + o.steps)
        probes, kept = slice(0, o.probes[0]), o.recording
        traces = self.raw[now][kept.every - 1 :: kept.every, kept.traced]
        return from_monitors(
            o,
            neurons[mixed],
            steps[mixed],
            *(a[now, probes] for a in (self.v, self.held)),
            [a[now, probes] for a in (self.E, self.I)],
            traces=traces[: kept.rows(o.steps)],
        )


def assert_same(found, expected):
    for name, (dtype, _) in online.arrays(found.observation).items():
        mine, theirs = getattr(found, name), getattr(expected, name)
        assert mine.dtype == theirs.dtype == np.dtype(dtype), name
        assert mine.shape == theirs.shape, name
        if mine.dtype.kind in "iu":
            assert np.array_equal(mine, theirs), name
        else:
            # sums of 1e4 terms of either sign: relative to the largest sum
            np.testing.assert_allclose(
                mine, theirs, rtol=1e-12, atol=1e-12 * np.abs(theirs).max(initial=0), err_msg=name
            )


CASES = {
    "odd": {},
    "whole": {"steps": 2000, "first_step": 0},
    "few steps": {"steps": 17},
    "ten steps": {"steps": 10, "first_step": 3},
    "long steps": {"dt": 2e-3, "steps": 55},
    "uneven bins": {"dt": 3e-4, "steps": 400},
    "nothing recorded": {"recording": recording([])},
    "no traces": {"recording": recording([3, 8, 50], [])},
    "traces alone": {"recording": recording([], [0, 59])},
    "others": {"recording": recording([3], [0, 3, 59], 7)},
    "seldom and short": {"recording": recording([3, 8], [5], 1234, "float32")},
    "of half the digits": {"recording": recording([3, 8], every=10, dtype="float32")},
    "all recorded": {"recording": recording(range(60))},
    "one probe": {"probes": (1, 0)},
    "all excitatory": {"sizes": (60, 0), "probes": (60, 0)},
    "reference far off": {"reference": (0.0, 0.0)},
}


@pytest.mark.parametrize("case", CASES)
def test_compiled_is_monitored(library, tmp_path, case):
    o = observation(**CASES[case])
    run = Run.random(o, list(CASES).index(case))
    found = run.compiled(library, o, tmp_path)
    assert_same(found, run.monitored(o))
    assert found.spikes.sum() > 0 or case == "ten steps"


def test_compiled_is_monitored_of_silence(library, tmp_path):
    o = observation()
    run = Run.random(o, 20)
    run.fired[:] = False
    run.held[:] = True
    found = run.compiled(library, o, tmp_path)
    assert_same(found, run.monitored(o))
    assert found.voltage_sums.sum() == found.histogram.sum() == found.spikes.sum() == 0


# What from_monitors itself must say


def test_counts():
    o = observation()
    run = Run.random(o, 1)
    found = run.monitored(o)
    inside = run.fired[o.first_step : o.first_step + o.steps]
    assert np.array_equal(found.spikes, inside.sum(axis=0))
    assert np.array_equal(found.spikes_before, run.fired[: o.first_step].sum(axis=0))
    bins = [part.sum() for part in np.split(inside[:1230, :47], 123)]
    assert np.array_equal(found.counts[0], bins)
    assert found.counts[1].sum() == inside[:1230, 47:].sum()
    blocks = [part.sum() for part in np.array_split(inside[:, 47:], 10)]
    assert np.array_equal(found.block_spikes[1], blocks)
    assert found.block_spikes.sum() == found.spikes.sum()


def test_intervals():
    o = observation(sizes=(2, 1), probes=(1, 0), recording=recording([]))
    silent = np.zeros((o.steps, 1))
    # one interval begins before the window and does not count
    steps = np.array([30, 50, 60, 90, 100, 160, 167, 1273, 1274])
    neurons = np.array([1, 1, 1, 1, 1, 1, 1, 1, 1])
    found = from_monitors(o, neurons, steps, silent, silent > 0, [silent, silent])
    x = np.array([10, 30, 10, 60, 7, 1106])
    expected = x**2 / (o.steps - x)
    assert np.array_equal(found.interval_lengths[1], [10 + 7, 30 + 1106, 10, 60])
    assert found.interval_squares[1] == pytest.approx(
        [expected[0] + expected[4], expected[1] + expected[5], expected[2], expected[3]]
    )
    assert not found.interval_lengths[[0, 2]].any()
    assert (found.spikes[1], found.spikes_before[1]) == (7, 1)


def test_histogram_has_every_voltage():
    o = observation()
    run = Run.random(o, 2)
    found = run.monitored(o)
    now = slice(o.first_step, o.first_step + o.steps)
    seen = run.v[now, :9][~run.held[now, :9]]
    assert found.histogram[0, 0] == np.sum(seen < o.low[0]) > 0
    assert found.histogram[0, -1] == np.sum(seen >= o.high[0]) > 0
    heights, _ = np.histogram(seen, o.bins, (o.low[0], o.high[0]))
    assert np.array_equal(found.histogram[0, 1:-1], heights)
    assert found.histogram.sum() == found.voltage_sums[0, :, 0].sum() == seen.size


def test_currents_leave_out_bins_with_refractory_steps():
    o = observation(steps=1000, probes=(2, 0))
    E = np.ones((1000, 2))
    held = np.zeros(E.shape, bool)
    E[300:305] = 100.0
    held[303:308] = True
    found = from_monitors(
        o, np.empty(0, int), np.empty(0, int), E, held, [E, -2 * E], np.zeros((1000, 3))
    )
    assert found.current_sums[0, 0].sum(axis=0) == pytest.approx([198, 198, 198])
    assert found.current_sums[0, 1].sum(axis=0) == pytest.approx([198, -396, 792])
    assert found.current_sums[0, 2].sum(axis=0) == pytest.approx([198, -198, 198])


def test_window_that_cannot_be_counted():
    for steps in (9, 2**31):
        with pytest.raises(ParameterError, match=f"duration: got {steps} steps"):
            observation(steps=steps)


# Files


def write_nothing(library, folder):
    code = f"import ctypes; ctypes.CDLL({str(library)!r}).write_nothing({os.fsencode(folder)!r})"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


NOTHING = online.Observation(
    (4, 1), 0, 100, 1e-4, (2, 0), (0.0, 0.0), (1.0, 1.0), (0.0, 0.0), bins=10
)


def test_nothing(library, tmp_path):
    assert write_nothing(library, tmp_path).returncode == 0
    found = online.read(tmp_path, NOTHING)
    assert found.spikes.tolist() == [0] * 5
    assert found.traces.shape == (0, 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, a disk without space")
@pytest.mark.parametrize("name", ["spikes", "voltage_sums", "written"])
def test_full_disk(library, tmp_path, name):
    (tmp_path / name).symlink_to("/dev/full")
    done = write_nothing(library, tmp_path)
    assert done.returncode == 1
    assert f"{tmp_path / name}: cannot be written" in done.stderr
    assert "No space left on device" in done.stderr


def test_folder_that_is_not_there(library, tmp_path):
    done = write_nothing(library, tmp_path / "none")
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr


@pytest.mark.parametrize("name", online.arrays(NOTHING))
def test_short_file(library, tmp_path, name):
    write_nothing(library, tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:-1] if whole else b"more")
    with pytest.raises(SimulationError, match=rf"{name}: got {max(len(whole) - 1, 0) or 4} bytes"):
        online.read(tmp_path, NOTHING)


def test_incomplete_run(library, tmp_path):
    write_nothing(library, tmp_path)
    text = (tmp_path / "written").read_text()
    (tmp_path / "written").write_text(text[:-2])
    with pytest.raises(SimulationError, match="written: is not complete"):
        online.read(tmp_path, NOTHING)
    (tmp_path / "written").unlink()
    with pytest.raises(SimulationError, match="written: No such file"):
        online.read(tmp_path, NOTHING)


def test_array_that_is_not_there(library, tmp_path):
    write_nothing(library, tmp_path)
    (tmp_path / "counts").unlink()
    with pytest.raises(SimulationError, match="counts: No such file"):
        online.read(tmp_path, NOTHING)


def test_other_observation(library, tmp_path):
    write_nothing(library, tmp_path)
    with pytest.raises(SimulationError, match="histogram: got 192 bytes of 24 numbers"):
        online.read(tmp_path, dataclasses.replace(NOTHING, bins=11))
