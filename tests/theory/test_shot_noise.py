"""Finite jumps: reference rates, limits, and neurons of other strings."""

import numpy as np
import pytest
from brian2 import Hz, ms, mV, second, volt

import cbnet
from cbnet.errors import ConvergenceError
from cbnet.theory.neuron.jumps import shot_noise
from cbnet.theory.response import Neuron

# K = 1000, g = 12, r_I = 1.8 r_E: a, r_E, rate, CV, mean and sd of v by another collocation, and
# the rate of a Monte Carlo simulation with its standard error
REFERENCE = [
    (0.005, 20, 0.312385, 0.9986, -64.497, 2.0435, 0.3153, 0.0048),
    (0.005, 50, 3.46284, 0.9892, -63.809, 2.156, 3.462, 0.025),
    (0.01, 10, 8.51584, 0.9694, -64.621, 2.802, 8.539, 0.026),
    (0.01, 50, 87.284, 0.7958, -63.872, 2.899, 87.05, 0.22),
    (0.02, 5, 39.1669, 0.8933, -65.137, 3.616, 39.11, 0.11),
    (0.02, 50, 289.53, 0.397, -64.533, 3.668, 288.92, 0.36),
]


@pytest.fixture(scope="module")
def params():
    return cbnet.load("conductance").replace(g=12)


@pytest.mark.parametrize("row", REFERENCE, ids=lambda row: f"a={row[0]},r_E={row[1]}")
def test_reference_neurons(params, row):
    a, r_E, rate, cv, mean, sd, sampled, sem = row
    found = cbnet.respond(params.replace(a=a), r_E=r_E * Hz, r_I=1.8 * r_E * Hz)
    assert found.noise == "shot"
    assert found.error <= 1e-4
    assert float(found.rate) == pytest.approx(rate, rel=1e-4)
    assert float(found.cv) == pytest.approx(cv, abs=1e-4)
    assert float(found.V_mean / mV) == pytest.approx(mean, abs=1e-3)
    assert float(found.V_sd / mV) == pytest.approx(sd, abs=1e-3)
    assert abs(float(found.rate) - sampled) < 3 * sem


@pytest.mark.parametrize("row", REFERENCE[:5], ids=lambda row: f"a={row[0]},r_E={row[1]}")
def test_the_error_estimate_covers_the_error(params, row):
    neuron = Neuron(params.replace(a=row[0]), noise="shot")
    inputs = np.array([float(row[1])]), np.array([1.8 * row[1]])
    fine = neuron.passage(*inputs, rtol=1e-5)
    for rtol in (1e-2, 1e-3, 1e-4):
        found = neuron.passage(*inputs, rtol=rtol)
        assert found.error[0] <= rtol
        assert abs(found.rate[0] / fine.rate[0] - 1) <= found.error[0] + fine.error[0]
        assert abs(found.cv[0] / fine.cv[0] - 1) <= found.error[0] + fine.error[0]


@pytest.mark.parametrize(
    ("model", "values", "r_E", "r_I"),
    [
        ("conductance", {"g": 12, "a": 0.01}, 10, 18),
        ("conductance", {"K": 10, "a": 0.04}, 30, 12),  # jumps of 2 mV
        ("conductance", {"jump": "exponential", "a": 0.045, "K": 100}, 20, 12),
        ("conductance", {}, 300, 10),  # 416 Hz
        ("conductance", {}, 5, 0),  # 1e-75 Hz
        ("conductance", {}, 0, 30),
        ("conductance", {"K": 10**9, "a": 1.5e-6}, 30, 12),  # too fine to follow
        ("current", {}, 30, 12),
    ],
)
def test_density_is_normalised_and_has_the_moments(model, values, r_E, r_I):
    found = cbnet.respond(cbnet.load(model).replace(**values), r_E=r_E * Hz, r_I=r_I * Hz)
    mean, sd = float(found.V_mean), float(found.V_sd)
    # at the reset it jumps, where the leak is slow by more than a thousand times its mean
    ends = mean - 15 * sd, -0.065, -0.055
    edges = np.concatenate([np.linspace(*part, 100_001)[:-1] for part in (ends[:2], ends[1:])])
    edges = np.append(edges, ends[-1])
    v, h = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    p = np.asarray(found.density(v * volt)) * h
    assert np.all(p >= 0)
    assert p.sum() == pytest.approx(1, abs=1e-4)
    assert abs((p * (v - mean)).sum()) < 5e-4 * sd
    assert np.sqrt((p * (v - mean) ** 2).sum()) == pytest.approx(sd, rel=5e-4)


def test_density_is_smooth_where_white_noise_is():
    params = cbnet.load("current")
    v = np.arange(-64.4, -58, 0.05) * mV
    shot, white = (
        np.asarray(cbnet.respond(params, r_E=30 * Hz, r_I=12 * Hz, noise=noise).density(v))
        for noise in ("shot", "diffusion")
    )
    # Jumps of 0.08 mV: the ratio bends over the sd of 3.5 mV, by (0.05/3.5)² a step. A hundredth of
    # a cell's probability in its neighbour would make 1e-2.
    assert np.abs(np.diff(np.log(shot / white), 2)).max() < 5e-3
    assert np.abs(np.log(shot / white)).max() < 0.1  # white noise is that good


def test_small_current_jumps_are_white_noise():
    params = cbnet.load("current").replace(J_E=0.0825 * mV, J_I=0.6 * mV)
    distance = []
    for finer in (1, 4, 16):
        # at fixed mean and variance: n times the arrivals of both kinds, jumps less by √n, and
        # a leak reversal that takes up the change of the mean
        J_E, J_I = 0.0825 / np.sqrt(finer), 0.6 / np.sqrt(finer)
        mean = 20e-3 * 1000 * finer * (30 * J_E - 0.25 * 12 * J_I)
        E_L = -66.5 - mean
        fine = params.replace(J_E=J_E * mV, J_I=J_I * mV, K=1000 * finer, E_L=E_L * mV)
        shot, white = (
            float(cbnet.respond(fine, r_E=30 * Hz, r_I=12 * Hz, noise=noise).rate)
            for noise in ("shot", "diffusion")
        )
        assert white == pytest.approx(0.3278, rel=0.05)
        distance.append(abs(shot / white - 1))
    # of first order in the jump, which halves each time
    assert distance[1] / distance[0] == pytest.approx(0.5, abs=0.1)
    assert distance[2] / distance[1] == pytest.approx(0.5, abs=0.05)


def test_below_threshold_the_ratio_to_white_noise_does_not_tend_to_one(params):
    ratios = []
    for a in (0.01, 0.005, 0.0025):
        fine = params.replace(a=a, K=int(round(1000 * 0.01 / a)))
        shot, white = (
            float(cbnet.respond(fine, r_E=10 * Hz, r_I=18 * Hz, noise=noise).rate)
            for noise in ("shot", "diffusion")
        )
        ratios.append(shot / white)
    assert ratios[0] > ratios[1] > ratios[2]


def test_above_threshold_finite_jumps_tend_to_white_noise(params):
    gaps = []
    for a in (0.004, 0.001, 0.00025):
        fine = params.replace(a=a, K=int(round(1000 * 0.004 / a)))
        shot, white = (
            float(cbnet.respond(fine, r_E=40 * Hz, r_I=10 * Hz, noise=noise).rate)
            for noise in ("shot", "diffusion")
        )
        gaps.append(abs(shot / white - 1))
    assert gaps[2] < gaps[0] / 4 + 2e-4


def test_rates_grow_with_excitation(params):
    r_E = np.linspace(2, 60, 15)
    rate = Neuron(params.replace(a=0.01), noise="shot").passage(r_E, 0 * r_E + 30, cv=False).rate
    assert np.all(np.diff(rate) > 0)
    assert np.all((rate >= 0) & (rate <= 500))


@pytest.mark.parametrize(
    ("r_E", "rate"),
    [(4.0, 2.5733e-32), (3.0, 2.9601e-38), (1.0, 3.8746e-61), (0.1, 2.9717e-107)],
)
def test_the_rarest_spikes_are_solved_exactly(params, r_E, rate):
    """Reference: Markov chains on grids of 16 to 128 cells a jump, by elimination without
    subtraction, extrapolated; good to 6e-4."""
    few = params.replace(
        **{"tau_L": 11 * ms, "E_L": -74 * mV, "E_E": -5 * mV, "E_I": -77 * mV, "theta": -49 * mV},
        **{"V_r": -62 * mV, "tau_rp": 2 * ms, "K": 150, "gamma": 0.5, "a": 0.012, "g": 7},
    )
    found = cbnet.respond(few, r_E=r_E * Hz, r_I=14 * Hz)
    assert found.noise == "shot"
    assert float(found.error) < 1e-4
    assert float(found.rate) == pytest.approx(rate, rel=float(found.error) + 6e-4)


def test_rates_of_an_exponential_neuron_rise_smoothly_from_the_rarest():
    model = cbnet.Model(
        name="exponential",
        equations="""dv/dt = (E_L - v + Delta*exp((v - v_T)/Delta))/tau_L
                     : volt (unless refractory)""",
        excitatory="v_post += a*(E_E - v_post)",
        inhibitory="v_post += g*a*(E_I - v_post)",
        parameters={"Delta": 1.6 * mV, "v_T": -53 * mV},
    )
    params = cbnet.Parameters(model).replace(
        **{"tau_L": 17 * ms, "E_L": -71 * mV, "E_E": 2 * mV, "E_I": -79 * mV, "theta": -42 * mV},
        **{"V_r": -63 * mV, "tau_rp": 1.5 * ms, "K": 500, "gamma": 0.4, "g": 8},
        **{"r_E": 30 * Hz, "r_I": 16 * Hz},
    )
    a = np.geomspace(0.00102, 0.00118, 9)
    found = [cbnet.respond(params.replace(a=x)) for x in a]
    height = np.log([float(x.rate) for x in found])
    assert height[0] < -92 and height[-1] > -65
    rise = np.diff(height)
    assert np.all(rise > 0)
    # a parabola through three neighbours: no step where spikes become rare
    bend = np.diff(rise, 2)
    assert np.all(np.abs(bend) < 4 * sum(float(x.error) for x in found) + 0.02 * rise.min())


def test_a_rate_too_low_for_floats_is_given_in_words(params):
    found = cbnet.respond(params.replace(a=5e-5), r_E=1 * Hz, r_I=10 * Hz)
    assert float(found.rate) == 0
    assert found.noise == "shot (a rate below 1e-290 Hz given as 0)"
    assert 0 < float(found.error) < 1e-4


def test_without_input_the_membrane_rests(params):
    found = cbnet.respond(params, r_E=0 * Hz, r_I=0 * Hz)
    assert (float(found.rate), float(found.V_sd)) == (0, 0)
    assert float(found.V_mean / mV) == pytest.approx(-80, rel=1e-12)


def test_inhibition_alone_has_the_moments_of_the_free_membrane(params):
    found = cbnet.respond(params, r_E=0 * Hz, r_I=10 * Hz)
    white = cbnet.respond(params, r_E=0 * Hz, r_I=10 * Hz, noise="diffusion")
    assert float(found.rate) == 0
    assert float(found.V_mean) == pytest.approx(float(white.V_mean), rel=1e-8)
    assert float(found.V_sd) == pytest.approx(float(white.V_sd), rel=1e-5)


def test_exponential_integrate_and_fire_agrees_with_the_exact_simulation():
    model = cbnet.Model(
        name="exponential",
        equations="""dv/dt = (-(v - E_L) + Delta*exp((v - v_T)/Delta))/tau_L
                     : volt (unless refractory)""",
        excitatory="v_post += a*(E_E - v_post)",
        inhibitory="v_post += g*a*(E_I - v_post)",
        parameters={"Delta": 2 * mV, "v_T": -55 * mV, "theta": -40 * mV},
    )
    params = cbnet.Parameters(model).replace(a=0.01, g=8)
    found = cbnet.respond(params, r_E=8 * Hz, r_I=12 * Hz)
    run = cbnet.simulate_neuron(params, 8 * Hz, 12 * Hz, duration=60 * second, seed=1)
    assert abs(float(found.rate - run.rate)) < 3 * float(run.rate_sem)
    assert abs(float(found.V_mean - run.V_mean)) < 3 * float(run.V_mean_sem)


def test_what_cannot_be_reached_is_an_error_with_the_best_answer(params):
    with pytest.raises(ConvergenceError, match="rtol: got 1e-12") as caught:
        cbnet.respond(params.replace(a=0.01), r_E=10 * Hz, r_I=18 * Hz, rtol=1e-12)
    assert float(caught.value.best.rate) == pytest.approx(8.51584, rel=1e-4)
    assert caught.value.best.error > 1e-12


def test_random_neurons_have_an_answer_or_a_named_error():
    rng = np.random.default_rng(5)
    for _ in range(25):
        g, K = rng.uniform(0.5, 25), int(10 ** rng.uniform(1, 5))
        a = min(0.0015 * np.sqrt(1000 / K) * 10 ** rng.uniform(-0.5, 1), 0.5 / max(g, 1))
        kind = "conductance" if rng.random() < 0.5 else "current"
        neuron = Neuron(cbnet.load(kind).replace(a=a, g=g, K=K), noise="shot")
        inputs = 10 ** rng.uniform(-1, 2, 1), 10 ** rng.uniform(-1, 2, 1)
        with np.errstate(divide="raise", invalid="raise", over="raise"):
            try:
                found = shot_noise.passage(neuron, inputs, 1e-3, moments=True)
            except ConvergenceError as error:
                found = error.best
                assert found.error[0] > 1e-3
        assert 0 <= found.rate[0] <= 500
        assert np.isfinite(found.rate[0])


@pytest.mark.parametrize(("nu_X", "rate", "cv"), [(20, 18.160, 0.794), (30, 41.393, 0.731)])
def test_networks(nu_X, rate, cv):
    found = cbnet.solve(cbnet.load("conductance").replace(nu_X=nu_X * Hz))
    assert found.noise == "shot"
    assert np.asarray(found.rate_E) == pytest.approx([rate], abs=1e-3)
    assert found.cv_E == pytest.approx([cv], abs=5e-4)
    assert found.stable.tolist() == [True]


# Few inputs and large jumps; rate, CV and sd of v in mV from degree 8 on finer panels. Exact
# event-driven simulation of 1e8 arrivals: 11.4881, 27.1918 and 48.8513 Hz, within half an error.
FEW = [
    (
        "conductance",
        {"K": 13, "gamma": 1.0, "g": 1.09, "a": 0.275, "tau_L": 11.98, "tau_rp": 3.0},
        (-78.41, 12.61, -73.26, -49.59, -55.85),
        (2.26, 1.91),
        (11.489256, 1.210326, 6.924738),
    ),
    (
        "conductance",
        {"K": 62, "gamma": 0.25, "g": 1.04, "a": 0.09, "tau_L": 19.76, "tau_rp": 1.0},
        (-79.91, 10.35, -51.72, -53.82, -62.04),
        (2.24, 9.78),
        (27.188218, 1.015758, 4.058761),
    ),
    (
        "current",
        {"K": 11, "gamma": 0.5, "g": 2.34, "a": 0.303, "tau_L": 12.89, "tau_rp": 10.0},
        (-79.55, 12.38, -63.88, -56.45, -58.18),
        (9.8, 13.32),
        (48.852446, 0.616978, 6.913056),
    ),
]


def few(model, values, potentials, inputs):
    names = ("E_L", "E_E", "E_I", "theta", "V_r")
    values = {k: f"{x}ms" if k.startswith("tau") else x for k, x in values.items()}
    values |= {k: x * mV for k, x in zip(names, potentials, strict=True)}
    if model == "current":
        values["V_match"] = -58.73 * mV
    r_E, r_I = inputs
    return cbnet.load(model).replace(**values, r_E=r_E * Hz, r_I=r_I * Hz)


@pytest.mark.parametrize("row", FEW, ids=lambda row: f"K={row[1]['K']}")
def test_the_error_covers_neurons_of_few_inputs(row):
    *neuron, right = row
    found = cbnet.respond(few(*neuron))
    got = float(found.rate), float(found.cv), float(found.V_sd / mV)
    for x, y in zip(got, right, strict=True):
        assert abs(x / y - 1) <= found.error + 1e-6  # of the right value's digits


@pytest.mark.parametrize("row", FEW, ids=lambda row: f"K={row[1]['K']}")
def test_the_equation_of_the_density_gives_the_same_statistics(row):
    params = few(*row[:-1])
    found = cbnet.respond(params)
    reset = float(params.V_r)
    ends = float(found.V_mean) - 15 * float(found.V_sd), reset, float(params.theta)
    x, w = np.polynomial.legendre.leggauss(3)
    total = np.zeros(3)
    for low, high in (ends[:2], ends[1:]):
        edges = np.linspace(low, high, 40_001)
        v = edges[:-1, None] + np.diff(edges)[:, None] * (x + 1) / 2
        p = np.asarray(found.density(v * volt)) * np.diff(edges)[:, None] * w / 2
        total += [(p * (v - reset) ** k).sum() for k in range(3)]
    mean = total[1] / total[0]
    sd = np.sqrt(total[2] / total[0] - mean**2)
    assert total[0] == pytest.approx(1, abs=1e-4)
    assert abs(reset + mean - float(found.V_mean)) < 3e-4 * sd
    assert sd == pytest.approx(float(found.V_sd), rel=3e-4)
