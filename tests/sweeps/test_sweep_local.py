"""Sweeps on this machine: the same bytes whatever happens to the process."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import xarray as xr

import cbnet
from cbnet.errors import CbnetWarning, DamagedError, ParameterError
from cbnet.sweeps import records, store, table, tasks
from cbnet.sweeps.run import Silent
from tests.sweeping import SIMULATION, THEORY, environment, grid, points, same, start
from tests.sweeping import cbnet as command


def test_theory_of_a_grid_is_that_of_its_networks(tmp_path):
    out = tmp_path / "out"
    found = cbnet.Sweep.read(grid(tmp_path)).run(out, processes=1)
    assert found.dataset.theory_rate_E.dims == ("nu_X", "K", "fixed_point")
    for nu_X in (20.0, 50.0):
        params = cbnet.load("conductance").replace(nu_X=f"{nu_X!r}Hz", K=800)
        solution = cbnet.solve(params, noise="diffusion")
        mine = found.dataset.sel(nu_X=nu_X, K=800)
        count = len(solution.fixed_points)
        # both are within their stated errors: 1e-6 here, 1e-8 there
        for name in ("rate_E", "cv_E", "V_mean", "V_sd", "tau_eff"):
            expected = np.asarray(solution.in_si(name))
            found_ = mine[f"theory_{name}"].values
            np.testing.assert_allclose(found_[:count], expected, rtol=2e-6)
            assert np.isnan(found_[count:]).all()
    assert found.dataset.theory_rate_E.attrs["units"] == "s^-1"
    assert same(cbnet.open_sweep(out).dataset, found.dataset)
    assert same(cbnet.results.load(out / "results.nc").dataset, found.dataset)


def test_a_larger_grid_keeps_what_applies(tmp_path):
    out = tmp_path / "out"
    cbnet.Sweep.read(grid(tmp_path)).run(out, processes=1)
    before = points(out)
    larger = cbnet.Sweep.read(grid(tmp_path, THEORY.replace("[400, 800]", "[400, 800, 1200]")))
    found = larger.run(out, processes=1)
    after = points(out)
    assert before.items() <= after.items() and len(after) == len(before) + 1
    new = [n for n in after if n not in before]
    record = records.Record.from_bytes((out / "points" / new[0]).read_bytes())
    assert len(record.identities) == 5
    assert (found.dataset.theory_status == "finished").all()


def test_points_that_no_longer_apply_are_told(tmp_path):
    out, said = tmp_path / "out", []

    class Told(Silent):
        def stage(self, name):
            said.append(name)

    cbnet.Sweep.read(grid(tmp_path)).run(out, processes=1, progress=Told())
    other = cbnet.Sweep.read(grid(tmp_path, THEORY.replace("[400, 800]", "[800, 1200]")))
    other.run(out, processes=1, progress=Told())
    assert said == [
        "10 of 10 computations to do",
        "5 of 10 computations to do; 5 finished ones in the folder are of other values",
    ]


def test_a_damaged_file_is_reported_and_computed_again(tmp_path):
    out = tmp_path / "out"
    sweep, said = cbnet.Sweep.read(grid(tmp_path)), []
    first = sweep.run(out, processes=1)
    (path,) = (out / "points").glob("*.points")
    content = bytearray(path.read_bytes())
    content[-5] ^= 1  # one bit of one number
    path.write_bytes(content)
    assert same(sweep.run(out, processes=1, warn=said.append).dataset, first.dataset)
    assert len(said) == 1 and "is damaged" in said[0] and path.name in said[0]


def test_damaged_files_of_a_sweep_are_told(tmp_path):
    out = tmp_path / "out"
    first = cbnet.Sweep.read(grid(tmp_path)).run(out, processes=1)
    (path,) = (out / "points").glob("*.points")
    content = path.read_bytes()
    path.write_bytes(content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
    with pytest.warns(CbnetWarning, match=f"{path.name}: damaged, and left out"):
        assert (cbnet.open_sweep(out).dataset.theory_status == "missing").all()
    path.write_bytes(content)
    about = out / "sweep.json"
    text = about.read_text()
    about.write_text(text.replace('"Hz"', '"mV"', 1))
    with pytest.raises(ParameterError, match="sweep.json: cannot be read"):
        cbnet.open_sweep(out)
    older = {k: v for k, v in json.loads(text).items() if k != "checksum"}
    about.write_text(json.dumps(older))  # as older versions wrote it
    with pytest.warns(CbnetWarning, match="sweep.json: has no checksum"):
        assert same(cbnet.open_sweep(out).dataset, first.dataset)
    with h5py.File(out / "results.nc", "r+") as file:
        file["theory_rate_E"][0, 0, 0] += 1
    with pytest.raises(DamagedError, match="results.nc: got content that is not what was saved"):
        cbnet.open_sweep(out / "results.nc")


def test_damaged_files_of_zarr_are_refused(tmp_path):
    pytest.importorskip("zarr", reason="needs the extra [zarr]")
    first = cbnet.Sweep.read(grid(tmp_path)).run(tmp_path / "out", processes=1)
    path = first.save(tmp_path / "found.zarr")
    assert same(cbnet.open_sweep(path).dataset, first.dataset)
    files = [p for p in path.rglob("*") if p.is_file()]
    rng = np.random.default_rng(1)
    for file in files:
        content = file.read_bytes()
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] ^= 1 << rng.integers(8)
        file.write_bytes(damaged)
        try:
            assert same(cbnet.open_sweep(path).dataset, first.dataset), file  # a space, say
        except (DamagedError, ParameterError) as error:
            assert "found.zarr" in str(error) and "\n" not in str(error)
        file.write_bytes(content)


def test_other_code_is_reported_and_not_mixed_in(tmp_path):
    out, said = tmp_path / "out", []
    sweep = cbnet.Sweep.read(grid(tmp_path))
    first = sweep.run(out, processes=1)
    (path,) = (out / "points").glob("*.points")
    record = records.Record.from_bytes(path.read_bytes())
    other = {**record.made, "brian2": "2.8.0"}
    arrays = {name: array + 1 for name, array in record.arrays.items()}
    path.unlink()
    old = store.Store(out)
    old.add(records.Record(record.kind, record.identities, other, arrays, record.about))
    again = sweep.run(out, processes=1, warn=said.append)
    assert same(again.dataset, first.dataset)
    assert "brian2 2.8.0 then" in said[0] and "--keep-old" in said[0]
    for path in (out / "points").glob("*.points"):
        if records.Record.from_bytes(path.read_bytes()).made == record.made:
            path.unlink()
    kept = sweep.run(out, processes=1, keep_old=True)
    assert (
        kept.dataset.theory_rate_E.values[0, 0, 0]
        == first.dataset.theory_rate_E.values[0, 0, 0] + 1
    )
    assert set(np.unique(kept.dataset.theory_versions)) != set(
        np.unique(first.dataset.theory_versions)
    )


def test_a_second_sweep_in_the_folder_is_refused(tmp_path):
    out = tmp_path / "out"
    sweep = cbnet.Sweep.read(grid(tmp_path))
    with store.Store(out).working(), pytest.raises(store.SweepError, match="another sweep"):
        sweep.run(out)
    assert not points(out)


def children(pid):
    """Numbers of the processes that a process has started."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(number) for number in file.read().split()]


def mounted(folder, script, *arguments):
    """Lines of a shell script with a small file system of its own at $1."""
    inside = ["unshare", "-rm", "sh", "-c"]
    try:
        subprocess.run([*inside, f"mount -t tmpfs tmpfs {folder}"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs leave to mount a small file system (unshare, user namespaces)")
    start = f"mount -t tmpfs -o size=2m tmpfs $1 && cbnet() {{ {sys.executable} -m cbnet $@; }}\n"
    done = subprocess.run(
        [*inside, start + script, "sh", str(folder), *map(str, arguments)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    return done.stdout.splitlines()


@pytest.mark.slow  # 16 s
def test_a_full_disk_and_a_folder_that_cannot_be_written_are_one_line_each(tmp_path):
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    small = grid(tmp_path)
    larger = grid(tmp_path, THEORY.replace("[400, 800]", "[400, 800, 1200]"), "larger.toml")
    script = """
        cbnet sweep $2 --out $1/out --quiet > /dev/null; echo first $?
        cp -rp $1/out $4
        cat /dev/zero > $1/filler 2> /dev/null
        cbnet sweep $3 --out $1/out --quiet; echo full $?
        rm $1/filler; mount -o remount,ro $1
        cbnet sweep $3 --out $1/out --quiet; echo locked $?
        mount -o remount,rw $1
        cbnet sweep $3 --out $1/out --quiet > /dev/null; echo again $?
        cp -rp $1/out $4-again
    """
    lines = mounted(disk, script, small, larger, kept)
    assert [line for line in lines if line[-2:-1] == " "] == [
        *("first 0", "full 1", "locked 1", "again 0"),
    ]
    full, locked = (line for line in lines if line.startswith("cbnet: "))
    assert "no space left on its disk; what is finished is kept" in full
    assert "cannot be written (Read-only file system); what is finished is kept" in locked
    again = tmp_path / "kept-again"
    assert points(kept).items() < points(again).items()  # none was computed again
    assert (cbnet.open_sweep(again).dataset.theory_status == "finished").all()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(cbnet.errors.ParameterError, match="other files"):
        cbnet.Sweep.read(grid(tmp_path)).run(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["grid.toml", "thesis.txt"]


def test_nothing_is_written_for_less_memory_than_one_process_takes(tmp_path):
    with pytest.raises(cbnet.errors.ParameterError, match="expected at least 150 MB"):
        cbnet.Sweep.read(grid(tmp_path)).run(tmp_path / "out", memory=100_000_000)
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_for_a_wrong_grid(tmp_path):
    out = tmp_path / "out"
    _, err = command(
        *("sweep", grid(tmp_path, THEORY.replace("20Hz", "20mV")), "--out", out), code=2
    )
    assert len(err.splitlines()) == 1 and "axes.nu_X.linspace[0]: got 20mV" in err
    assert not out.exists()


def test_failures_are_kept_listed_and_tried_again(tmp_path, monkeypatch):
    text = THEORY.replace("[400, 800]", "[400, 800]\na = [0.0015, 0.2]")
    out = tmp_path / "out"
    listed, err = command("sweep", grid(tmp_path, text), "--out", out, code=1)
    assert "a = 0.2" in listed and "refused" in listed
    told = json.loads(command("status", out, "--json")[0])
    assert (told["finished"], told["refused"], told["missing"]) == (10, 10, 0)


def test_a_failed_point_is_tried_again_when_asked(tmp_path):
    out = tmp_path / "out"
    sweep = cbnet.Sweep.read(grid(tmp_path))
    one = sweep.plan().units[3]
    with store.Store(out).working() as folder:
        folder.add_failure(one.identity, "theory", "it broke")
    found = sweep.run(out, processes=1)
    assert [f["message"] for f in found.failures] == ["it broke"]
    assert (found.dataset.theory_status == "failed").sum() == 1
    before = points(out)
    again = sweep.run(out, processes=1, retry_failed=True)
    assert not again.failures and before.items() < points(out).items()
    assert (again.dataset.theory_status == "finished").all()


def test_a_tidy_table_has_units_in_its_names(tmp_path):
    found = cbnet.Sweep.read(grid(tmp_path)).run(tmp_path / "out", processes=1)
    table = found.to_dataframe()
    assert {"nu_X_Hz", "K", "rate_E_Hz", "cv_E", "V_mean_mV", "source"} <= set(table.columns)
    assert set(table.nu_X_Hz) == {20.0, 30.0, 40.0, 50.0, 60.0}
    assert table.V_mean_mV.between(-80, -55).all()


def test_seeds_keep_every_digit(tmp_path):
    seeds = [1, 2**53, 2**53 + 1, 2**64 - 1]
    changed = SIMULATION.replace('"simulation"', '"both"').replace(
        "seeds = 4", f'keep = ["rate_E"]\nseeds = {seeds}'
    )
    planned = cbnet.Sweep.read(grid(tmp_path, changed)).plan()
    units = [unit for unit in planned.units if unit.kind == "simulation"]
    assert len({unit.identity for unit in units}) == len(units) == 8 * len(seeds)
    assert {unit.seed for unit in units} == set(seeds)
    contents, rates = store.Contents(), np.arange(len(planned.units), dtype=float)
    for kind, shape in (("theory", (-1, 1)), ("simulation", (-1,))):
        of = [unit.identity for unit in planned.units if unit.kind == kind]
        arrays = {"rate_E": rates[: len(of)].reshape(shape)}
        record = records.Record(kind, tuple(of), {}, arrays, [{} for _ in of])
        contents.finished |= {one: (record, k) for k, one in enumerate(of)}
    found = table.assemble(planned, contents)
    assert found.dataset.seed.values.tolist() == seeds
    for name in ("found.nc", "found.zarr") if table._has_zarr() else ("found.nc",):
        again = cbnet.open_sweep(found.save(tmp_path / name))
        assert again.dataset.seed.values.tolist() == seeds and again.grid.seeds == tuple(seeds)
        rows = [row for row in again.to_dict()["rows"] if row["source"] == "simulation"]
        assert json.loads(json.dumps([row["seed"] for row in rows])) == seeds * 8


def test_a_dry_run_lists_points_and_what_is_refused_and_writes_nothing(tmp_path):
    text = THEORY.replace("[axes]", '[axes]\nnoise = ["diffusion", "colored"]')
    file, before = grid(tmp_path, text), sorted(tmp_path.iterdir())
    said, _ = command("sweep", file, "--dry-run", cwd=tmp_path)
    lines = said.splitlines()
    assert "noise = diffusion, nu_X = 20 Hz, K = 400: theory, 150 MB" in lines
    refused = [line for line in lines if line.startswith("refused: ")]
    assert len(refused) == 10 and all("instantaneous synapses" in line for line in refused)
    assert any("estimated time" in line and "about" in line for line in lines)
    told = json.loads(command("sweep", file, "--dry-run", "--json", cwd=tmp_path)[0])
    assert (told["points"], told["theory"], len(told["listed"])) == (20, 10, 10)
    assert told["core_s"] > 0 and 0 < told["time_s"] < 100
    assert sorted(tmp_path.iterdir()) == before


def test_an_axis_and_a_result_of_one_name_are_one_column(tmp_path):
    text = THEORY.replace("[axes]", '[axes]\nnoise = ["diffusion", "effective"]')
    out = tmp_path / "out"
    table = cbnet.Sweep.read(grid(tmp_path, text)).run(out, processes=1).to_dataframe()
    assert table.columns.is_unique
    assert set(table.noise) == {"diffusion", "effective"}
    shown, _ = command("show", out)
    assert sum(line.strip().startswith("theory") for line in shown.splitlines()) == 20


def test_a_picture_names_both_values_of_zipped_axes(tmp_path):
    from cbnet.sweeps.drawing import draw

    text = THEORY.replace("[axes]", 'zipped = [["K", "tau_L"]]\n[axes]\ntau_L = ["20ms", "15ms"]')
    figure = draw(cbnet.Sweep.read(grid(tmp_path, text)).run(tmp_path / "out", processes=1))
    (legend,) = figure.legends
    said = [text.get_text() for text in legend.get_texts()]
    assert said[:2] == ["K = 400, tau_L = 20 ms", "K = 800, tau_L = 15 ms"]
    assert all(axes.get_ylim()[1] > axes.dataLim.y1 for axes in figure.axes)


def test_a_large_dataset_is_kept_as_zarr(tmp_path, monkeypatch):
    pytest.importorskip("zarr", reason="needs the extra [zarr]")
    from cbnet.sweeps import table

    out, sweep = tmp_path / "out", cbnet.Sweep.read(grid(tmp_path))
    first = sweep.run(out, processes=1)
    assert (out / "results.nc").is_file()
    monkeypatch.setattr(table, "_LARGE", 100)
    assert same(sweep.run(out, processes=1).dataset, first.dataset)
    assert not (out / "results.nc").exists()
    assert same(cbnet.open_sweep(out / "results.zarr").dataset, first.dataset)
    sweep.run(out, processes=1)  # replaces it
    assert sorted(p.name for p in out.glob("results*")) == ["results.zarr"]
    shown, err = command("show", out / "results.zarr")
    assert "<Results of a sweep" in shown and not err


def test_a_log_gets_a_line_now_and_then(capsys, monkeypatch):
    from cbnet.cli import progress

    monkeypatch.setattr(progress, "_PERIOD", 0.0)
    with progress.Lines() as lines:
        lines.stage("3 of 4 computations to do")
        lines.tell("2 of 4 finished, 1 failed, 3 s left, 0.3 GB")
        lines.update(0.5)
    said = capsys.readouterr().err.splitlines()
    assert said == ["3 of 4 computations to do", "2 of 4 finished, 1 failed, 3 s left, 0.3 GB"]


def test_a_point_that_fails_in_any_way_is_a_message():
    from cbnet.sweeps.worker import answer

    params = cbnet.load("conductance")
    task = tasks.theory("network", [params], "diffusion", None)
    kind, message = answer({**task, "changes": [{"K": "many"}]})
    assert kind == "failed" and "Error" in message and "\n" not in message


def test_a_large_point_waits_for_memory():
    from cbnet.sweeps.local import Local

    crew = Local(processes=2, memory=300_000_000)
    crew._busy["a worker"] = "a task", {}, 200_000_000
    assert crew.fits(50_000_000) is True
    assert crew.fits(150_000_000) is False  # until the other one is done
    crew._busy.clear()
    assert crew.fits(150_000_000) is True
    assert crew.fits(400_000_000) is None  # never


@pytest.mark.parametrize("limit, at_once", [(200_000_000, 1), (400_000_000, 2)])
def test_points_that_do_not_fit_together_run_one_after_the_other(tmp_path, limit, at_once):
    text = THEORY.replace(
        'nu_X = { linspace = ["20Hz", "60Hz", 5] }', '"I.tau_L" = ["10ms", "15ms"]'
    )
    sweep, seen = cbnet.Sweep.read(grid(tmp_path, text)), []
    assert {unit.memory for unit in sweep.plan().units} == {150_000_000}

    class Watched(Silent):
        def update(self, fraction):
            seen.append(set(children(os.getpid())) - before)

    before = set(children(os.getpid()))
    found = sweep.run(tmp_path / "out", processes=2, memory=limit, progress=Watched())
    assert max(map(len, seen)) == at_once
    assert (found.dataset.theory_status == "finished").all()


def test_time_is_estimated_with_the_work_of_each_network(monkeypatch):
    from cbnet.sweeps import calibration

    class Trial:
        """A process that says the same of every network."""

        def warm(self, task):
            return 0.0

        def run(self, task):
            found = {"rate_E": [10.0], "rate_I": [10.0]}
            about = {"simulate_s": 0.2, "wire_s": 0.1}
            return 0.35, "done", {"about": [about], "arrays": found}

    sweep = cbnet.Sweep(
        {"nu_X": ["10Hz", "80Hz"], "N": [1000, 4000]},
        run="simulation",
        parameters={"K": 200, "a": 0.0024},
        dt="0.1ms",
    )
    units = sweep.plan().units
    costs, *_ = calibration._simulations(units, Trial())
    of = {(u.point.setting["nu_X"], u.point.N): c - 0.05 for u, c in zip(units, costs, strict=True)}
    for nu_X in (10.0, 80.0):  # without the 50 ms around each
        assert of[nu_X, 4000] == pytest.approx(4 * of[nu_X, 1000], rel=0.01)
    assert of[80.0, 1000] > 1.5 * of[10.0, 1000]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    command("sweep", grid(folder, SIMULATION), "--out", folder / "out", "--quiet")
    return cbnet.open_sweep(folder / "out").dataset


@pytest.mark.slow
def test_a_simulation_of_a_sweep_is_that_of_simulate(undisturbed):
    """Slow: compiles a network."""
    params = cbnet.load("conductance").replace(K=40, a=0.01, nu_X="70Hz")
    given = {"N": 250, "duration": "0.05s", "transient": "0.02s"}
    alone = cbnet.simulate(params, seed=3, **given)
    mine = undisturbed.sel(nu_X=70.0, seed=3)
    names = [n for n in alone._variables() if f"simulation_{n}" in mine]
    assert len(names) > 20
    for name in names:
        np.testing.assert_array_equal(mine[f"simulation_{name}"].values, alone.in_si(name))


@pytest.mark.slow
def test_kills_at_random_moments_change_nothing(undisturbed, tmp_path):
    """Slow: compiles a network, and runs a sweep of it with ten interruptions."""
    out, file = tmp_path / "out", grid(tmp_path, SIMULATION)
    rng, before = random.Random(1), {}
    for _ in range(10):
        child = start("sweep", file, "--out", out, "--quiet")
        done = len(before)
        while len(points(out)) <= done and child.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.5))
        child.kill()  # unless it has finished
        child.wait()
        after = points(out)
        assert before.items() <= after.items()  # none was computed again
        before = after
    command("sweep", file, "--out", out, "--quiet")
    assert before.items() <= points(out).items()
    assert same(cbnet.open_sweep(out).dataset, undisturbed)
    with xr.open_dataset(out / "results.nc", engine="h5netcdf", decode_times=False) as stored:
        assert same(stored.load(), undisturbed)


@pytest.mark.slow
def test_a_killed_worker_is_replaced(undisturbed, tmp_path):
    """Slow: compiles a network."""
    out = tmp_path / "out"
    child = start("sweep", grid(tmp_path, SIMULATION), "--out", out, "--quiet")
    while len(points(out)) < 3 and child.poll() is None:
        time.sleep(0.01)
    os.kill(children(child.pid)[0], signal.SIGKILL)
    assert child.wait(300) == 0, child.stderr.read()
    assert same(cbnet.open_sweep(out).dataset, undisturbed)


@pytest.mark.slow
def test_an_interrupt_keeps_what_is_finished_and_says_how_to_go_on(undisturbed, tmp_path):
    """Slow: compiles a network."""
    out, file = tmp_path / "out", grid(tmp_path, SIMULATION)
    child = start("sweep", file, "--out", out)
    while len(points(out)) < 3 and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "are kept in" in err.splitlines()[-1] and "run the same command again" in err
    before = points(out)
    command("sweep", file, "--out", out)
    assert before.items() <= points(out).items()
    assert same(cbnet.open_sweep(out).dataset, undisturbed)


@pytest.mark.slow
def test_spike_trains_go_to_neo_and_nwb(tmp_path):
    """Slow: compiles a network."""
    pytest.importorskip("pynwb", reason="needs the extra [neo]")
    text = SIMULATION.replace("seeds = 4", "seeds = 1\nrecord = 20\nkeep = ['rate_E']")
    out = tmp_path / "out"
    found = cbnet.Sweep.read(grid(tmp_path, text)).run(out)
    block = found.to_neo()
    assert len(block.segments) == 8 and len(block.segments[0].spiketrains) == 20
    assert block.segments[0].name == "nu_X = 40 Hz, seed = 1"
    count = sum(len(t) for s in block.segments for t in s.spiketrains)
    assert count == np.isfinite(found.dataset.simulation_spike_times).sum() > 0
    command("show", out, "--nwb", tmp_path / "spikes.nwb")
    import pynwb

    with pynwb.NWBHDF5IO(str(tmp_path / "spikes.nwb"), "r") as file:
        units = file.read().units
        assert len(units) == 160
        assert sum(len(units["spike_times"][k]) for k in range(160)) == count
