"""Fixed points of networks: reference rates, every branch, two populations."""

import dataclasses
import warnings

import numpy as np
import pytest
from brian2 import Hz, ms, mV

import cbnet
from cbnet.errors import CbnetWarning, ConvergenceError, ParameterError
from cbnet.theory.response import Neuron


def white_solve(params, **options):
    """By white noise, unless told otherwise."""
    return cbnet.solve(params, **{"noise": "diffusion", **options})


@pytest.fixture(scope="module")
def conductance():
    return cbnet.load("conductance")


@pytest.fixture(scope="module")
def current():
    return cbnet.load("current")


def rates(solution):
    return np.asarray(solution.rate_E, float)


@pytest.mark.parametrize(
    ("K", "nu_X", "rate", "cv", "balance"),
    [
        (1000, 20, 19.722, 0.797, 24.44),
        (1000, 30, 44.031, 0.734, 36.67),
        (1000, 50, 89.248, 0.640, 61.11),
        (10000, 5, 1.686, 0.947, 6.11),
        (10000, 10, 12.461, 0.889, 12.22),
        (10000, 20, 33.609, 0.840, 24.44),
        (10000, 30, 54.460, 0.797, 36.67),
        (10000, 50, 95.243, 0.716, 61.11),
    ],
)
def test_conductance_network(conductance, K, nu_X, rate, cv, balance):
    params = conductance.replace(nu_X=nu_X * Hz).scaled("sqrt", K=K)
    solution = white_solve(params)
    assert rates(solution) == pytest.approx([rate], abs=5e-4)  # as many digits as the reference
    assert solution.cv_E == pytest.approx([cv], abs=5e-4)
    assert solution.stable.tolist() == [True]
    assert float(solution.balance_line / Hz) == pytest.approx(balance, abs=5e-3)


@pytest.mark.parametrize("nu_X", [5, 10])
def test_weak_input_leaves_the_network_silent(conductance, nu_X):
    solution = white_solve(conductance.replace(nu_X=nu_X * Hz))
    assert rates(solution).max() < 1e-6
    assert solution.to_dict()["fixed_points"][0]["cv_E"] is None
    assert solution.stable.tolist() == [True]


@pytest.mark.parametrize(
    ("K", "nu_X", "rate", "cv"),
    [
        (400, 30, 12.491221, 0.7839),
        (1000, 30, 20.497288, 0.7623),
        (1600, 30, 23.569434, 0.7575),
        (400, 50, 32.939324, 0.7556),
        (1000, 50, 41.859043, 0.7443),
        (1600, 50, 45.415795, 0.7397),
        (400, 80, 61.826122, 0.7249),
        (1000, 80, 72.865573, 0.7061),
        (1600, 80, 77.354228, 0.6981),
    ],
)
def test_current_network(current, K, nu_X, rate, cv):
    solution = white_solve(current.replace(nu_X=nu_X * Hz).scaled("sqrt", K=K))
    assert rates(solution) == pytest.approx([rate], abs=6e-7)
    assert solution.cv_E == pytest.approx([cv], abs=6e-5)


@pytest.mark.parametrize(
    ("g", "a", "nu_X"), [(12, 0.0015, 10), (12, 0.003, 4), (15, 0.003, 4), (20, 0.005, 2)]
)
def test_bistable_networks_have_three_states(conductance, g, a, nu_X):
    solution = white_solve(conductance.replace(g=g, a=a, nu_X=nu_X * Hz))
    assert solution.stable.tolist() == [True, False, True]
    assert np.all(np.diff(rates(solution)) > 0)
    assert len(solution.fixed_points) == 3
    assert [state.stable for state in solution.fixed_points] == [True, False, True]


@pytest.mark.parametrize(("g", "a"), [(12, 0.001), (15, 0.0015), (20, 0.003)])
def test_weaker_coupling_has_one_state(conductance, g, a):
    for nu_X in (2, 5, 10, 20):
        solution = white_solve(conductance.replace(g=g, a=a, nu_X=nu_X * Hz))
        assert len(solution.fixed_points) == 1


def test_states_reproduce_themselves(conductance):
    params = conductance.replace(g=12, a=0.0015, nu_X=10 * Hz)
    for state in white_solve(params).fixed_points:
        inputs = np.array([float(state.rate_E) + 10]), np.array([float(state.rate_I)])
        assert Neuron(params).passage(*inputs).rate[0] == pytest.approx(
            float(state.rate_E), rel=1e-8
        )


def test_slope_of_the_response_decides_stability(conductance):
    params = conductance.replace(g=12, a=0.0015, nu_X=10 * Hz)
    neuron = Neuron(params)
    for state in white_solve(params).fixed_points[1:]:
        nu = float(state.rate_E) * np.array([1 - 1e-4, 1 + 1e-4])
        gain = np.diff(neuron.passage(10 + nu, nu).rate)[0] / np.diff(nu)[0]
        assert state.stable == (gain < 1)


def test_tiny_difference_between_populations_changes_nothing_but_the_method(conductance):
    params = conductance.replace(g=12, a=0.0015, nu_X=10 * Hz)
    same = white_solve(params)
    differ = white_solve(params.replace(**{"I.tau_L": 20 * (1 + 1e-12) * ms}))
    assert differ.stable.tolist() == same.stable.tolist()
    np.testing.assert_allclose(rates(differ)[1:], rates(same)[1:], rtol=1e-7)
    np.testing.assert_allclose(np.asarray(differ.rate_I)[1:], rates(same)[1:], rtol=1e-7)


def test_different_populations_reproduce_their_own_rates(conductance):
    params = conductance.replace(**{"I.tau_L": 10 * ms, "E.nu_X": 25 * Hz, "I.g": 18})
    solution = white_solve(params)
    assert len(solution.fixed_points) >= 1
    for state in solution.fixed_points:
        for population, nu_X in (("E", 25), ("I", 30)):
            inputs = np.array([nu_X + float(state.rate_E)]), np.array([float(state.rate_I)])
            found = Neuron(params, population).passage(*inputs)
            expected = float(getattr(state, f"rate_{population}"))
            assert found.rate[0] == pytest.approx(expected, rel=1e-7)


def test_one_population_may_be_silent_alone(conductance):
    params = conductance.replace(nu_X=8 * Hz, **{"I.E_L": -50 * mV})
    (state,) = white_solve(params).fixed_points
    assert float(state.rate_E) < 1e-6 and np.isnan(state.cv_E)
    assert float(state.rate_I) > 1 and state.cv_I > 0


def test_balance_line(conductance, current):
    for params in (conductance, current):
        assert float(white_solve(params).balance_line / Hz) == pytest.approx(
            30 * 55 / 45, rel=1e-12
        )
    weak = white_solve(conductance.replace(g=10))  # inhibition cannot cancel excitation
    assert np.isnan(weak.balance_line)
    assert weak.to_dict()["balance_line_Hz"] is None


def test_balance_line_of_different_populations(conductance):
    params = conductance.replace(**{"I.g": 25, "I.nu_X": 40 * Hz})
    solution = white_solve(params)
    nu_E, nu_I = float(solution.balance_line), float(solution.balance_line_I)
    assert (30 + nu_E) * 55 == pytest.approx(0.25 * 20 * 20 * nu_I, rel=1e-12)
    assert (40 + nu_E) * 55 == pytest.approx(0.25 * 25 * 20 * nu_I, rel=1e-12)


def test_balance_lines_that_are_negative_do_not_exist(conductance):
    assert np.isnan(white_solve(conductance.replace(**{"I.g": 15})).balance_line)


def test_saturated_states_are_found(conductance):
    params = conductance.replace(g=1, a=0.005)
    for tau_rp in (2, 0.01):
        top = rates(white_solve(params.replace(tau_rp=tau_rp * ms)))[-1]
        assert 0.5 * 1e3 / tau_rp < top < 1e3 / tau_rp


def test_networks_without_refractory_time(conductance):
    assert rates(white_solve(conductance.replace(tau_rp=0 * ms)))[0] > 44.03


def test_frozen_noise_gives_other_rates(conductance):
    solution = white_solve(conductance, noise="effective")
    assert solution.noise == "effective"
    assert 0.01 < abs(rates(solution)[0] / 44.031 - 1) < 0.5


def test_keys_of_the_json_object(conductance):
    found = white_solve(conductance).to_dict()
    assert set(found) == {"fixed_points", "balance_line_Hz", "noise", "error"}
    assert set(found["fixed_points"][0]) == {
        "rate_E_Hz", "rate_I_Hz", "cv_E", "cv_I", "stable", "V_mean_mV", "V_sd_mV", "tau_eff_ms",
        "growth_rate_per_s", "frequency_Hz", "fano_1ms", "fano_1ms_I",
    }  # fmt: skip
    assert found["fixed_points"][0]["stable"] is True


def test_repr_names_the_states(conductance):
    text = repr(white_solve(conductance))
    assert "44.03" in text and "stable" in text and "diffusion" in text
    assert "undefined" in repr(white_solve(conductance.replace(nu_X=0 * Hz)))


def test_filtering_is_named_as_a_limit(conductance):
    with pytest.warns(CbnetWarning, match="'diffusion' with synaptic time constants"):
        found = white_solve(conductance.replace(tau_S=2 * ms))
    assert found.noise.endswith("(limit tau_S -> 0)")


def test_rates_that_run_away_are_no_state(conductance):
    params = conductance.replace(tau_rp=0 * ms, gamma=0.01)
    with pytest.warns(CbnetWarning, match="no self-consistent state"):
        found = white_solve(params)
    assert found.fixed_points == [] and found.error == np.inf
    assert "run away" in found.noise and "not known" in repr(found)
    for function, options in (
        (cbnet.stability, {"N": np.inf}),
        (cbnet.heterogeneity, {"CV_K": 0.1}),
    ):
        with (
            pytest.raises(ConvergenceError, match="no self-consistent state"),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", CbnetWarning)
            function(params, noise="diffusion", **options)


def test_what_failed_can_be_printed(conductance):
    solution = white_solve(conductance)
    unknown = dataclasses.replace(solution, rate_E=[np.nan] * Hz, rate_I=[np.nan] * Hz)
    assert "E undefined Hz, I undefined Hz" in repr(unknown)


@pytest.mark.parametrize("noise", ["diffusion", "shot"])
@pytest.mark.parametrize("changes", [{}, {"I.tau_L": 15 * ms}])
@pytest.mark.parametrize("most", [np.inf, 100.0])
def test_states_are_not_looked_for_among_rates_that_are_not_known(
    conductance, monkeypatch, noise, changes, most
):
    known = Neuron.passage

    def passage(self, r_E, r_I, *args, **options):
        found = known(self, r_E, r_I, *args, **options)
        lost = (r_I > 1.0) & (r_I < most)
        return dataclasses.replace(found, rate=np.where(lost, np.nan, found.rate))

    monkeypatch.setattr(Neuron, "passage", passage)
    with pytest.raises(ConvergenceError) as failure:
        white_solve(conductance.replace(**changes), noise=noise)
    assert "\n" not in str(failure.value)


def test_what_cannot_be_used_is_said(conductance):
    with pytest.raises(ParameterError, match="noise: got 'kramers'.*for a network"):
        white_solve(conductance, noise="kramers")
    with pytest.raises(ParameterError, match="noise: got 'colored' with instantaneous"):
        white_solve(conductance, noise="colored")
    with pytest.raises(ParameterError, match="rtol: got 2"):
        white_solve(conductance, rtol=2)


def test_where_two_branches_meet_the_error_says_so(conductance):
    params = conductance.replace(g=12, a=0.0015)
    low, high = 12.0, 20.0  # three states, one state
    for _ in range(36):
        middle = (low + high) / 2
        try:
            count = len(white_solve(params.replace(nu_X=middle * Hz)).fixed_points)
        except ConvergenceError as error:
            assert "two branches may be about to meet" in str(error)
            assert len(error.best.fixed_points) > 1
            assert error.best.error > 1e-8
            break
        low, high = (middle, high) if count == 3 else (low, middle)
    else:
        pytest.fail(f"no loss of accuracy between {low} and {high} Hz")


def test_populations_that_differ_have_a_state_whatever_their_rates(current):
    """Rates of both stay below 1/τ_rp: over all states the signs of det(1 − G) add up to one."""
    params = current.replace(a=0.003, gamma=0.5, nu_X=24 * Hz).replace(
        **{"E.tau_L": 15 * ms, "I.tau_L": 12.4 * ms, "I.nu_X": 9 * Hz, "I.g": 26}
    )
    (state,) = cbnet.solve(params, noise="diffusion").fixed_points
    assert state.stable
    for population, nu_X in (("E", 24 * Hz), ("I", 9 * Hz)):
        rates = {"r_E": nu_X + state.rate_E, "r_I": state.rate_I}
        with pytest.warns(CbnetWarning, match="does not use"):
            own = cbnet.respond(params, population=population, noise="diffusion", **rates)
        assert float(own.rate) == pytest.approx(
            float(getattr(state, f"rate_{population}")), rel=1e-7
        )
