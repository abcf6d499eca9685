"""Modes and fluctuations of networks: closed forms, limits, counted zeros, simulations."""

import mpmath
import numpy as np
import pytest
from brian2 import Hz, ms, mV

import cbnet
from cbnet.errors import CbnetWarning, ConvergenceError, ParameterError
from cbnet.theory.network.characteristic import Characteristic, leading
from cbnet.theory.network.linearised import linearised
from cbnet.theory.network.modes import modes
from cbnet.theory.neuron.jumps.jump_response import JumpResponse
from cbnet.theory.neuron.white import siegert
from cbnet.theory.response import Neuron


@pytest.fixture(scope="module")
def conductance():
    return cbnet.load("conductance")


@pytest.fixture(scope="module")
def current():
    return cbnet.load("current")


def inhibitory(current, **changes):
    """I neurons with external excitation; the E neurons receive none and are silent."""
    changes = {"nu_X": 60 * Hz, "K": 200, "a": 0.006} | changes
    return current.replace(**{"E.nu_X": 0 * Hz}, **changes)


def polynomial(*roots):
    """A characteristic function with given zeros (conjugates included), scaled by a pole."""
    zeros = np.array(roots + tuple(np.conj(r) for r in roots if np.imag(r)))

    def value(lam):
        F = np.prod((lam[:, None] - zeros) / 100, 1) / (lam + 30)
        return F, lam + 30, np.zeros(lam.size)

    return Characteristic(value, lambda lam: 500 / np.abs(lam), 0.01, 0.01, 2000.0)


@pytest.mark.parametrize(
    "roots",
    [
        (-40.0, -50 + 300j),
        (12 + 700j, 11.0, -100 + 5j),
        (-150 + 20j, -151 + 20.5j),
        (-3e3, -3500 + 1000j),
    ],
)
def test_the_furthest_of_known_zeros(roots):
    characteristic = polynomial(*roots)
    assert leading(characteristic) == pytest.approx(max(roots, key=np.real), rel=1e-8)
    everything = sum(1 if np.imag(r) == 0 else 2 for r in roots)
    assert characteristic.count(-5e3, 4e3) == everything
    assert characteristic.count(500.0, 4e3) == 0


def test_delayed_feedback_of_first_order():
    """τ λ + 1 + J e^(−λD): Lambert's function has the zeros."""
    tau, D, J = 0.01, 0.005, 3.0

    def value(lam):
        return tau * lam + 1 + J * np.exp(-lam * D), np.ones(lam.shape), np.zeros(lam.size)

    found = leading(
        Characteristic(
            value, lambda lam: J * np.exp(-lam.real * D) / np.abs(1 + tau * lam), D, D, 5e3
        )
    )
    expected = -1 / tau + complex(mpmath.lambertw(-J * D / tau * np.exp(D / tau))) / D
    assert found == pytest.approx(expected, rel=1e-9)


def test_no_feedback_leaves_the_modes_of_the_neuron(conductance):
    """Rare spikes feed nothing back: the slowest mode decays as the membrane does."""
    params = conductance.scaled("sqrt", K=100)
    state = cbnet.stability(params)
    assert float(state.rate_E) < 1e-4
    assert state.stable and state.frequency == 0
    neuron = Neuron(params, "E")
    tau = neuron.rest(np.array([30.0]), np.array([0.0]))[1][0]
    # drift is linear and the threshold far: the rate of decay is 1/τ but for what escapes
    assert float(state.growth_rate) == pytest.approx(-1 / tau, rel=1e-2)
    assert state.fano == pytest.approx(1, abs=1e-3)


class InhibitoryNetwork:
    """The inhibitory network of Brunel and Hakim (1999) in closed form.

    Independent of the solver: the parabolic cylinder functions of the leaky neuron with external
    and recurrent white noise, whose mean and variance both follow the network.
    """

    def __init__(self, params, rate):
        v = params.resolve("I")
        self.tau, self.tau_rp, self.D = v["tau_L"], v["tau_rp"], v["D_min"]
        self.threshold, self.reset = v["theta"], v["V_r"]
        self.in_degree, self.J = v["gamma"] * v["K"], v["J_I"]
        R_E, R_I = v["K"] * v["nu_X"], self.in_degree * rate
        self.mu = v["E_L"] + self.tau * (v["J_E"] * R_E - self.J * R_I)
        self.B2 = v["J_E"] ** 2 * R_E + self.J**2 * R_I
        self.rate = float(
            siegert.rate(self.mu, self.tau, self.B2, self.threshold, self.reset, self.tau_rp)
        )

    def loop(self, lam, D=None):
        """M(λ) = K_I e^(−λD) (−J H_drift + J² H_noise)."""
        lam, sigma = mpmath.mpmathify(lam), mpmath.sqrt(self.tau * self.B2)

        def u(v):
            y = (v - self.mu) / sigma
            return mpmath.exp(y**2 / 2) * mpmath.pcfd(-lam * self.tau, -mpmath.sqrt(2) * y)

        below = u(self.threshold) - mpmath.exp(-lam * self.tau_rp) * u(self.reset)
        first, second = (
            mpmath.diff(u, self.threshold, k) - mpmath.diff(u, self.reset, k) for k in (1, 2)
        )
        x = lam * self.tau
        drift = self.rate * self.tau / (1 + x) * first / below
        noise = self.rate * self.tau / 2 / (2 + x) * second / below
        delay = self.D if D is None else D
        return self.in_degree * mpmath.exp(-lam * delay) * (self.J**2 * noise - self.J * drift)


@pytest.mark.parametrize("D", [1, 2, 3])
def test_inhibitory_network_of_brunel_and_hakim(current, D):
    params = inhibitory(current, D=D * ms)
    state = cbnet.stability(params)
    network = InhibitoryNetwork(params, float(state.rate_I))
    assert network.rate == pytest.approx(float(state.rate_I), rel=1e-7)  # it is the fixed point
    ours = float(state.growth_rate) + 2j * np.pi * float(state.frequency)
    with mpmath.workdps(25):
        root = complex(mpmath.findroot(lambda x: network.loop(x) - 1, mpmath.mpc(ours)))
    assert abs(ours - root) < 3 * (state.numerical_error + 1e-8) * abs(root)
    # a stable one includes the error of Fano factors
    assert state.numerical_error < 1e-6 or state.stable
    assert state.stable == (root.real < 0)


def test_critical_delay_of_brunel_and_hakim(current):
    """On the line between the phases λ is imaginary; the closed form says where that is."""
    guess = inhibitory(current)
    rate = float(cbnet.solve(guess, noise="diffusion").rate_I[0])
    network = InhibitoryNetwork(guess, rate)
    with mpmath.workdps(25):

        def equations(omega, D):
            M = network.loop(1j * omega, D)
            return [M.real - 1, M.imag]

        omega, D = (float(x) for x in mpmath.findroot(equations, (2 * np.pi * 220, 1.3e-3)))
    assert 1e-3 < D < 2e-3
    state = cbnet.stability(inhibitory(current, D=D * 1e3 * ms), noise="diffusion")
    assert abs(float(state.growth_rate)) < 1e-4 * omega
    assert float(state.frequency) == pytest.approx(omega / (2 * np.pi), rel=1e-5)
    longer, shorter = (
        cbnet.stability(inhibitory(current, D=D * x * ms), noise="diffusion") for x in (1010, 990)
    )
    assert shorter.stable and not longer.stable
    assert np.isnan(longer.fano)
    with pytest.raises(ParameterError, match="unstable"):
        longer.spectrum([10] * Hz)


def test_slow_runaway_is_the_static_instability(conductance):
    """Between two stable branches lies one whose leading mode grows without oscillating."""
    params = conductance.replace(g=12, a=0.004, nu_X=4 * Hz)
    solution = cbnet.solve(params)
    assert len(solution.rate_E) == 3 and solution.stable.tolist() == [True, False, True]
    states = [cbnet.stability(params, fixed_point=k) for k in range(3)]
    assert [s.stable for s in states][:2] == [True, False]
    assert float(states[1].frequency) == 0 and float(states[1].growth_rate) > 0
    assert cbnet.stability(params).fixed_point == 2
    assert cbnet.stability(params, fixed_point=-1).fixed_point == 2


def test_two_populations_with_nearly_equal_parameters_are_as_one(conductance):
    params = conductance.scaled("sqrt", K=2000)
    same = cbnet.stability(params)
    other = cbnet.stability(params.replace(**{"I.tau_L": params.tau_L * (1 + 1e-7)}))
    assert float(other.growth_rate) == pytest.approx(float(same.growth_rate), rel=1e-4)
    assert float(other.frequency) == pytest.approx(float(same.frequency), rel=1e-4)
    assert other.fano == pytest.approx(same.fano, rel=1e-3)


def test_filters_slow_the_feedback(conductance):
    """A determinant with poles of its own: the count of zeros must know them."""
    for change in ({"tau_S": 1 * ms}, {"tau_E": 2 * ms, "tau_I": 0.5 * ms}, {"I.tau_E": 3 * ms}):
        base = {"tau_S": 1 * ms} if "I.tau_E" in change else {}
        params = conductance.replace(D=1 * ms, **base).replace(**change)
        state = cbnet.stability(params)
        assert "limit" in state.noise
        neurons = {p: Neuron(params, p) for p in "EI"}
        feedback = linearised(params, neurons, (float(state.rate_E), float(state.rate_I)))
        lam = float(state.growth_rate) + 2j * np.pi * float(state.frequency)
        M = feedback.matrix(np.array([lam]))[0]
        assert abs(np.linalg.det(np.eye(2) - M)) < 1e-6
        poles = np.array([-1 / params.resolve("E")[f"tau_{p}"] for p in "EI"], complex)
        found = feedback.characteristic(1000.0).value(poles)
        assert all(np.isfinite(part).all() for part in found)


def test_spectrum_of_independent_neurons_at_high_frequency(conductance):
    state = cbnet.stability(conductance)
    # at 5 kHz distributed delays average what remains of the feedback
    power = np.asarray(state.spectrum([5000] * Hz))[0]
    assert power == pytest.approx(float(state.rate_E), rel=0.05)
    assert np.asarray(state.spectrum([[0, 1]] * Hz, "I")).shape == (1, 2)


def test_slow_fluctuations_follow_from_the_static_response(conductance):
    """At f → 0: S = CV² ν amplified by the static feedback, less what is shared."""
    state = cbnet.stability(conductance, N=np.inf)
    cv = cbnet.solve(conductance, noise="diffusion").cv_E[0]
    nu = float(state.rate_E)
    neurons = {p: Neuron(conductance, p) for p in "EI"}
    M = linearised(conductance, neurons, (nu, nu)).matrix(np.zeros(1))[0].real
    spread = np.linalg.inv(np.eye(2) - M)
    expected = cv**2 * nu * (spread[0, 0] ** 2 + spread[0, 1] ** 2 * 4)
    found = np.asarray(state.spectrum([0] * Hz))[0]
    assert found == pytest.approx(expected, rel=1e-5)
    assert cbnet.stability(conductance).fano < state.fano


def test_fano_factor_is_the_integral_of_the_spectrum(conductance):
    params = conductance.replace(D_max=4 * ms)
    state = cbnet.stability(params)
    f = np.arange(0.5, 4000)
    power = np.asarray(state.spectrum(f * Hz)) / float(state.rate_E)
    # beyond 4 kHz the squared sinc has 1/(π² · 4) of its weight, and the spectrum is near one
    total = 2 * np.sum(power * np.sinc(f * 1e-3) ** 2) * 1e-3 + 1 / (np.pi**2 * 4)
    assert state.fano == pytest.approx(total, rel=2e-3)


@pytest.mark.parametrize(
    ("delays", "fano"), [((0.1, 10), 9.64), ((0.1, 4), 53.4), ((0.1, 0.1), 66.3), ((1, 1), 868)]
)
def test_reference_network_orders_the_delays(conductance, delays, fano):
    """What linear theory says of the reference set; simulations (10,000 neurons, 1 s) gave
    17 ± 2, 63 ± 7, 69 ± 8 and 289 ± 21, where fluctuations are no longer small."""
    params = conductance.replace(D_min=delays[0] * ms, D_max=delays[1] * ms)
    state = cbnet.stability(params)
    assert state.stable
    assert state.fano == pytest.approx(fano, rel=5e-3)  # as many digits as written here
    assert state.numerical_error < 1e-4
    assert state.error > 0.01  # by so much white noise differs from jumps of 0.1 mV


def test_a_silent_network_has_no_modes(conductance, tmp_path):
    state = cbnet.stability(conductance.replace(nu_X=1 * Hz))
    assert state.stable and np.isnan(float(state.growth_rate)) and np.isnan(state.fano)
    with pytest.raises(ParameterError, match="silent"):
        state.spectrum([1] * Hz)
    path = tmp_path / "state.nc"
    state.save(path)
    assert cbnet.results.load(path) == state
    assert state.to_dict()["growth_rate_per_s"] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"noise": "shot"}, "noise"),
        ({"fixed_point": 1}, "fixed_point"),
        ({"fixed_point": True}, "fixed_point"),
        ({"N": 0}, "N"),
        ({"N": "many"}, "N"),
        ({"fraction_excitatory": 1.5}, "fraction_excitatory"),
    ],
)
def test_refusals_name_the_option(conductance, options, words):
    with pytest.raises(ParameterError, match=f"^{words}: got .*expected"):
        cbnet.stability(conductance, **options)


def test_spectrum_refuses_what_it_cannot_read(conductance):
    state = cbnet.stability(conductance)
    with pytest.raises(ParameterError, match="population"):
        state.spectrum([1] * Hz, "X")
    with pytest.raises(ParameterError, match="^f: got"):
        state.spectrum(3.0)


def test_a_missed_zero_is_not_a_finding():
    """A scan that sees nothing ends in an error."""
    flat = Characteristic(
        lambda lam: (np.exp(lam * 1e-4), np.ones(lam.shape), np.zeros(lam.size)),
        lambda lam: 1 / np.abs(lam),
        1e-3,
        1e-3,
        100.0,
    )
    with pytest.raises(ConvergenceError, match="no mode"):
        leading(flat)


def simulated_spectrum(params, population="E", **options):
    """Peak (Hz) of the spectrum of a population's spikes, its resolution, and the simulation.

    The peak is the mean frequency, weighted by power, of what is above half of the largest power:
    single bins of a broad peak are off by 6 % each, and the largest of them is anywhere.
    """
    from scipy.signal import welch

    simulation = cbnet.simulate(params, duration="4s", seed=1, **options)
    counts = np.asarray(getattr(simulation, f"count_{population}_1ms"))
    f, power = welch(counts, fs=1000, nperseg=200)
    top = power[1:] > power[1:].max() / 2
    return np.average(f[1:][top], weights=power[1:][top]), f[1], simulation


@pytest.mark.slow
def test_fluctuations_of_a_stable_network_are_those_of_a_simulation(current):
    """Slow: compiles and simulates 5000 neurons for 4.2 s."""
    params = current.replace(nu_X=60 * Hz).scaled("sqrt", K=200).replace(D=2 * ms)
    state = cbnet.stability(params, N=5000)
    peak, resolution, simulation = simulated_spectrum(params, N=5000)
    assert state.stable
    f = np.arange(1.0, 400)
    expected = f[np.argmax(np.asarray(state.spectrum(f * Hz)))]
    # the windowed estimate resolves two of its steps
    assert abs(peak - expected) <= 2 * resolution
    # fluctuations are 0.4 of the mean: terms of second order are their square
    relative = np.sqrt(state.fano / (4000 * float(state.rate_E) * 1e-3))
    tolerance = 3 * simulation.fano_1ms_sem + relative**2 * state.fano
    assert abs(simulation.fano_1ms - state.fano) < tolerance


@pytest.mark.slow
def test_an_unstable_network_oscillates_at_the_frequency_of_the_mode(current):
    """Slow: compiles and simulates 2500 neurons for 4.2 s."""
    params = inhibitory(current, D=2 * ms)
    state = cbnet.stability(params)
    assert not state.stable
    options = {"N": 2500, "fraction_excitatory": 0.2}
    peak, resolution, simulation = simulated_spectrum(params, "I", **options)
    assert abs(peak - float(state.frequency)) <= 2 * resolution
    # independent neurons have a Fano factor of one
    counts = np.asarray(simulation.count_I_1ms)
    stable = cbnet.simulate(params.replace(D=0.5 * ms), duration="1s", seed=1, **options)
    steady = np.asarray(stable.count_I_1ms)
    print(peak, state.frequency, counts.var() / counts.mean(), steady.var() / steady.mean())
    assert cbnet.stability(params.replace(D=0.5 * ms)).stable
    assert counts.var() / counts.mean() > 5 * steady.var() / steady.mean()


@pytest.fixture(scope="module")
def strong():
    """A neuron with jumps so large that white noise is no guide to its response."""
    return cbnet.load("conductance").replace(
        tau_L=10 * ms, E_L=-68 * mV, E_I=-82 * mV, theta=-50 * mV, V_r=-58 * mV, tau_rp=3 * ms,
        K=20, gamma=0.5, a=0.03, g=6, nu_X=46.14655 * Hz,
    )  # fmt: skip


def test_response_to_finite_jumps(strong):
    """Gains per relative modulation, Hz, of the backward equation solved in two other ways."""
    response = JumpResponse(Neuron(strong, "E", "shot"), 90.0, 45.0)
    rates = np.array([1800.0, 450.0])
    known = {
        0: (143.9421, -59.5847),
        5: (143.3961 - 6.0894j, -59.1718 + 4.7624j),
        40: (121.8500 - 31.9180j, -42.3770 + 25.8280j),
        200: (75.3675 - 41.2925j, -2.6093 + 19.4173j),
    }
    for f, gains in known.items():
        found = response(2j * np.pi * f).gain[:, 0] * rates
        assert found == pytest.approx(gains, rel=2e-3)
    # at high frequency excitation acts by the spikes it makes itself, inhibition not at all
    excitation, inhibition = response(2j * np.pi * 1000).gain[:, 0] * rates
    assert excitation == pytest.approx(47.516 - 15.579j, rel=2e-2)
    assert abs(inhibition - (0.0644 + 3.1825j)) < 0.05
    # all clocks modulated alike are a change of time, and Σ H + H_leak = ν at f = 0 up to τ_rp
    interval = response(np.array([1e-3 + 0j])).interval[0]
    assert (1 - interval.real) / 1e-3 == pytest.approx(1 / 43.85345, rel=1e-3)


@pytest.mark.parametrize(
    ("delays", "growth", "frequency"), [((2, 4), -188.20, 42.667), ((1.5, 1.5), -233.04, 70.975)]
)
def test_modes_of_finite_jumps(strong, delays, growth, frequency):
    """Modes of a network whose density was followed in time; the error of white noise spans them.

    Its 10 inhibitory inputs of 43.85 Hz and external ones are 10 of 45 Hz here.
    """
    params = strong.replace(D_min=delays[0] * ms, D_max=delays[1] * ms)
    neurons = {p: Neuron(params, p, "diffusion") for p in "EI"}
    rates = 43.85345, 45.0
    white = modes(params, rates, np.inf, 0.8, white=True)
    start = complex(white.growth_rate, 2 * np.pi * white.frequency)
    jumps = linearised(params, neurons, rates, respond=JumpResponse)
    found = jumps.mode_near(complex(growth + 10, 2 * np.pi * frequency))
    assert found.real == pytest.approx(growth, rel=3e-3)
    assert found.imag / (2 * np.pi) == pytest.approx(frequency, rel=3e-3)
    # white noise is off, and says so: of one delay it has another mode grow, which is told
    if not white.stable:
        with pytest.warns(CbnetWarning, match="decay by -233/s under finite jumps and by .87.5/s"):
            told = modes(params, rates, np.inf, 0.8)
        assert told.stable
        assert told.growth_rate == pytest.approx(growth, rel=3e-3)
        assert told.frequency == pytest.approx(frequency, rel=3e-3)
    distance = abs(jumps.mode_near(start) - start)
    assert 0.05 * abs(start) < distance <= 1.01 * white.error * (abs(start) + 1)


def test_networks_that_cannot_hold_their_in_degrees_are_refused(conductance):
    with pytest.raises(ParameterError, match="N: got 1250, with 1000 E neurons; expected more"):
        cbnet.stability(conductance, N=1250)
    for function in (cbnet.solve, cbnet.heterogeneity):
        more = {"oscillations": True} if function is cbnet.solve else {"CV_K": 0.1}
        with pytest.raises(ParameterError, match="N: got 100, with 80 E neurons; .* above 1250"):
            function(conductance, noise="diffusion", N=100, **more)
    smallest = cbnet.stability(conductance, N=1256)
    assert smallest.fano_E > 1 and smallest.fano_I > 1
