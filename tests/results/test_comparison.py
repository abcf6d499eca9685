"""Theory beside simulation: rows, files, figures, and whether the two agree."""

import numpy as np
import pytest
from brian2 import Hz, mV, second

import cbnet
from cbnet import results
from cbnet.comparison import Comparison
from cbnet.errors import ParameterError
from cbnet.model import unused
from cbnet.results.pooling import of_few_graphs, over_graphs
from cbnet.simulation.backends import standalone
from cbnet.simulation.backends.workshop import run_jobs
from cbnet.simulation.job import prepare
from cbnet.simulation.step import timestep

needs_compiler = pytest.mark.skipif(
    bool(standalone.compiler_missing()), reason=f"{standalone.compiler_missing()} not found"
)
MEASURES = ["rate_E_Hz", "cv_E", "V_mean_mV", "V_sd_mV"]


@pytest.fixture(scope="module")
def theory():
    """A comparison without simulations."""
    return cbnet.compare(K=[400, 1600], simulate_K=[], nu_X=[30 * Hz, 50 * Hz])


def test_rows(theory):
    rows = theory.to_dict()["rows"]
    assert len(rows) == 2 * 2 * 2 * 2
    keys = ["model", "scaling", "K", "a", "N", "nu_X_Hz", "seeds", "noise", "theory", "simulation"]
    for row in rows:
        assert list(row) == keys
        assert list(row["theory"]) == MEASURES
        assert row["N"] is row["simulation"] is None
        assert row["seeds"] == 0
    combinations = {(r["model"], r["scaling"], r["K"], r["nu_X_Hz"]) for r in rows}
    assert len(combinations) == len(rows)


def test_rows_are_those_of_solve(theory):
    base = cbnet.load("conductance")
    for row in theory.to_dict()["rows"]:
        if (row["model"], row["scaling"]) != ("conductance", "sqrt"):
            continue
        assert row["a"] == pytest.approx(0.0015 * np.sqrt(1000 / row["K"]))
        params = base.scaled("sqrt", row["K"]).replace(nu_X=row["nu_X_Hz"] * Hz)
        solution = cbnet.solve(params)
        stable = [p for p in solution.fixed_points if p.stable]
        best = max(stable, key=lambda p: float(p.rate_E))
        assert row["theory"]["rate_E_Hz"] == pytest.approx(float(best.rate_E), rel=1e-6)
        assert row["theory"]["cv_E"] == pytest.approx(best.cv_E, rel=1e-6)


def test_in_degrees_to_simulate_belong_to_those_compared():
    with pytest.raises(ParameterError, match="^simulate_K: got 500") as caught:
        cbnet.compare(K=[400], simulate_K=[500])
    assert "\n" not in str(caught.value)


def drawn(table, path):
    """The figure of a comparison that was saved and loaded again."""
    from cbnet.results import plotting

    loaded = results.load(table.save(path))
    assert isinstance(loaded, Comparison)
    assert loaded == table
    assert loaded.to_dict() == table.to_dict()
    figure = plotting.comparison(loaded)
    figure.savefig(path.with_suffix(".png"))
    assert path.with_suffix(".png").stat().st_size > 10_000
    return figure


def test_save_load_and_draw(theory, tmp_path):
    figure = drawn(theory, tmp_path / "theory.nc")
    assert len(figure.axes) == 6


def test_errors_over_graphs():
    """Networks whose means differ between graphs by `apart`, with noise of one in each."""
    rng = np.random.default_rng(1)
    for n, apart in ((2, 3.0), (3, 3.0), (8, 3.0), (3, 0.0)):
        values = apart * rng.standard_normal((4000, n)) + rng.standard_normal((4000, n))
        mean, error = over_graphs(values, np.ones(values.shape))
        assert np.allclose(mean, values.mean(axis=1))
        # as often as a normal mean within its error, and more often where noise is all there is
        covered = np.mean(np.abs(mean) < error)
        assert covered > 0.683 - 3 * 0.0074
        assert apart == 0 or covered < 0.75
    mean, error = over_graphs([[1.0, np.nan], [np.nan, np.nan]], [[0.5, np.nan], [np.nan, np.nan]])
    assert (mean[0], error[0]) == (1.0, 0.5) and np.isnan(mean[1]) and np.isnan(error[1])
    assert over_graphs([1.0, 3.0], [np.nan, np.nan])[1] == pytest.approx(1.837, rel=1e-3)


@pytest.mark.parametrize("n", [3, 5, 12])
def test_three_standard_errors_over_few_graphs(n):
    """They are exceeded as rarely as those of a normal number, if only a spread is known."""
    values = np.random.default_rng(n).standard_normal((200_000, n))
    mean, error = over_graphs(values, np.full(values.shape, np.nan))
    beyond = np.mean(np.abs(mean) > 3 * error * of_few_graphs(n))
    most = 0.0027 * (1 if n <= 10 else 1.2)  # beyond ten graphs the factor is that of twelve
    assert beyond < most + 4 * np.sqrt(0.0027 / 200_000)
    assert n > 10 or beyond > 0.0027 - 4 * np.sqrt(0.0027 / 200_000)
    assert n > 3 or np.mean(np.abs(mean) > 3 * error) > 0.05
    assert of_few_graphs(1) == np.inf


@pytest.mark.slow
@needs_compiler
def test_one_simulated_row(tmp_path):
    """Slow: compiles."""
    params = cbnet.load("conductance").replace(K=100, a=0.005)
    table = cbnet.compare(
        params,
        K=[100, 400],
        simulate_K=[100],
        nu_X=[60 * Hz],
        models=["conductance"],
        scalings=["sqrt"],
        N=1250,
        duration="0.3s",
        seeds=2,
        seed=5,
    )
    simulated, alone = table.to_dict()["rows"]
    assert (simulated["K"], simulated["N"], simulated["seeds"]) == (100, 1250, 2)
    assert alone["simulation"] is None
    expected = [key for name in MEASURES for key in (name, f"{name}_sem")]
    assert list(simulated["simulation"]) == [*expected, "fano_1ms", "fano_1ms_sem"]
    assert simulated["simulation"]["rate_E_Hz"] > 0
    # both seeds, and the row of the theory beside them
    solution = cbnet.solve(params.replace(nu_X=60 * Hz))
    assert simulated["theory"]["rate_E_Hz"] == pytest.approx(float(solution.rate_E[-1]), rel=1e-6)
    assert simulated["simulation"]["rate_E_Hz_sem"] > 0
    drawn(table, tmp_path / "table.nc")


@pytest.mark.slow
@needs_compiler
def test_theory_and_simulation_agree():
    """Slow: compiles, and simulates three seeds of a network in two regimes."""
    base = cbnet.load("conductance").replace(K=400)
    # weak synapses and much input: v hovers about threshold; strong ones: it fluctuates to it
    regimes = {
        "mean": base.replace(a=0.001, nu_X=100 * Hz),
        "noise": base.replace(a=0.0024, nu_X=30 * Hz),
    }
    seeds = (1, 2, 3)
    options = {"N": 4000, "duration": "0.5s", "transient": "0.1s", "dt": "0.1ms"}
    jobs = [prepare(p, seed=seed, **options) for p in regimes.values() for seed in seeds]
    done = run_jobs(jobs, 2)
    for i, (regime, params) in enumerate(regimes.items()):
        runs = done[3 * i : 3 * i + 3]
        solution = cbnet.solve(params)
        (point,) = solution.fixed_points

        def measured(name, runs=runs):
            values = np.array([float(getattr(run, name)) for run in runs])
            pooled = np.sqrt(np.sum([float(getattr(run, f"{name}_sem")) ** 2 for run in runs])) / 3
            return values.mean(), max(values.std(ddof=1) / np.sqrt(3), pooled)

        rate, sem = measured("rate_E")
        print(regime, rate, sem, point.rate_E)
        # 3 % for presynaptic trains that are no Poisson trains
        assert abs(rate - float(point.rate_E)) < 3 * sem + 0.03 * rate, regime
        # the steps were chosen for a rate of their own making
        ((_, nu, _),) = timestep._states(params)
        assert abs(nu - float(point.rate_E)) < 0.01 * nu + 0.01 * rate, regime
        mean, sem = measured("V_mean")
        # Poisson trains for more regular ones shift the mean by some 0.2 mV, also of the exact
        # neuron at the measured rates.
        assert abs(mean - float(point.V_mean)) < 4 * sem + float(0.25 * mV), regime
        with unused.told():  # the input of a network
            alone = cbnet.simulate_neuron(
                params, params.nu_X + rate * Hz, rate * Hz, duration=30 * second, seed=1
            )
        both = np.hypot(sem, float(alone.V_mean_sem))
        assert abs(mean - float(alone.V_mean)) < 4 * both + float(0.25 * mV), regime
        sd, sem = measured("V_sd")
        print(mean, sem, point.V_mean, sd, point.V_sd)
        assert abs(sd / float(point.V_sd) - 1) < 4 * sem / sd + 0.08, regime
        cv, sem = measured("cv_E")
        # Theory takes presynaptic trains for Poisson. They are more regular, which lowers the
        # noise, at most to that of the external input alone; where v hovers about the threshold
        # the CV goes as the root of it.
        values = params.resolve("E")
        v, r_I = float(point.V_mean), values["gamma"] * values["g"] ** 2 * nu
        recurrent = nu * (values["E_E"] - v) ** 2 + r_I * (v - values["E_I"]) ** 2
        external = values["nu_X"] * (values["E_E"] - v) ** 2
        least = np.sqrt(external / (external + recurrent))
        assert least * point.cv_E - 4 * sem < cv < point.cv_E + 4 * sem, regime
        if regime == "noise":
            assert abs(cv - point.cv_E) < 4 * sem + 0.12 * point.cv_E
    assert float(done[0].cv_E) < 0.55 < float(done[3].cv_E)
