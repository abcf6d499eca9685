"""Unequal in-degrees: the distribution of rates that reproduces itself."""

import time

import numpy as np
import pytest
from brian2 import Hz, ms, mV
from scipy.integrate import trapezoid

import cbnet
from cbnet.errors import CbnetWarning, ConvergenceError, ParameterError
from cbnet.model import unused
from cbnet.theory.network.arrivals import Transfer
from cbnet.theory.network.in_degrees import Sample
from cbnet.theory.network.rate_statistics import by_rank
from cbnet.theory.network.rate_table import Table
from cbnet.theory.network.states import all_states
from cbnet.theory.network.unequal_in_degrees import Spread, UnequalNetwork
from cbnet.theory.neuron.neuron import Neuron
from cbnet.theory.neuron.white import siegert


@pytest.fixture(scope="module")
def conductance():
    return cbnet.load("conductance")


@pytest.fixture(scope="module")
def spread(conductance):
    return cbnet.heterogeneity(conductance, CV_K=0.2, noise="diffusion")


def at(found, name, population=0):
    return float(np.asarray(found.in_si(name))[population])


def arrivals(found, cv, correlation, size, seed=0):
    """Input of neurons drawn at random, from the mean and spread of rates that were found."""
    params, rng = found.parameters, np.random.default_rng(seed)
    common = rng.standard_normal(size)

    def degree(mean):
        own = rng.standard_normal(size)
        score = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
        return np.maximum(mean * (1 + cv * score), 0)

    K = float(params.K)
    k_E, k_X, k_I = degree(K), degree(K), degree(float(params.gamma) * K)
    partners = [
        np.maximum(
            k * at(found, "rate_mean", p)
            + np.sqrt(k) * at(found, "rate_sd", p) * rng.standard_normal(size),
            0,
        )
        for p, k in enumerate((k_E, k_I))
    ]
    return (partners[0] + k_X * float(params.nu_X)) / K, partners[1] / K / float(params.gamma)


def test_equal_in_degrees_are_the_homogeneous_network(conductance):
    found = cbnet.heterogeneity(conductance, CV_K=0, noise="diffusion")
    expected = cbnet.solve(conductance, noise="diffusion")
    assert np.all(found.rate_sd == 0 * Hz)
    assert at(found, "rate_mean") == pytest.approx(float(expected.rate_E[0]), rel=found.error)
    assert found.fraction_silent.tolist() == [0, 0]
    with pytest.raises(ParameterError, match="density: got neurons that all have the same rate"):
        found.density(40 * Hz)


def test_small_spread_is_that_of_linear_response(conductance):
    """sd² (1 − K G² − γK H²) = CV_K² [(K G ν)² + (K G ν_X)² + (γK H ν)²], G and H slopes of Φ.

    What is left out is of relative order CV_K²: it is a third of the change from CV_K to twice it.
    """
    nu = float(cbnet.solve(conductance, noise="diffusion").rate_E[0])
    neuron, K, K_I, nu_X = Neuron(conductance, "E", "diffusion"), 1000.0, 250.0, 30.0
    h = 1e-4 * nu
    inputs = np.array([[nu_X + nu + h, nu], [nu_X + nu - h, nu], [nu_X + nu, nu + h]]).T
    inputs = np.append(inputs, [[nu_X + nu], [nu - h]], axis=1)
    up, down, more, less = neuron.passage(*inputs, 1e-10, cv=False).rate
    G, H = (up - down) / (2 * h * K), (more - less) / (2 * h * K_I)
    feedback = K * G**2 + K_I * H**2
    expected = np.sqrt((K * G * nu) ** 2 + (K * G * nu_X) ** 2 + (K_I * H * nu) ** 2)
    expected /= np.sqrt(1 - feedback)
    ratios, errors = [], []
    for cv in (0.004, 0.008):
        found = cbnet.heterogeneity(conductance, CV_K=cv, noise="diffusion", rtol=1e-4)
        ratios.append(at(found, "rate_sd") / cv)
        errors.append(found.error * nu / cv)
    left_out = abs(ratios[1] - ratios[0]) / 3
    assert abs(ratios[0] - expected) < 1.5 * left_out + errors[0] / 3 + errors[1]
    assert left_out < 2e-3 * expected


def test_with_strong_coupling_rates_differ_by_themselves():
    """Above K G² + γK H² = 1 (G, H slopes of Φ at equal rates) a small spread grows."""
    params = cbnet.load("current").scaled("log", 100_000)
    equal = cbnet.heterogeneity(params, CV_K=0, noise="diffusion")
    nu, neuron = at(equal, "rate_mean"), Neuron(params, "E", "diffusion")
    h, K, K_I = 1e-5 * nu, 100_000, 25_000
    r_E = np.array([h, -h, 0, 0]) + nu + 30
    r_I = np.array([0, 0, h, -h]) + nu
    up, down, more, less = neuron.passage(r_E, r_I, 1e-10, cv=False).rate
    feedback = ((up - down) / (2 * h)) ** 2 / K + ((more - less) / (2 * h)) ** 2 / K_I
    assert feedback > 1 and not equal.stable and at(equal, "rate_sd") == 0
    found = cbnet.heterogeneity(params, CV_K=5e-4, noise="diffusion")
    assert found.stable and at(found, "rate_sd") > at(found, "rate_mean")
    assert at(found, "fraction_silent") > 0.1


@pytest.mark.parametrize(
    ("model", "changes", "cv", "correlation"),
    [
        ("conductance", {}, 0.3, 0.0),
        ("current", {}, 0.15, 0.5),
        ("conductance", {"nu_X": 12 * Hz}, 0.05, 0.0),
    ],
)
def test_neurons_drawn_at_random_have_the_same_rates(model, changes, cv, correlation):
    """Direct solutions for 8000 neurons, at the mean and spread that were found."""
    params, size = cbnet.load(model).replace(**changes), 8000
    found = cbnet.heterogeneity(params, CV_K=cv, correlation=correlation, noise="diffusion")
    inputs = arrivals(found, cv, correlation, size)
    nu = Neuron(params, "E", "diffusion").passage(*inputs, 1e-6, cv=False).rate
    mean = at(found, "rate_mean")
    error = found.error * mean
    assert abs(nu.mean() - mean) < 4 * nu.std() / np.sqrt(size) + error
    fourth = np.mean((nu - nu.mean()) ** 4)
    sd_error = np.sqrt((fourth - nu.var() ** 2) / size) / (2 * nu.std())
    assert abs(nu.std() - at(found, "rate_sd")) < 4 * sd_error + error
    for got, name in (
        (np.mean(nu < 0.01), "fraction_silent"),
        (np.mean(nu > 400), "fraction_saturated"),
    ):
        p = at(found, name)
        # one neuron more or less, where there are none
        assert abs(got - p) < 4 * np.sqrt(p / size) + found.fraction_error + 1 / size
    for q in (0.1, 0.5, 0.9):
        rate = float(found.quantile(q))
        assert abs(np.mean(nu < rate) - q) < 4 * np.sqrt(q * (1 - q) / size) + 2e-3


@pytest.mark.parametrize(
    ("model", "noise", "changes"),
    [
        ("conductance", "diffusion", {}),
        ("conductance", "diffusion", {"K": 100_000, "a": 0.00015}),
        ("conductance", "shot", {}),
    ],
)
def test_a_table_is_as_accurate_as_its_coarser_half_says(model, noise, changes):
    params = cbnet.load(model).replace(**changes)
    neuron, white = Neuron(params, "E", noise), Neuron(params, "E", "diffusion")
    sizes, rates = (np.inf, np.inf), (45.0, 40.0)
    sample = Sample(neuron.values, "gaussian", 0.15, 0.0, sizes, (45.0, 30.0, 45.0), 9, 2)
    inputs = sample.arrivals(30.0, rates[:1] * 2, rates[1:] * 2)
    table = Table(neuron, white, *inputs, (64, 16), (12, 4), 3e-4)
    places = table.locate(*inputs)
    fine, coarse = table.rates(*places), table.rates(*places, coarser=True)
    some = np.random.default_rng(1).choice(len(fine), 50, replace=False)
    r_E, r_I = inputs[0][some] / table.K, inputs[1][some] / table.K_I
    try:
        exact = neuron.passage(r_E, r_I, 1e-4 if noise == "shot" else 1e-8, cv=False).rate
    except ConvergenceError as failure:
        exact = failure.best.rate
    gap = np.abs(coarse - fine)[some].mean()
    assert np.abs(fine[some] - exact).mean() < gap / 2 + (table.errors(*places) * fine)[some].mean()
    assert gap < 0.03 * exact.mean()
    # low and high rates are interpolated as well as those in the middle
    seen = exact > 0.01
    assert np.abs(np.log(fine[some] / exact))[seen].max() < 0.15


def near_silence(model, K, noise, external=(8, 12)):
    """Networks in which few neurons fire, or none, have an answer as accurate as asked for."""
    params = cbnet.load(model).scaled("sqrt", K)
    for nu_X in external:
        means = []
        for cv in (0.05, 0.1, 0.3):
            found = cbnet.heterogeneity(params.replace(nu_X=nu_X * Hz), CV_K=cv, noise=noise)
            assert found.error <= 1e-3 and found.fraction_error < 4e-3
            means.append(at(found, "rate_mean"))
        # the wider the law, the more neurons fire, if any do
        assert np.all(np.diff(means) > -1e-9)


@pytest.mark.parametrize("model", ["conductance", "current"])
def test_networks_near_silence(model):
    near_silence(model, 1000, "diffusion", external=(12,))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["conductance", "current"])
@pytest.mark.parametrize(
    ("K", "noise"), [(400, "diffusion"), (10_000, "diffusion"), (1000, "shot"), (10_000, "shot")]
)
def test_networks_near_silence_for_any_size_and_noise(model, K, noise):
    """Slow: a table of rates under finite jumps for each of 48 networks."""
    near_silence(model, K, noise)


def test_finite_jumps(conductance):
    """The network's mean moves as little as the homogeneous one; the answer names its noise."""
    found = cbnet.heterogeneity(conductance, CV_K=0.1)
    assert found.noise == "shot" and found.error <= 1e-3
    white = cbnet.heterogeneity(conductance, CV_K=0.1, noise="diffusion")
    equal = at(found, "rate_equal") / at(white, "rate_equal")
    assert at(found, "rate_mean") / at(white, "rate_mean") == pytest.approx(equal, abs=0.02)
    assert at(found, "fraction_silent") > at(white, "fraction_silent")


@pytest.mark.filterwarnings("ignore:cv_. rests on")
@pytest.mark.slow
def test_neurons_under_poisson_input_in_simulation(conductance):
    """In-degrees and rates of 4000 simulated neurons without recurrence; slow because it compiles.

    A rate counted in a time T has the variance of the rates and CV² ν/T.
    """
    r_E, r_I, cv, size = 75.0, 45.0, 0.1, 4000
    params = conductance.replace(law="gaussian", CV_K=cv, r_E=r_E * Hz, r_I=r_I * Hz)
    made = cbnet.simulate(params, N=size, duration="2s", seed=3, feedforward=True)
    seconds = float(made.duration)
    counts = np.asarray(made.spike_counts)
    neuron, white = Neuron(params, "E", "shot"), Neuron(params, "E", "diffusion")
    drawn = Sample(neuron.values, "gaussian", cv, 0.0, (np.inf, np.inf), (0, r_E, r_I), 12, 8)
    inputs = drawn.arrivals(r_E, (0.0, r_I), (0.0, 0.0))
    table = Table(neuron, white, *inputs, (64, 16), (12, 4), 3e-4)
    chosen = by_rank(table.rates(*table.locate(*inputs)), drawn.weights, 1 << 16)
    nu = table.rates(*table.locate(*inputs))[chosen]
    within = counts.mean() / seconds**2 * made.cv_E**2
    assert abs(counts.mean() / seconds - nu.mean()) < (
        4 * np.sqrt((nu.var() + within) / size) + made.dt_bias * nu.mean()
    )
    fourth = np.mean((nu - nu.mean()) ** 4)
    sd_error = np.sqrt((fourth - nu.var() ** 2) / size) / (2 * nu.std())
    found = np.sqrt((counts / seconds).var() - within)
    assert abs(found - nu.std()) < 4 * sd_error + made.dt_bias * nu.std()
    none = np.exp(-nu * seconds).mean()  # neurons that rarely fire are Poissonian
    assert abs(np.mean(counts == 0) - none) < 4 * np.sqrt(none / size) + 0.05 * none


def test_regular_trains_are_those_of_the_homogeneous_network_without_spread(conductance):
    found = cbnet.heterogeneity(conductance, CV_K=0, noise="diffusion", trains="renewal")
    expected = cbnet.solve(conductance, noise="diffusion", trains="renewal", rtol=1e-4)
    assert found.noise == "diffusion (renewal trains)"
    assert at(found, "rate_mean") == pytest.approx(float(expected.rate_E[0]), rel=2e-3)


def test_regular_trains_leave_more_neurons_of_low_rate(conductance):
    """Simulated: 27.7 Hz, sd 23.6 Hz (2000 neurons); with equal in-degrees 28.7 Hz."""
    params = conductance.scaled("sqrt", K=200).replace(nu_X=40 * Hz)
    poisson, renewal = (
        cbnet.heterogeneity(params, CV_K=0.15, N=2000, noise="shot", trains=trains, rtol=3e-3)
        for trains in ("poisson", "renewal")
    )
    assert at(poisson, "rate_mean") == pytest.approx(32.7, abs=0.1)
    assert at(renewal, "rate_mean") == pytest.approx(28.2, abs=0.2)
    assert renewal.quantile(0.05) < 0.5 * poisson.quantile(0.05)


def test_each_of_two_stable_states_can_be_continued(conductance):
    params = conductance.replace(g=12, a=0.002, nu_X=8 * Hz)
    high, low = (
        cbnet.heterogeneity(params, CV_K=0.02, noise="diffusion", state=state)
        for state in ("high", "low")
    )
    assert at(high, "rate_mean") > 280 and high.stable
    assert at(low, "rate_mean") < 1e-4 and low.fraction_silent[0] > 1 - 1e-6 and low.stable


@pytest.mark.slow
def test_a_formula_that_some_neurons_leave_the_range_of_warns_once():
    """Slow: formulas take their table of rates one by one."""
    params = cbnet.load("current").replace(tau_S="1ms")
    with pytest.warns(CbnetWarning, match="'fast', outside of its range") as caught:
        found = cbnet.heterogeneity(params, CV_K=0.1, noise="fast", rtol=0.05)
    assert sum(each.category is CbnetWarning for each in caught) == 1
    assert np.isinf(found.error) and "not known" in repr(found)


def test_density_and_quantiles(spread):
    grid = np.geomspace(0.01, 500, 20_001)
    density = np.asarray(spread.density(grid * Hz))
    assert np.all(density >= 0)
    mass = trapezoid(density * grid, np.log(grid))
    assert mass == pytest.approx(1 - at(spread, "fraction_silent"), abs=1e-3)
    first = trapezoid(density * grid**2, np.log(grid))
    # between quantiles the distribution is interpolated
    assert first == pytest.approx(at(spread, "rate_mean"), rel=5e-3)
    assert np.all(np.asarray(spread.density([0.001, 600] * Hz)) == 0)
    q = np.linspace(0, 1, 501)
    assert np.all(np.diff(np.asarray(spread.quantile(q))) >= 0)
    below = grid < float(spread.quantile(0.5))
    under = trapezoid((density * grid)[below], np.log(grid[below]))
    assert under + at(spread, "fraction_silent") == pytest.approx(0.5, abs=2e-3)


def test_a_log_normal_law_is_told_from_others(spread, conductance):
    """Of rates that rise about exponentially with the input, ln ν is nearly Gaussian."""
    narrow = cbnet.heterogeneity(conductance, CV_K=0.005, noise="diffusion")
    assert at(narrow, "lognormal_distance") < 0.01
    assert abs(at(narrow, "log_skew")) < 0.1
    assert at(spread, "lognormal_distance") > 0.1
    assert at(spread, "log_skew") < -1


def test_one_common_factor_keeps_the_balance(conductance, spread):
    """Excitation and inhibition that vary together move a neuron less: rates differ less."""
    common = cbnet.heterogeneity(conductance, CV_K=0.2, correlation=1, noise="diffusion")
    assert at(common, "rate_sd") < 0.5 * at(spread, "rate_sd")
    assert at(common, "fraction_silent") < 0.1 * at(spread, "fraction_silent")


def test_binomial_in_degrees(conductance):
    params = conductance.replace(law="bernoulli")
    found = cbnet.heterogeneity(params, N=10_000, noise="diffusion")
    expected = np.sqrt((1 - 1000 / 8000) / 1000)
    # 65536 numbers have a spread that is uncertain by a share 1/√(2·65536)
    assert at(found, "in_degree_cv") == pytest.approx(expected, rel=0.01)
    unlimited = cbnet.heterogeneity(params, noise="diffusion")
    assert at(unlimited, "in_degree_cv") == pytest.approx(1000**-0.5, rel=0.01)
    assert at(unlimited, "rate_sd") > at(found, "rate_sd")
    gaussian = cbnet.heterogeneity(params, CV_K=1000**-0.5, noise="diffusion")
    # inhibitory in-degrees are 250: their coefficient of variation is twice as large
    assert at(gaussian, "rate_sd") < at(unlimited, "rate_sd")


def test_two_populations_that_hardly_differ(conductance):
    one = cbnet.heterogeneity(conductance, CV_K=0.1, noise="diffusion")
    params = conductance.replace(**{"I.tau_L": "20.001ms"})
    two = cbnet.heterogeneity(params, CV_K=0.1, noise="diffusion")
    for name in ("rate_mean", "rate_sd"):
        for p in (0, 1):
            # a change of 5e-5 in τ_L changes rates by a few times as much
            close = one.error + two.error + 5e-4
            assert at(two, name, p) == pytest.approx(at(one, name), rel=close)


def test_rates_of_different_populations_differ(conductance):
    params = conductance.replace(**{"I.tau_L": "10ms"})
    found = cbnet.heterogeneity(params, CV_K=0.1, noise="diffusion")
    equal = cbnet.solve(params, noise="diffusion")
    start = [at(found, "rate_equal", p) for p in (0, 1)]
    assert start == pytest.approx([float(equal.rate_E[-1]), float(equal.rate_I[-1])], rel=1e-5)
    assert at(found, "rate_mean", 0) > 1.2 * at(found, "rate_mean", 1)


def test_what_is_not_reached_is_said(conductance, monkeypatch):
    finer = cbnet.heterogeneity(conductance, CV_K=0.3, noise="diffusion")
    monkeypatch.setattr("cbnet.theory.network.spread._MANY", (9, 10))
    monkeypatch.setattr("cbnet.theory.network.spread._GRIDS", (((32, 8), (8, 4)),))
    with pytest.raises(ConvergenceError, match="the error of a mean or standard deviation") as info:
        cbnet.heterogeneity(conductance, CV_K=0.3, noise="diffusion", rtol=1e-7)
    best = info.value.best
    assert 1e-7 < finer.error < best.error < 0.1
    assert at(best, "rate_mean") == pytest.approx(at(finer, "rate_mean"), rel=2 * best.error)


def test_files(spread, tmp_path):
    path = spread.save(tmp_path / "rates.nc")
    again = cbnet.results.load(path)
    assert again == spread
    assert again.quantile(0.3) == spread.quantile(0.3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"CV_K": -0.1}, "CV_K: got -0.1"),
        ({"CV_K": "large"}, "CV_K: got large"),
        ({"correlation": 2}, "correlation: got 2"),
        ({"N": 0}, "N: got 0"),
        ({"state": "middle"}, "state: got 'middle'"),
        ({"fraction_excitatory": 1}, "fraction_excitatory: got 1"),
        ({"noise": "kramers"}, "noise: got 'kramers'"),
        ({"trains": "regular"}, "trains: got 'regular'"),
        ({"trains": "renewal", "noise": "effective"}, "trains: got 'renewal' with noise='effec"),
    ],
)
def test_refusals(conductance, arguments, message):
    with pytest.raises(ParameterError, match=message):
        cbnet.heterogeneity(conductance, **arguments)


def test_a_graph_of_ones_own_has_no_law(conductance):
    with pytest.raises(ParameterError, match="law: got 'explicit'"):
        cbnet.heterogeneity(conductance.replace(law="explicit"))


def test_questions_that_have_no_answer(spread):
    with pytest.raises(ParameterError, match="q: got 2"):
        spread.quantile(2.0)
    with pytest.raises(ParameterError, match="nu: got 5"):
        spread.density(5)
    with pytest.raises(ParameterError, match="population: got 'X'"):
        spread.quantile(0.5, "X")


@pytest.mark.parametrize(
    ("name", "changes", "CV_K"),
    [("conductance", {"nu_X": 20 * Hz}, 0.3), ("current", {"nu_X": 20 * Hz, "K": 200}, 0.25)],
)
def test_fraction_of_silent_neurons_against_neurons_one_by_one(name, changes, CV_K):
    """In-degrees and partners drawn directly, each neuron's rate solved for."""
    params = cbnet.load(name).replace(**changes)
    with unused.told():
        found = cbnet.heterogeneity(params, CV_K=CV_K, noise="diffusion")
    neuron, n = Neuron(params, "E", "diffusion"), 20_000
    K, K_I = neuron.values["K"], neuron.values["gamma"] * neuron.values["K"]
    rng = np.random.default_rng(5)

    def drawn(mean):
        return np.maximum(mean * (1 + CV_K * rng.standard_normal(n)), 0)

    k_E, k_X, k_I = drawn(K), drawn(K), drawn(K_I)
    mean, sd = found.in_si("rate_mean")[0], found.in_si("rate_sd")[0]
    partners = [
        np.maximum(k * mean + np.sqrt(k) * sd * rng.standard_normal(n), 0) for k in (k_E, k_I)
    ]
    inputs = (partners[0] + k_X * neuron.values["nu_X"]) / K, partners[1] / K_I
    rates = neuron.passage(*inputs, 1e-6, cv=False).rate
    right = np.mean(rates < 0.01)
    allowed = found.fraction_error + 3 * np.sqrt(right * (1 - right) / n)
    assert right > 0.05 and found.fraction_error < 2e-3
    assert abs(found.fraction_silent[0] - right) < allowed


@pytest.mark.slow
def test_neurons_that_fire_without_input():
    """Vogels & Abbott's network of current synapses: seconds of colored noise for each table."""
    params = cbnet.load("current").replace(
        tau_E=5 * ms, tau_I=10 * ms, theta=-50 * mV, V_r=-60 * mV, tau_rp=5 * ms, E_L=-49 * mV,
        K=80, nu_X=0 * Hz, J_E=0.405 * mV, J_I=4.5 * mV,
    )  # fmt: skip
    started = time.process_time()
    found = cbnet.heterogeneity(params, CV_K=0.1, N=4000)
    assert time.process_time() - started < 60
    assert found.error < 1e-2
    assert at(found, "rate_sd") > 0.5 and at(found, "rate_mean") == pytest.approx(
        at(found, "rate_equal"), rel=0.3
    )


def test_populations_of_any_number_have_the_spread_of_two():
    """Arrivals that are Gaussian over neurons, of E split at random into two and of I."""
    params = cbnet.load("current").replace(K=1000, nu_X=50 * Hz)
    known = cbnet.heterogeneity(params, CV_K=0.1, noise="diffusion")
    values = params.resolve("E")
    J, K, nu_X = np.array([values["J_E"], -values["J_I"]]), 1000, 50.0
    tau = values["tau_L"]

    def rate(R, rtol):
        mu = values["E_L"] + tau * R @ J
        found = siegert.rate(mu, tau, R @ J**2, values["theta"], values["V_r"], values["tau_rp"])
        return found, np.full(found.shape, 1e-12)

    in_degrees = np.array([[0.3 * K, 0.7 * K, 0], [0, 0, 0.25 * K]])
    transfer = Transfer([in_degrees] * 3, [np.array([K * nu_X, 0])] * 3, [rate] * 3, [0, 0, 0])
    # the in-degree from both parts together has the CV of the whole
    variance = in_degrees * np.array([[K], [0.25 * K]]) * 0.1**2
    external = [np.array([(0.1 * K * nu_X) ** 2, 0])] * 3
    network = UnequalNetwork(transfer, Spread([variance] * 3, external, np.full(3, np.inf)), 1e-3)
    equal = all_states(transfer, np.full(3, 500.0), 1e-8).rates[-1]
    found = network.find(equal)
    errors = network.errors(found)
    mean, sd = (float(x[0]) for x in (known.rate_mean, known.rate_sd))
    # products of Gaussian factors are Gaussian to about CV_K² of the spread
    np.testing.assert_allclose(found[:3], mean, atol=3 * errors[0] + 0.1**2 * sd)
    np.testing.assert_allclose(found[3:], sd, atol=3 * errors[3] + 0.1**2 * sd)
    assert np.all(errors < 1e-3 * mean)


def test_a_network_has_the_spread_of_its_parameters(tmp_path):
    params = cbnet.load("current").replace(K=1000, nu_X=50 * Hz, law="gaussian", CV_K=0.1)
    known = cbnet.heterogeneity(params, noise="diffusion")
    found = cbnet.heterogeneity(cbnet.Network.ei(params), noise="diffusion")
    sd = float(known.rate_sd[0])
    for name in ("rate_mean", "rate_sd"):
        errors = (known.error + found.error) * float(known.rate_mean[0])
        # Gaussian arrivals differ from products of Gaussian factors by CV_K^2 of the spread
        expected = pytest.approx(float(getattr(known, name)[0]), abs=3 * errors + 0.1**2 * sd)
        assert float(getattr(found["E"], name)) == expected
    assert found["I"].rate_cv == pytest.approx(float(found.rate_cv[1]))
    assert cbnet.results.load(found.save(tmp_path / "spread.nc")) == found
    with pytest.raises(ParameterError, match="CV_K: got 0.1 for a network of named populations"):
        cbnet.heterogeneity(cbnet.Network.ei(params), CV_K=0.1)
