"""Reference values that no other test holds: each at the accuracy of its source.

The other tables are in the tests of their modules: rates and CVs under white noise in
``test_first_passage``, finite jumps in ``test_shot_noise``, time constants in
``test_colored_noise``, networks in ``test_self_consistency``, efficacies in ``test_scaling``.
"""

import numpy as np
import pytest
from brian2 import Hz

import cbnet
from cbnet.theory import scaling
from cbnet.theory.neuron.colored import colored_noise
from cbnet.theory.neuron.neuron import Neuron


@pytest.fixture(scope="module")
def conductance():
    return cbnet.load("conductance")


def inputs(r_E, r_I):
    return np.array([float(r_E)]), np.array([float(r_I)])


def rate(params, noise, r_E, r_I):
    return float(Neuron(params, noise=noise).passage(*inputs(r_E, r_I), cv=False).rate[0])


@pytest.mark.parametrize(
    ("r_E", "r_I", "a", "K", "g", "mu", "tau"),
    [
        (5, 9, 0.005, 1000, 12, -67.2619048, 4.76190476),
        (10, 18, 0.005, 1000, 12, -65.5405405, 2.7027027),
        (50, 90, 0.01, 1000, 12, -63.5384615, 0.307692308),
        (30, 12, 0.0016, 1000, 20, -57.7319588, 5.15463918),
        (40, 20, 0.003, 10000, 15, -49.3571429, 0.285714286),
        (20, 36, 0.0075, 1000, 12, -64.1089109, 0.99009901),
    ],
)
def test_where_the_drift_vanishes_and_how_fast(conductance, r_E, r_I, a, K, g, mu, tau):
    neuron = Neuron(conductance.replace(a=a, K=K, g=g))
    found = [1e3 * float(x[0]) for x in neuron.rest(*inputs(r_E, r_I))]
    assert found[0] == pytest.approx(mu, abs=6e-8)  # nine digits are known
    assert found[1] == pytest.approx(tau, rel=6e-9)


@pytest.mark.parametrize(("r_E", "white"), [(5, 2.8293845143e-4), (10, 0.084959537287)])
def test_rare_escapes_are_within_five_percent_below_a_tenth_of_a_hertz(conductance, r_E, white):
    params = conductance.replace(a=0.005, g=12)
    assert rate(params, "kramers", r_E, 1.8 * r_E) == pytest.approx(white, rel=0.05)


@pytest.mark.parametrize(
    ("a", "r_E", "least", "most"),
    [
        (0.01, 50, 1.1, 1.5),  # above 80 Hz
        (0.02, 50, 1.1, 1.5),
        (0.01, 10, 2, 4),  # from 1 to 10 Hz
        (0.005, 50, 2, 4),
        (0.0075, 20, 2, 4),
        (0.005, 10, 11, 11.1),  # below 0.1 Hz
        (0.005, 5, 180, 185),
    ],
)
def test_by_how_much_white_noise_is_too_high(conductance, a, r_E, least, most):
    params = conductance.replace(a=a, g=12)
    ratio = rate(params, "diffusion", r_E, 1.8 * r_E) / rate(params, "shot", r_E, 1.8 * r_E)
    assert least <= ratio <= most


@pytest.mark.parametrize(
    ("g", "a", "r_E", "r_I", "sampled", "digit"),
    [
        (12, 0.01, 10, 18, 10.73, 0.01),
        (12, 0.01, 50, 90, 104.4, 0.1),
        (20, 0.005, 20, 16, 30.5, 0.1),
        (20, 0.005, 100, 80, 212.4, 0.1),
        (12, 0.003, 20, 16, 31.6, 0.1),
        (12, 0.003, 100, 80, 269, 1),
    ],
)
def test_the_limit_of_short_time_constants(conductance, g, a, r_E, r_I, sampled, digit):
    """The jump that a filtered synapse becomes covers 1 − e^(−a) of the way."""
    params = conductance.replace(g=g, a=a, jump="exponential")
    found = rate(params, "shot", r_E, r_I)
    assert found == pytest.approx(sampled, abs=digit / 2 + 1e-4 * found)


@pytest.mark.parametrize(
    ("g", "a", "r_E", "r_I", "tau", "sampled", "sem"),
    [(12, 0.01, 50, 90, 1, 0.027, 0.004), (20, 0.005, 20, 16, 5, 0.0455, 0.003)],
)
def test_rare_spikes_of_filtered_synapses(conductance, g, a, r_E, r_I, tau, sampled, sem):
    """Below 0.05 Hz, where three standard errors are all that can be asked."""
    neuron = Neuron(conductance.replace(g=g, a=a, tau_S=f"{tau}ms"), noise="colored")
    found = colored_noise.solve(colored_noise.of_neuron(neuron, inputs(r_E, r_I), 0))
    assert abs(found.rate - sampled) < 3 * sem + found.error * found.rate


def test_a_neuron_whose_simulation_had_no_spike_has_hardly_any(conductance):
    # beside it 0.027 ± 0.004 Hz, some 45 spikes in 1700 s: none in as long means less than 3/1700 s
    neuron = Neuron(conductance.replace(g=12, a=0.01, tau_S="2ms"), noise="colored")
    found = colored_noise.solve(colored_noise.of_neuron(neuron, inputs(50, 90), 0), rtol=0.05)
    assert 0 <= found.rate < 3 / 1700


@pytest.mark.parametrize(
    ("K", "nu_X", "nu", "cv"),
    [
        (1000, 20, 18.160, 0.794),
        (1000, 30, 41.393, 0.731),
        (1000, 50, 84.978, 0.640),
        (10_000, 5, 1.563, None),
        (10_000, 10, 12.051, None),
        (10_000, 20, 32.652, None),
        (10_000, 30, 52.991, None),
        (10_000, 50, 92.866, None),
    ],
)
def test_networks_with_finite_jumps(conductance, K, nu_X, nu, cv):
    """The response crosses the diagonal within half a unit of the last digit.

    Its slope is negative, so that an error of the response moves the crossing by less than itself.
    """
    neuron = Neuron(conductance.scaled("sqrt", K=K), noise="shot")
    width = 5e-4 + 1e-4 * nu
    around = nu + width * np.array([-1, 0, 1])
    found = neuron.passage(nu_X + around, around)
    gap = found.rate - around
    assert gap[0] > 0 > gap[2]
    if cv is not None:
        assert found.cv[1] == pytest.approx(cv, abs=6e-4)


@pytest.mark.parametrize("nu_X", [5, 10])
def test_without_feedback_weak_input_leaves_neurons_silent(conductance, nu_X):
    assert rate(conductance, "shot", nu_X, 0) < 1e-6


@pytest.mark.parametrize(("nu_X", "simulated"), [(20, 17.9), (30, 41.3), (50, 85.5)])
def test_simulated_networks_lie_within_three_percent_of_finite_jumps(conductance, nu_X, simulated):
    """Simulated with 10,000 neurons, binomial in-degrees and delays from 0.1 to 4 ms."""
    neuron = Neuron(conductance, noise="shot")
    around = simulated * np.array([0.97, 1.03])
    gap = neuron.passage(nu_X + around, around, cv=False).rate - around
    assert gap[0] > 0 > gap[1]


def test_the_balance_line_is_approached_slowly_and_from_above(conductance):
    solution = cbnet.solve(
        conductance.replace(nu_X=20 * Hz).scaled("sqrt", K=100_000), noise="diffusion"
    )
    ratio = float(solution.rate_E[0]) / float(solution.balance_line)
    assert ratio == pytest.approx(1.33, abs=5e-3)


def test_one_current_neuron():
    neuron = Neuron(cbnet.load("current"))
    found, (mu, tau) = neuron.passage(*inputs(30, 12)), neuron.rest(*inputs(30, 12))
    B2 = neuron.reduced.function("B2", neuron.bound(*inputs(30, 12)))(np.zeros((1, 1)))[0, 0]
    assert mu[0] == pytest.approx(-0.0665, rel=1e-12)
    assert 1e3 * np.sqrt(tau[0] * B2) == pytest.approx(5.0679138, abs=6e-8)
    assert found.rate[0] == pytest.approx(0.327813851, abs=6e-10)
    assert found.cv[0] == pytest.approx(0.9977170, abs=6e-8)


@pytest.mark.parametrize(
    ("g", "eta", "efficacies", "ratios"),
    [
        (
            12,
            1.8,
            (0.0060123, 0.0032700, 0.0023296, 0.0018424, 0.0011376),
            (2.09, 1.51, 1.35, 1.28, 1.185),
        ),
        (
            20,
            0.8,
            (0.0032718, 0.0011594, 0.00063119, 0.00045605, 0.00026295),
            (5.39, 2.55, 1.73, 1.50, 1.30),
        ),
    ],
)
def test_how_slowly_the_logarithmic_law_sets_in(conductance, g, eta, efficacies, ratios):
    """The efficacies are those of ``test_scaling``."""
    C = scaling.exponent(conductance.replace(g=g), eta, "diffusion")
    found = np.array(efficacies) * np.log([1e3, 1e4, 1e5, 1e6, 1e9]) / C
    # a unit of the last digit written
    assert found == pytest.approx(ratios, abs=0.006)
