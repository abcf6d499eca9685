"""The command line: what it accepts, what it refuses and how, what it prints and leaves."""

import json
import os
import re
from pathlib import Path

import pytest

from cbnet.cli import options, tables
from tests.command_line import ROOT, refused, run

COMMANDS = (
    "compare",
    "neuron",
    "network",
    "simulate",
    "sweep",
    "status",
    "show",
    "figure",
    "report",
    "params",
    "script",
    "cache",
    "cite",
    "doctor",
)

# Exponential integrate-and-fire; at the cut-off the spike is inevitable.
EIF = """
from brian2 import mV
from cbnet import Entry, Model

model = Model(
    name="eif",
    equations="dv/dt = (E_L - v + Delta_T*exp((v - v_T)/Delta_T))/tau_L : volt (unless refractory)",
    excitatory="v_post += a*(E_E - v_post)",
    inhibitory="v_post += g*a*(E_I - v_post)",
    parameters={
        "Delta_T": Entry("Delta_T", 2.0, "mV", "Δ_T", "sharpness of spike initiation", above=0),
        "v_T": -55*mV,
        "theta": -40*mV,
    },
)
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache of these tests' own, which they may clear."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(empty_folder, monkeypatch, cache):
    monkeypatch.setenv("CBNET_CACHE", str(cache))


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("K=-5", "--set K: got -5; expected a whole number above 0"),
        ("K=0", "--set K: got 0; expected a whole number above 0"),
        ("K=10.5", "--set K: got 10.5 (not whole)"),
        ("nu_X=-1Hz", "--set nu_X: got -1Hz; expected a finite number of at least 0, in Hz"),
        ("r_E=-1Hz", "--set r_E: got -1Hz"),
        ("gamma=0", "--set gamma: got 0; expected a finite number above 0"),
        ("gamma=-0.25", "--set gamma: got -0.25"),
        ("g=0", "--set g: got 0"),
        ("g=-2", "--set g: got -2"),
        ("V_r=-55mV", "--set V_r: got V_r = -55 mV; expected it below theta = -55 mV"),
        ("theta=-70mV", "--set V_r: got V_r = -65 mV; expected it below theta = -70 mV"),
        ("a=1", "--set a: got 1 for population E; expected a < 1"),
        ("a=0.06", "--set: g*a: got 1.2 for population E; expected g*a < 1"),
        ("I.a=0.06", "--set: g*a: got 1.2 for population I; expected g*a < 1"),
        ("nu_X=20", "--set nu_X: got 20 (no unit)"),
        ("nu_X=20mV", "--set nu_X: got 20mV ('mV' is the wrong unit)"),
        ("nu_X=20parsec", "--set nu_X: got 20parsec ('parsec' is not a unit)"),
        ("nu_X=nanHz", "--set nu_X: got nanHz (not finite)"),
        ("K=nan", "--set K: got nan (not finite)"),
        ("tau_L=infms", "--set tau_L: got infms (not finite)"),
        ("a=inf", "--set a: got inf (not finite)"),
        ("a=much", "--set a: got much (not a number)"),
        ("tau_l=2ms", "did you mean 'tau_L'?"),
        ("nuX=2Hz", "did you mean 'nu_X'?"),
        ("X.K=20", "--set X.K: got the population 'X'; expected 'E' or 'I'"),
        ("self=1", "--set self: got an unknown name"),
        ("jump=square", "--set jump: got square"),
        ("D_min=20ms", "--set D_min: got D_min = 20 ms; expected at most D_max = 10 ms"),
        ("foo", "--set: got 'foo'; expected NAME=VALUE, as in K=4000"),
        ("=3", "--set: got '=3'; expected NAME=VALUE"),
        ("K=", "--set: got 'K='; expected NAME=VALUE"),
    ],
)
@pytest.mark.parametrize("command", ["params", "network", "simulate", "neuron"])
def test_wrong_settings_are_refused_by_every_command(command, setting, expected):
    assert expected in refused(f"{command} conductance --set '{setting}'")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("params conductanse", "MODEL: got 'conductanse'"),
        ("params conductanse", "did you mean 'conductance'?"),
        ("network missing.py:model", "MODEL: got 'missing.py'; expected an existing Python file"),
        ("show missing.nc", "missing.nc: got no such file"),
        ("neuron", "MODEL"),
        ("netwrok current", "did you mean 'network'?"),
        ("--versoin", "did you mean '--version'?"),
        ("simulate current --durtion 1s", "--durtion: got an unknown option"),
        ("simulate current --durtion 1s", "did you mean '--duration'?"),
        ("simulate current --duration", "--duration"),
        ("params current stray", "stray"),
        ("simulate current --duration 5", "--duration: got 5 (no unit)"),
        ("simulate current --duration 5Hz", "--duration: got 5Hz ('Hz' is the wrong unit)"),
        ("simulate current --duration 0s", "--duration: got 0s"),
        ("simulate current --duration nans", "--duration: got nans (not finite)"),
        ("simulate current --transient -1s", "--transient: got -1s"),
        ("simulate current --dt 0ms", "--dt: got 0ms"),
        ("simulate current --dt fast", "--dt: got fast (not a number)"),
        ("simulate current -N 1.5", "-N: got 1.5 (not whole)"),
        ("simulate current -N 0", "-N: got 0"),
        ("simulate current -N 100", "-N: got 100"),
        ("simulate current --record -1", "--record: got -1"),
        ("simulate current --seed -1", "--seed: got -1"),
        ("simulate current --seed 1.5", "--seed: got 1.5 (not whole)"),
        ("simulate current --graph-seed -1", "--graph-seed: got -1"),
        ("simulate current --initial upside", "--initial: got upside"),
        ("simulate current --initial -60", "--initial: got -60 (no unit)"),
        ("simulate current --fraction-excitatory 1.5", "--fraction-excitatory: got 1.5"),
        ("network current --seed -1", "--seed: got -1"),
        ("network current --noise pink", "--noise: got 'pink'"),
        ("network current --noise rice", "--noise: got 'rice'"),
        ("neuron current --noise pink", "--noise: got 'pink'"),
        ("neuron current --seed -1", "--seed: got -1"),
        ("neuron current --population X", "--population: got 'X'"),
        ("neuron current --duration 1s", "--duration: got 1s without --simulate"),
        ("neuron current --simulate --duration 1", "--duration: got 1 (no unit)"),
        ("neuron current --simulate --noise diffusion", "--noise: got diffusion with --simulate"),
        ("neuron current --simulate --set tau_S=2ms", "tau_S"),
        ("compare --K 400,many", "--K: got many (not a number)"),
        ("compare --K -400", "--K: got -400"),
        ("compare --simulate-K 401", "--simulate-K: got 401"),
        ("compare --nu-X 30", "--nu-X: got 30 (no unit)"),
        ("compare --nu-X=-30Hz", "--nu-X: got -30Hz"),
        ("compare --scaling cubic", "cubic"),
        ("compare --seeds 0", "--seeds: got 0"),
        ("compare --seed -1", "--seed: got -1"),
        ("compare --noise pink", "--noise: got 'pink'"),
        ("compare --model conductanse", "did you mean 'conductance'?"),
        ("compare --set K=-1", "--set K: got -1"),
        ("compare -N 100", "-N: got 100"),
        ("params current --set K=1 --set K=2", "--set K: got 1 and 2; give it once"),
    ],
)
def test_wrong_requests_are_refused_in_one_line(line, expected):
    assert expected in refused(line)


@pytest.mark.parametrize("command", ["neuron current", "network current", "compare"])
def test_a_folder_that_cannot_be_written_is_refused(command):
    Path("file").write_text("here already")
    for folder in ("file", "file/inside", "/dev/null/x"):
        assert f"--out: got {folder!r}" in refused(f"{command} --out {folder}")


def test_a_wrong_request_leaves_no_folder():
    assert "--noise" in refused("network current --noise pink --out new/folder")
    assert "got 'rice'" in refused("compare --noise rice --out new")


def test_settings_are_applied_together():
    """Neither of these values could be used with the reference value of the other."""
    code, out, _ = run("params conductance --set theta=-70mV --set V_r=-75mV --json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(out)["parameters"]}
    assert (rows["theta"]["E"], rows["V_r"]["E"]) == (-70.0, -75.0)


@pytest.mark.parametrize(("text", "number"), [("10_000", 10000), ("1e4", 10000), (" 7 ", 7)])
def test_whole_numbers_as_people_write_them(text, number):
    found = options.whole(text, "-N")
    assert found == number and isinstance(found, int)


def test_params_shows_what_is_set_and_what_is_derived():
    code, out, _ = run("params current --set K=400 --set I.tau_L=10ms --json")
    assert code == 0
    table = json.loads(out)
    assert list(table) == ["model", "parameters"]
    rows = {row["name"]: row for row in table["parameters"]}
    assert rows["K"]["E"] == 400 and rows["K"]["default"] == 1000 and rows["K"]["set"]
    assert (rows["tau_L"]["E"], rows["tau_L"]["I"]) == (20.0, 10.0)
    # a (E_E - V_match) and g a (V_match - E_I) of the reference set, in mV
    assert rows["J_E"]["E"] == pytest.approx(0.0015 * 55)
    assert rows["J_I"]["E"] == pytest.approx(20 * 0.0015 * 20)
    _, out, _ = run("params current --set K=400 --set I.tau_L=10ms")
    assert "parameters: K = 400, I.tau_L = 10 ms; otherwise the reference set" in out
    assert re.search(r"J_E +J_E +0\.0825 +mV", out)
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out


def test_cite():
    code, out, _ = run("cite")
    assert code == 0
    assert "10.1103/PhysRevX.12.011044" in out and "10.7554/eLife.47314" in out
    assert out.count("@article{") == 2 and out.count("@software{") == 1
    assert max(map(len, out.splitlines())) <= 80
    _, entries, _ = run("cite --bibtex")
    assert entries.startswith("@article{") and entries.count("{") == entries.count("}")
    _, out, _ = run("cite --json")
    assert [r["why"] for r in json.loads(out)["references"]][0] == "the model and its theory"


def test_citation_file_has_the_version():
    from cbnet import __version__

    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


NEURON_KEYS = ["rate_Hz", "cv", "V_mean_mV", "V_sd_mV", "tau_eff_ms", "mu_mV", "noise", "error"]
POINT_KEYS = [
    "rate_E_Hz",
    "rate_I_Hz",
    "cv_E",
    "cv_I",
    "stable",
    "V_mean_mV",
    "V_sd_mV",
    "tau_eff_ms",
    "growth_rate_per_s",
    "frequency_Hz",
    "fano_1ms",
    "fano_1ms_I",
]
SIMULATION_KEYS = [
    "rate_E_Hz",
    "rate_I_Hz",
    "rate_E_Hz_sem",
    "cv_E",
    "cv_I",
    "cv_E_count",
    "cv_I_count",
    "fano_1ms",
    "V_mean_mV",
    "V_sd_mV",
    "N",
    "N_E",
    "synapses",
    "law",
    "storage",
    "dt_ms",
    "dt_bias",
    "dt_bias_cv",
    "dt_bias_V_mean_mV",
    "dt_bias_V_sd_mV",
    "transient_s",
    "duration_s",
    "seed",
    "graph_seed",
    "notes",
    "wall_s",
    "build_s",
    "wire_s",
    "simulate_s",
    "events",
    "peak_rss_MB",
]
ROW_KEYS = ["model", "scaling", "K", "a", "N", "nu_X_Hz", "seeds", "noise", "theory", "simulation"]
THEORY_KEYS = ["rate_E_Hz", "cv_E", "V_mean_mV", "V_sd_mV"]


def test_neuron_theory_keys_and_table():
    line = "neuron conductance --set r_E=30Hz --set r_I=12Hz"
    code, out, err = run(f"{line} --json")
    assert (code, err) == (0, "")
    (only,) = out.splitlines()
    assert sorted(json.loads(only)) == sorted(NEURON_KEYS)
    code, out, _ = run(line)
    assert code == 0
    assert "theory: finite jumps (shot noise)" in out
    assert re.search(r"firing rate +15\.40\d* Hz", out)


def test_neuron_says_that_synaptic_time_constants_were_neglected():
    _, out, _ = run("neuron conductance --noise diffusion --set tau_S=2ms")
    assert "synaptic time constants were neglected" in " ".join(out.split())


def test_exact_neuron_keys_and_table():
    line = "neuron current --set r_E=60Hz --set r_I=12Hz --simulate --duration 2s --seed 3 --quiet"
    code, out, err = run(f"{line} --json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert set(NEURON_KEYS) | {"rate_Hz_sem", "cv_sem", "spikes"} <= set(found)
    assert found["noise"] == "exact" and found["spikes"] > 0
    _, out, _ = run(line)
    assert "simulation: exact" in out
    assert re.search(r"firing rate +\d+\.\d+ ± \d+\.\d+ Hz", out)


def test_network_keys_and_silence():
    code, out, _ = run("network conductance --json --quiet")
    assert code == 0
    found = json.loads(out)
    assert sorted(found) == sorted(("fixed_points", "balance_line_Hz", "noise", "error"))
    assert [sorted(point) for point in found["fixed_points"]] == [sorted(POINT_KEYS)]
    code, out, _ = run("network conductance --set nu_X=0Hz --json --quiet")
    assert "NaN" not in out and json.loads(out)["fixed_points"][0]["cv_E"] is None
    _, out, _ = run("network conductance --set nu_X=0Hz")
    assert "silent" in out and tables.UNDEFINED in out
    assert max(map(len, out.splitlines())) <= 80


def test_network_says_which_modes_grow():
    line = "network conductance --noise diffusion"
    (point,) = json.loads(run(f"{line} -N 10000 --json")[1])["fixed_points"]
    assert point["stable"] and point["growth_rate_per_s"] < 0 and point["fano_1ms"] > 1
    _, out, _ = run(f"{line} -N 10000")
    assert "Fano" in out and "leading mode" in out
    # one short delay in common: the static kind of stability says nothing of these oscillations
    line = "network current --noise diffusion --set K=200 --set a=0.006 --set nu_X=60Hz"
    (point,) = json.loads(run(f"{line} --set E.nu_X=0Hz --set D=3ms --json")[1])["fixed_points"]
    assert not point["stable"] and point["growth_rate_per_s"] > 0 and point["frequency_Hz"] > 50
    assert "without -N" in refused("network conductance --fraction-excitatory 0.5")
    assert "-N: got 1" in refused("network conductance -N 1")


def test_a_result_is_saved_and_shown_again(empty_folder):
    line = "network conductance --set I.tau_L=10ms --quiet"
    code, printed, _ = run(f"{line} --out results")
    assert code == 0
    assert printed.splitlines()[-1] == "saved results/network-conductance.nc"
    _, again, _ = run(f"{line} --out results --json")
    assert sorted(os.listdir("results")) == ["network-conductance-2.nc", "network-conductance.nc"]
    code, shown, _ = run("show results/network-conductance.nc")
    assert code == 0
    assert shown.splitlines() == printed.splitlines()[:-1]
    assert json.loads(run("show results/network-conductance-2.nc --json")[1]) == json.loads(again)
    assert "expected one result" in refused("show results")
    Path("text.nc").write_text("nothing of the kind")
    assert "text.nc" in refused("show text.nc")


def test_a_model_of_ones_own():
    Path("eif.py").write_text(EIF)
    code, out, _ = run("network eif.py:model --quiet")
    assert code == 0
    assert "eif: fixed points of the network" in out
    assert "Delta_T = 2 mV" in out and "theta = -40 mV" in out
    code, out, _ = run("neuron eif.py:model --set r_E=60Hz --set Delta_T=1mV --json")
    assert code == 0
    assert json.loads(out)["rate_Hz"] > 0
    assert "Delta_T: got 0mV" in refused("neuron eif.py:model --set Delta_T=0mV")
    assert "no Model or Network called 'modle'" in refused("neuron eif.py:modle")
    Path("broken.py").write_text("import nowhere_to_be_found")
    assert "ModuleNotFoundError" in refused("neuron broken.py:model")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_two_examples(command):
    code, out, _ = run(f"{command} --help")
    assert code == 0
    lines = [line.strip() for line in out.splitlines() if line.strip()]
    assert lines[-3] == "Examples:"
    assert all(line.startswith(f"cbnet {command}") for line in lines[-2:])


def examples(command):
    """The examples of a command as its help prints them."""
    _, out, _ = run(f"{command} --help")
    return [line.strip() for line in out.splitlines() if line.strip()][-2:]


@pytest.mark.parametrize("command", ["neuron", "network", "params", "cache", "cite", "doctor"])
def test_examples_run_as_printed(command):
    for line in examples(command):
        code, out, err = run(line.removeprefix("cbnet "))
        assert (code, "error" in err, out != "") == (0, False, True), (line, err)


def test_examples_of_show_run_as_printed():
    assert run("network conductance --quiet --out .")[0] == 0
    for line in examples("show"):
        assert run(line.removeprefix("cbnet "))[0] == 0, line
    assert Path("network.png").stat().st_size > 1000
    assert "exists" in refused("show network-conductance.nc --plot network.png")
    assert "ending" in refused("show network-conductance.nc --plot network.xyz")
    assert run("neuron conductance --out .")[0] == 0
    assert "a few numbers" in refused("show neuron-conductance.nc --plot neuron.png")


def test_examples_of_sweep_and_status_run_as_printed():
    for line in (*examples("sweep"), *examples("status")):
        code, out, err = run(line.removeprefix("cbnet "))
        assert (code, out != "") == (0, True), (line, err)
    assert "exists" in refused("sweep grid.toml --example")
    assert json.loads(run("status grid --json")[1])["finished"] == 14
    assert run("show grid --plot grid.png")[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_examples_of_simulate_run_as_printed(number):
    """Compiles a network: about half a minute."""
    line = examples("simulate")[number]
    code, out, err = run(line.removeprefix("cbnet "))
    assert code == 0, err
    if "--json" in line:
        found = json.loads(out)
        assert sorted(found) == sorted(SIMULATION_KEYS)
        assert found["rate_E_Hz"] > 0
    else:
        assert " ± " in out
        assert max(map(len, out.splitlines())) <= 80


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_examples_of_compare_run_as_printed(number):
    """Compiles two networks: about a minute."""
    line = examples("compare")[number]
    code, out, err = run(line.removeprefix("cbnet "))
    assert code == 0, err
    assert sorted(os.listdir("cbnet-compare")) == [
        f"comparison.{ending}" for ending in ("csv", "nc", "pdf", "png")
    ]
    if "--json" in line:
        found = json.loads(out)
        assert sorted(found) == ["files", "rows"]
        assert all(Path(file).is_file() for file in found["files"])
    else:
        assert max(map(len, out.splitlines())) <= 80
        found = json.loads(run("show cbnet-compare --json")[1])
    for row in found["rows"]:
        assert sorted(row) == sorted(ROW_KEYS)
        assert sorted(row["theory"]) == sorted(THEORY_KEYS)
        if row["simulation"] is not None:
            both = [key + end for key in (*THEORY_KEYS, "fano_1ms") for end in ("", "_sem")]
            assert sorted(row["simulation"]) == sorted(both)
    run("compare --K 400 --simulate-K none --quiet")
    assert sorted(os.listdir()) == ["cbnet-compare", "cbnet-compare-2"]


def test_a_comparison_of_theories_needs_no_simulation():
    line = "compare --K 400 --simulate-K none --nu-X 50Hz --scaling sqrt --noise diffusion --quiet"
    code, out, err = run(f"{line} --out here --json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert [row["simulation"] for row in found["rows"]] == [None, None]
    # mpmath, 25 digits: current synapses, 1/sqrt(K), nu_X = 50 Hz, K = 400
    (current,) = [row for row in found["rows"] if row["model"] == "current"]
    assert current["theory"]["rate_E_Hz"] == pytest.approx(32.939324, abs=1e-6)
    assert found["files"] == [f"here/comparison.{end}" for end in ("nc", "csv", "png", "pdf")]
    first, *rows = Path("here/comparison.csv").read_text().splitlines()
    assert first.startswith("model,scaling,K,a,N,nu_X_Hz") and len(rows) == 2


def test_version():
    from cbnet import __version__

    assert run("--version") == (0, f"cbnet {__version__}\n", "")


def test_without_a_command_it_shows_what_there_is():
    code, out, _ = run("")
    assert code == 0
    assert all(re.search(rf"\b{command}\b", out) for command in COMMANDS)


def test_figures_are_asked_for_by_name_and_mode():
    assert "expected all or one of" in refused("figure scalin --quick")
    assert "got --full too" in refused("figure scaling --quick --full")
    assert "got --full too" in refused("report --quick --full")


def test_figure_and_report_leave_their_files(empty_folder, monkeypatch):
    """With every figure's work replaced by numbers that are there at once."""
    import xarray as xr
    from matplotlib.figure import Figure

    from cbnet import figures
    from cbnet.reporting import beyond, networks, one_neuron

    for name in figures.NAMES:
        one = figures.module(name)
        data = xr.Dataset({"x": ("i", [1.0])}, attrs={"title": one.TITLE})
        monkeypatch.setattr(one, "compute", lambda progress, data=data, **settings: data.copy())
        monkeypatch.setattr(one, "draw", lambda data: Figure(figsize=(1, 1)))
    code, out, err = run("figure scaling --quick --json --out one")
    assert code == 0, err
    found = json.loads(out)
    assert found["figures"] == ["scaling"] and all(Path(f).is_file() for f in found["files"])
    claims = (*one_neuron.CLAIMS, *networks.CLAIMS, *beyond.CLAIMS)

    def judged_by_nothing(data, mode):
        from cbnet.reporting.claims import judge

        return judge(claims, {}, lambda figure: f"cbnet figure {figure} --{mode}")

    monkeypatch.setattr("cbnet.cli.report.judge_all", judged_by_nothing)
    code, out, err = run("report --quick --out two")
    assert code == 0 and "about" in err
    text = Path("two/report.html").read_text("utf-8")
    assert text.count("<img") == len(figures.NAMES) and text.count("<tr>") >= len(claims)
    assert "cbnet figure scaling --quick" in re.sub("<[^>]+>", "", text)
    assert "![" in Path("two/report.md").read_text("utf-8")
    assert f"{len(claims)} undecided" in out
