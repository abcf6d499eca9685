"""Figures: finite, labelled data at tiny size; pictures from stored data alone; files."""

import collections
import contextlib
import importlib.resources
import json
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import xarray as xr
from cbnet.figures import drawing, making, shared
from matplotlib import colors, image

import cbnet
from cbnet import figures
from cbnet.errors import CbnetWarning, ParameterError
from cbnet.model import unused
from cbnet.results import plotting
from cbnet.simulation.backends.workshop import Silent
from cbnet.simulation.job import prepare
from cbnet.simulation.measure.measured import Simulation

TINY = {
    "strong_coupling": {
        "K_exact": [100, 400],
        "K_theory": [1e3, 1e5, 1e7, 1e9],
        "potentials": 3,
        "arrivals": 2e4,
        "arrivals_silent": 2e4,
        "seconds": 0.0,
        "stepped": "0.4s",
    },
    "scaling": {
        "K_shot": [100, 1000],
        "K_diffusion": [1e2, 1e3, 1e4],
        "inputs": [10, 20, 50],
        "inputs_exact": [20.0],
        "K_exact_current": [1000],
        "arrivals": 2e4,
        "seconds": 0.0,
        "seconds_judged": 0.0,
    },
    "network_response": {
        "K": [400],
        "inputs": [50.0],
        "inputs_simulated": [50.0],
        "N": 1000,
        "broad": {"K": 400, "N": 1000, "duration": "0.2s", "transient": "0.1s"},
    },
    "drift_diffusion": {"K": [300, 400], "N": 1000},
    "heterogeneity": {
        "K": [1000],
        "CV_K": [0.0, 0.1],
        "simulated": [
            {"K": 400, "CV_K": [0.0, 0.1], "duration": "0.4s", "transient": "0.1s"},
            {"K": 500, "CV_K": [0.0, 0.1], "duration": "0.2s", "transient": "0.1s"},
        ],
        "N": 1000,
    },
    "synaptic_time_constants": {
        "tau_S": [0.0, 2.0],
        "inputs": [20, 60],
        "inputs_simulated": [20.0, 60.0],
        "a": [0.005],
        "tau_critical": [2.0],
        "spikes_critical": 200,
        "N": 100,
    },
    "network_time_constants": {
        "tau_S": [0.0, 2.0],
        "inputs": [50],
        "inputs_simulated": [20.0, 50.0],
        "K": 400,
        "N": 1000,
    },
    "predictions": {"inputs": [20, 40], "inputs_simulated": [20.0, 40.0], "N": 2500},
    "approximations": {
        "a": [0.005, 0.01],
        "inputs": [10, 50],
        "a_exact": [0.01],
        "inputs_exact": [50.0],
        "tau_S": [1.0],
        "inputs_filtered": [20.0, 50.0, 100.0],
        "ratios": [0.4, 1.8],
        "spikes": 500,
        "arrivals": 2e4,
        "N": 100,
    },
    "stability": {"delays": [2.0, 10.0], "g": [15.0, 20.0], "sizes": [5000, 10_000]},
}


def simulated(points, progress, **common):
    """Results in the form of simulations, from a random generator: nothing is compiled."""
    return [_one(prepare(params, **{**common, **options})) for params, options in points]


def _one(job):
    rng = np.random.default_rng(job.seed)
    counts = rng.poisson(20.0 * job.layout.N_E * 1e-3, 400)
    bins = np.linspace(-80e-3, -55e-3, 200)
    listed = job.recording.spikes
    neurons = np.sort(rng.choice(listed, 300)) if len(listed) else np.empty(0, int)
    times = job.transient + rng.random(len(neurons)) * job.duration
    fields = {
        "V_grid": bins,
        "V_density": np.full(200, 40.0),
        "current_mean": np.array([5.0, -4.0, 1.0]),
        "current_mean_sem": np.full(3, 0.1),
        "current_sd": np.array([1.0, 1.0, 1.4]),
        "current_sd_sem": np.full(3, 0.1),
        "spike_counts": rng.poisson(20.0 * job.duration, job.layout.N),
        "count_E_1ms": counts,
        "count_I_1ms": counts,
        "recorded": listed,
        "traced": job.recording.traced,
        "spike_neurons": neurons,
        "spike_times": times,
        "trace_times": np.arange(500) * 1e-3,
        "V_traces": rng.normal(-60e-3, 2e-3, (500, len(job.recording.traced))),
        "rate_E": 20.0,
        "rate_I": 20.0,
        "V_mean": -60e-3,
        "N": job.layout.N,
        "N_E": job.layout.N_E,
        "duration": job.duration,
        "transient": job.transient,
        "seed": job.seed,
    }
    words = {"law", "storage", "arrivals", "initial"}
    for name in Simulation._variables():
        fields.setdefault(name, "" if name in words else 0.5)
    return Simulation(parameters=job.params, **fields)


@pytest.fixture(scope="module")
def computed():
    """Data of every figure, computed when first asked for."""
    found = {}

    def of(name):
        if name not in found:
            settings = {**figures.module(name).SETTINGS["quick"], **TINY[name]}
            with unused.told():  # as the figures are made
                found[name] = figures.module(name).compute(Silent(), **settings)
        return found[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared, "simulate_all", simulated)
        patch.setattr(shared, "_FEWEST_FOR_A_POOL", 10**9)
        yield of


# Where nothing was simulated or a state has no value of this kind.
MAY_BE_UNDEFINED = {
    "strong_coupling": {"cv", "response", "tau_eff"},
    "scaling": {"a", "rate", "cv", "slope"},
    "network_response": {"rate_E", "cv_E", "V_sd", "stable"},
    "drift_diffusion": {"opposed", "current", "density", "spectrum", "fano", "drift", "cv", "V_sd"},
    "heterogeneity": {"density", "rate_cv", "distance", "cv"},
    "synaptic_time_constants": {"cv", "r_E", "tau_eff_critical", "rate_critical"},
    "predictions": {"rate", "cv", "V", "tau_eff", "gain", "exponent"},
    "approximations": {"filtered"},
    "stability": {"spectrum", "fano"},
}


@pytest.mark.parametrize("name", figures.NAMES)
def test_data_are_finite_and_labelled(name, computed):
    data = computed(name)
    assert data.attrs["title"]
    assert json.loads(data.attrs["parameters"]) and json.loads(data.attrs["versions"])
    assert set(json.loads(data.attrs["settings"])) == set(figures.module(name).SETTINGS["quick"])
    for key, array in data.variables.items():
        assert {"units", "long_name"} <= set(array.attrs), key
        if array.dtype.kind == "f":
            assert not np.isinf(array.values).any(), key
            undefined = tuple(MAY_BE_UNDEFINED.get(name, ()))
            if not key.startswith(undefined or ("\0",)):
                assert np.isfinite(array.values).all(), key


@pytest.mark.parametrize("name", figures.NAMES)
def test_pictures_are_drawn_from_stored_data_alone(name, computed, tmp_path, monkeypatch):
    path = tmp_path / "data.nc"
    computed(name).to_netcdf(path, engine="h5netcdf")
    stored = xr.load_dataset(path, engine="h5netcdf", decode_times=False)

    def refuse(*args, **kwargs):
        raise AssertionError("drawing computes")

    for what in ("respond", "solve", "simulate", "currents", "stability", "heterogeneity"):
        monkeypatch.setitem(cbnet.__dict__, what, refuse)
    for what in ("each", "simulate_all", "respond", "solve", "exact"):
        monkeypatch.setattr(shared, what, refuse)
    figure = figures.module(name).draw(stored)
    width = figure.get_size_inches()[0] * 2.54
    assert min(abs(width - 8.6), abs(width - 17.8)) < 0.01
    figure.savefig(tmp_path / "figure.png", dpi=60)
    for one in figure.legends:
        ends = one.get_window_extent().intervalx
        assert 0 <= ends[0] < ends[1] <= figure.bbox.width, "the legend is wider than the page"
    for axes in figure.axes:
        if axes.get_label() != "<colorbar>":
            drawn = axes.lines + axes.collections + axes.images
            assert drawn, axes.get_ylabel()
            assert axes.get_xlabel() or axes.get_shared_x_axes().get_siblings(axes)[1:]
    assert image.imread(tmp_path / "figure.png").std() > 0.01


def test_unequal_in_degrees_that_were_not_simulated(monkeypatch):
    """The largest networks are simulated at fewer CV_K; theory knows how long each was seen."""
    monkeypatch.setattr(shared, "simulate_all", simulated)
    monkeypatch.setattr(shared, "_FEWEST_FOR_A_POOL", 10**9)
    one = figures.module("heterogeneity")
    partly = [
        {"K": 400, "CV_K": [0.0, 0.1, 0.2], "duration": "0.4s", "transient": "0.1s"},
        {"K": 700, "CV_K": [0.1], "duration": "0.2s", "transient": "0.1s"},
    ]
    settings = {**one.SETTINGS["quick"], "K": [400, 700], "CV_K": [0.1], "N": 1000}
    with unused.told():
        data = one.compute(Silent(), **settings | {"simulated": partly})
    known = np.isfinite(data.quiet).all(("model", "scaling"))
    assert known.values.tolist() == [[True, True, True], [False, True, False]]
    assert data.seconds.values.tolist() == [0.4, 0.2]
    one.draw(data)


@pytest.mark.parametrize("name", figures.NAMES)
def test_every_figure_says_what_it_is(name):
    one = figures.module(name)
    assert len(one.CAPTION) > 200 and one.TITLE
    assert set(one.SETTINGS) == set(one.MINUTES) == set(figures.MODES)
    assert set(one.SETTINGS["quick"]) == set(one.SETTINGS["full"])


def test_the_quick_ones_take_a_quarter_of_an_hour_at_most():
    assert making.minutes(figures.NAMES, "quick") <= 15


def test_the_fixed_colours_differ_in_grey():
    grey = [
        np.dot(colors.to_rgb(plotting.colour(m)), (0.299, 0.587, 0.114)) for m in plotting.COLOURS
    ]
    assert abs(grey[0] - grey[1]) > 0.05


def test_the_style_file_is_installed():
    file = importlib.resources.files("cbnet.figures") / "style" / "cbnet.mplstyle"
    assert file.is_file()


def test_files_are_made_once(tmp_path, monkeypatch):
    name, calls = "stability", []
    one = figures.module(name)
    data = xr.Dataset({"x": ("i", [1.0, 2.0])}, attrs={"title": "t"})

    def compute(progress, **settings):
        calls.append(settings)
        return data.copy()

    monkeypatch.setattr(one, "compute", compute)
    monkeypatch.setattr(one, "draw", lambda data: _empty_figure())
    for _ in range(2):
        stored, files = making.make(name, "quick", tmp_path, Silent())
    assert len(calls) == 1
    assert [f.suffix for f in files] == [".nc", ".pdf", ".png", ".txt"]
    assert all(f.is_file() for f in files)
    assert stored.attrs["caption"] == making.caption(one, "quick")
    making.make(name, "full", tmp_path, Silent())  # other settings
    making.make(name, "full", tmp_path, Silent(), fresh=True)
    assert len(calls) == 3
    path = tmp_path / f"{name}.nc"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    for content in (b"half", damaged):  # as an interrupted run might leave, and a failing disk
        path.write_bytes(content)
        making.make(name, "full", tmp_path, Silent())
    assert len(calls) == 5
    monkeypatch.setattr(one, "CAPTION", "Other words.")
    stored, _ = making.make(name, "full", tmp_path, Silent())
    assert len(calls) == 5 and stored.attrs["caption"].startswith("Other words.")
    monkeypatch.setattr(making, "_code", lambda name: "edited")
    assert making.unfinished([name], "full", tmp_path) == (name,)
    making.make(name, "full", tmp_path, Silent())
    assert len(calls) == 6


def _doubled(item):
    """What an interrupted figure asks for: a number, and parameters."""
    ASKED.append(item[0])
    if item[0] == INTERRUPTED[0]:
        raise KeyboardInterrupt
    return {"x": np.array([2.0 * item[0], np.nan]), "y": item[0] > 1}


ASKED, INTERRUPTED, SIMULATE_ALL = [], [None], shared.simulate_all


def test_an_interrupted_figure_goes_on_where_it_was(tmp_path, monkeypatch):
    """Answers and simulations that were finished are not asked for again."""
    name, simulated_at = "stability", []
    one, params = figures.module(name), cbnet.load("conductance")

    def run_jobs(jobs, processes, progress, finished):
        for place, job in enumerate(jobs):
            simulated_at.append(float(job.params.nu_X))
            if simulated_at[-1] == INTERRUPTED[0]:
                raise KeyboardInterrupt
            finished(place, _one(job))

    def compute(progress, **settings):
        found = shared.each(
            _doubled, [(x, params) for x in (1.0, 2.0, 3.0, 1.0)], progress, "answers"
        )
        points = [(params.replace(nu_X=f"{nu}Hz"), {"record": 2}) for nu in (20, 30, 40)]
        runs = shared.simulate_all(points, progress, N=1500, duration="0.1s", seed=1)
        values = [float(run.parameters.nu_X) for run in runs]
        return xr.Dataset({"x": ("i", [f["x"][0] for f in found]), "nu": ("j", values)})

    monkeypatch.setattr(shared, "simulate_all", SIMULATE_ALL)  # which other tests replace
    monkeypatch.setattr(shared.workshop, "run_jobs", run_jobs)
    monkeypatch.setattr(one, "compute", compute)
    monkeypatch.setattr(one, "draw", lambda data: _empty_figure())
    for INTERRUPTED[0] in (2.0, 30.0):
        with pytest.raises(KeyboardInterrupt):
            making.make(name, "full", tmp_path, Silent())
    assert ASKED == [1.0, 2.0, 2.0, 3.0] and simulated_at == [20.0, 30.0]
    kept = tmp_path / f"{name}.unfinished" / "answers.jsonl"
    damaged = kept.read_text().replace("[2.0", "[2.5", 1)
    kept.write_text(damaged[:-3])  # killed while it was written
    INTERRUPTED[0] = None
    stored, _ = making.make(name, "full", tmp_path, Silent())
    assert ASKED[4:] == [1.0, 3.0] and simulated_at[2:] == [30.0, 40.0]
    assert stored.x.values.tolist() == [2.0, 4.0, 6.0, 2.0]
    assert stored.nu.values.tolist() == [20.0, 30.0, 40.0]
    assert not kept.parent.exists()
    assert making.unfinished([name, "scaling"], "full", tmp_path) == ("scaling",)


def _empty_figure():
    from matplotlib.figure import Figure

    return Figure(figsize=(1, 1))


def test_processes_that_figures_share_answer():
    try:
        assert list(shared._pool().map(abs, [-1.0, 2.0])) == [1.0, 2.0]
    finally:
        shared._end_pool()


def test_unknown_names_are_refused():
    with pytest.raises(ParameterError, match="did you mean 'scaling'"):
        making.chosen("scalin")
    assert making.chosen("all") == figures.NAMES


def test_times_in_figures_are_milliseconds():
    assert float(shared.milliseconds(2.0)) == pytest.approx(2e-3)


def test_inhibition_that_holds_the_mean():
    params = cbnet.load("current")
    r_I = float(shared.inhibition_that_holds(params, 40.0, -60.0))
    assert shared.mean_potential(params, 40.0, r_I)[0] == pytest.approx(-60.0)
    assert np.isnan(shared.inhibition_that_holds(params, 0.0, -60.0))


def test_a_smoothed_spectrum_keeps_the_mean_of_each_part():
    frequency = np.linspace(4, 500, 125)
    power = np.random.default_rng(1).exponential(size=125)
    f, smooth = drawing.smoothed(frequency, power)
    assert (np.diff(f) > 0).all() and len(f) < 30
    alone = frequency < 20  # further apart than a twelfth of a decade
    assert np.allclose(smooth[: alone.sum()], power[alone])
    assert smooth[-1] == pytest.approx(power[frequency >= 10 ** (32 / 12)].mean())


def test_networks_of_other_seeds_give_the_errors_of_what_comes_from_densities():
    found = [
        {"rate": r, "rate_sem": 3.0, "drift": d, "drift_sem": np.nan, "density": [d, r]}
        for r, d in ((1, 0.4), (2, 0.5), (3, 0.6))
    ]
    mean = shared.pooled(found)
    assert set(mean) == set(found[0])
    assert mean["rate"] == pytest.approx(2) and mean["drift"] == pytest.approx(0.5)
    assert mean["density"] == pytest.approx([0.5, 2])
    assert mean["rate_sem"] == pytest.approx(3 / np.sqrt(3))  # more than the spread
    assert mean["drift_sem"] == pytest.approx(1.321 * 0.1 / np.sqrt(3))
    assert np.isnan(shared.pooled(found[:1])["drift_sem"])


def test_every_network_is_simulated_with_several_graphs(monkeypatch):
    """The errors of what the report judges are over graphs: two at least, three in full."""
    for name in figures.NAMES:
        one = figures.module(name)
        if "storage" in one.SETTINGS["quick"]:  # networks, others are neurons without a graph
            for mode, least in (("quick", 2), ("full", 3)):
                assert len(set(one.SETTINGS[mode]["seeds"])) >= least
            words = {2: "two", 3: "three"}
            said = f"{words[len(one.SETTINGS['quick']['seeds'])]} graphs each, bars: two standard"
            assert said in making.caption(one, "quick"), name
    monkeypatch.setattr(shared, "simulate_all", simulated)
    points = [(cbnet.load("conductance"), {"N": 2000}), (cbnet.load("current"), {"N": 3000})]

    def measure(run):
        return {"seed": run.seed, "N": run.N, "rate": 10 * run.seed, "rate_sem": 0.1}

    found, first = shared.simulate_graphs(points, measure, Silent(), seeds=[3, 5], duration="0.2s")
    assert [one["N"] for one in found] == [2000, 3000]
    assert [one["rate"] for one in found] == [40, 40] and [run.seed for run in first] == [3, 3]
    assert found[0]["rate_sem"] == pytest.approx(1.837 * 10)


def test_warnings_on_the_way_to_a_figure_are_told(tmp_path, monkeypatch):
    """Each is in the data; the caption and one warning say how many of which kind."""
    name = "stability"
    one = figures.module(name)

    def compute(progress, **settings):
        for rate in (1, 2):
            warnings.warn(f"the network drifts: rate {rate} Hz", CbnetWarning, stacklevel=2)
        return xr.Dataset({"x": ("i", [1.0])})

    monkeypatch.setattr(one, "compute", compute)
    monkeypatch.setattr(one, "draw", lambda data: _empty_figure())
    with pytest.warns(CbnetWarning, match=r"^stability: .*the network drifts \(2\)\.$"):
        making.make(name, "quick", tmp_path, Silent())
    stored, files = making.make(name, "quick", tmp_path, Silent())  # finished: drawn without a word
    assert len(json.loads(stored.attrs["warnings"])) == 2
    assert stored.attrs["caption"].endswith("the network drifts (2).")
    assert "the network drifts (2)" in " ".join(list(files)[-1].read_text("utf-8").split())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::cbnet.errors.CbnetWarning")
@pytest.mark.parametrize("name", ["drift_diffusion", "synaptic_time_constants"])
def test_with_real_simulations(name):
    """Slow: compiles networks, with instantaneous and filtered synapses. Rates may still drift."""
    settings = {**figures.module(name).SETTINGS["quick"], **TINY[name], "duration": "0.4s"}
    data = figures.module(name).compute(Silent(), **settings)
    rate = "rate_simulation" if name == "drift_diffusion" else "rate"
    assert np.isfinite(data[rate].values).any()
    figures.module(name).draw(data)


@pytest.mark.slow
@pytest.mark.parametrize("name", figures.NAMES)
def test_full_settings_can_be_computed(name, monkeypatch):
    """Slow: chooses time steps. Every network of the long figures is checked before hours pass."""

    class EnoughError(Exception):
        """All simulations are prepared."""

    def each(function, items, progress, name):
        if function.__name__.startswith(("_efficacy", "_kept_by")):
            return [1e-3 + 1e-6 * place for place in range(len(items))]
        # a network has as many values as fixed points, all else has one
        one = np.ones(1) if function is shared.solve else np.float64(1)
        return [collections.defaultdict(lambda: one) for _ in items]

    def simulate_all(points, progress, **common):
        for params, options in points:
            prepare(params, **{**common, **options, "memory": 64e9})
        raise EnoughError

    monkeypatch.setattr(shared, "each", each)
    monkeypatch.setattr(shared, "simulate_all", simulate_all)
    with contextlib.suppress(EnoughError):
        figures.module(name).compute(Silent(), **figures.module(name).SETTINGS["full"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, ending", [("stability", signal.SIGKILL), ("predictions", signal.SIGINT)]
)
def test_long_figures_resume(name, ending, tmp_path):
    """Slow: begins a figure of full size, ends it, and begins again in the same folder."""
    command = [sys.executable, "-m", "cbnet", "figure", name, "--full", "--out", tmp_path]
    kept, known = tmp_path / f"{name}.unfinished", []
    for _ in range(2):
        with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as process:
            while process.poll() is None and len(_lines(kept)) < len(known) + 5:
                time.sleep(0.1)
            process.send_signal(ending)
            _, messages = process.communicate(timeout=60)
        found = _lines(kept)
        assert len(found) >= len(known) + 5 and found[: len(known)] == known, messages
        assert b"full: about" in messages
        known = found
    assert len({json.loads(line)[0] for line in known}) == len(known)  # none was asked for twice


def _lines(folder):
    return [
        line for path in folder.glob("*.jsonl") for line in path.read_text().split("\n")[1:] if line
    ]
