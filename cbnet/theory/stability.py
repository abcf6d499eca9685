"""Is the asynchronous state of a network stable, and how far does its activity fluctuate?"""

import dataclasses
import functools
import warnings

from .. import results
from ..errors import CbnetWarning, ParameterError
from ..model import unused
from ..model.parameters import POPULATIONS
from ..model.units import to_quantity
from ..support.threads import one_thread
from .network.fluctuations import spectrum
from .network.line import SILENT
from .network.modes import check_in_degrees, check_sizes, feedback_at, modes, shares_of
from .network.modes_of_network import choose
from .network.of_network import is_network
from .network_stability import stability_of_network
from .neuron import treatments
from .response import rates_in_hertz
from .self_consistency import solve


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Stability(results.Result):
    """How a self-consistent state of a network answers to small disturbances.

    Attributes
    ----------
    growth_rate : Quantity
        Of the mode that decays slowest or grows fastest, 1/s; NaN for a silent network.
    frequency : Quantity
        At which that mode oscillates; zero for one that does not.
    stable : bool
        Whether every mode decays, oscillations included. If white noise and finite jumps do not
        agree on that, it is what finite jumps say, growth rate and frequency are those of their
        leading mode, and a warning tells both.
    fano_E, fano_I : float
        Variance over mean of the spike count of a population in bins of 1 ms, one for independent
        Poisson neurons; NaN unless the state is stable, under white noise too, and the population
        fires.
    fixed_point : int
        Which of the states of :func:`cbnet.solve`.
    rate_E, rate_I : Quantity
        Its rates.
    N : float
        Neurons, excitatory and inhibitory, of the network whose spikes are counted.
    fraction_excitatory : float
        Share of excitatory ones.
    highest : Quantity
        Modes of higher frequency, overtones of the delay, count only if they grow.
    noise : str
        How fluctuations of the input were treated.
    error : float
        Estimated error of the growth rate and angular frequency relative to the modulus of λ, and
        of the Fano factors relative to them: numerical, and for instantaneous synapses by how much
        the response to finite jumps differs from that to white noise at the mode, and the Fano
        factors that follow from it. Infinite if that is as large as they are.
    numerical_error : float
        The part of it that is not due to white noise.
    """

    growth_rate: object = results.variable("1/s", (), "growth_rate_per_s", "of the leading mode")
    frequency: object = results.variable("Hz", (), "frequency_Hz", "of the leading mode")
    stable: bool = results.variable(None, (), "stable", "whether every mode decays")
    fano_E: float = results.variable("1", (), "fano_1ms", "Fano factor of the count in 1 ms, E")
    fano_I: float = results.variable("1", (), "fano_1ms_I", "Fano factor of the count in 1 ms, I")
    fixed_point: int = results.variable(None, (), "fixed_point", "which of the states of solve")
    rate_E: object = results.variable("Hz", (), "rate_E_Hz", "rate of E neurons")
    rate_I: object = results.variable("Hz", (), "rate_I_Hz", "rate of I neurons")
    N: float = results.variable("1", (), "N", "neurons")
    fraction_excitatory: float = results.variable("1", (), None, "share of excitatory neurons")
    highest: object = results.variable("Hz", (), "highest_Hz", "highest frequency considered")
    noise: str = results.variable(None, (), "noise", "how fluctuations were treated")
    error: float = results.variable("1", (), "error", "estimated relative error")
    numerical_error: float = results.variable(
        "1", (), "numerical_error", "the part of it that is not due to white noise"
    )

    @property
    def fano(self):
        """Fano factor of the excitatory population, as `fano_1ms` of a simulation."""
        return self.fano_E

    @functools.cached_property
    def _feedback(self):
        return feedback_at(self.parameters, (float(self.rate_E), float(self.rate_I)))

    @one_thread
    def spectrum(self, f, population="E"):
        """Power spectrum of a population's spike train, per neuron.

        With the spike count n(t) per time of the N_p neurons of the population it is
        ∫ Cov[n(t), n(t + s)] e^(−2πifs) ds / N_p: the rate for independent Poisson neurons.

        Parameters
        ----------
        f : Quantity
            Frequencies of at least 0 Hz, of any shape.
        population : {"E", "I"}
            Whose spikes.

        Returns
        -------
        Quantity
            In Hz, of the shape of `f`; two-sided (integrate over negative f as well).

        Raises
        ------
        ParameterError
            If the state is not stable or the population is silent: there is no stationary spectrum.
        """
        if population not in POPULATIONS:
            raise ParameterError(f"population: got {population!r}; expected 'E' or 'I'")
        if not self.stable:
            raise ParameterError(
                "spectrum: got an unstable state, which has no stationary fluctuations; expected "
                "growth_rate < 0"
            )
        if float(getattr(self, f"rate_{population}")) < SILENT:
            raise ParameterError(f"spectrum: got a silent population {population}")
        hertz = rates_in_hertz(self.parameters, f, "f")
        power = spectrum(self._feedback, hertz.ravel(), self.N, shares_of(self.fraction_excitatory))
        return to_quantity(power[:, POPULATIONS.index(population)].reshape(hertz.shape), "Hz")


@one_thread
def stability(params, *, noise=None, fixed_point=None, N=10_000, fraction_excitatory=0.8):
    """Growth rate and frequency of the leading mode of the asynchronous state, and its noise.

    Parameters
    ----------
    params : Parameters or Network
        Of the network; the populations may differ in any parameter. A Network may have any number
        of populations; its own sizes take the place of `N` and `fraction_excitatory`.
    noise : {"diffusion"}, optional
        How fluctuations of the input are treated: as white noise. If not given, finite jumps decide
        on `stable` where they disagree.
    fixed_point : int, optional
        Which of ``cbnet.solve(params, noise="diffusion").fixed_points``; if not given the one with
        the highest rate among those that are statically stable.
    N : int
        Neurons of the network whose fluctuations are computed; ``numpy.inf`` for the limit in
        which no two neurons share an input.
    fraction_excitatory : float
        Share of excitatory neurons.

    Returns
    -------
    Stability, or for a Network a NetworkStability
        (:class:`cbnet.theory.network_stability.NetworkStability`), of white noise alone.

    Raises
    ------
    ParameterError
        For an option that cannot be used.
    ConvergenceError
        If the leading mode could not be established; ``best`` is the largest λ found, 1/s. If there
        is no self-consistent state.

    Notes
    -----
    A modulation of the arrival rates of a neuron modulates both its drift and its noise, and its
    rate follows with the gains H_E(λ), H_I(λ) of the linearised Fokker-Planck equation
    (:mod:`cbnet.theory.neuron.white.linear_response`). With the delays and synaptic filters of the
    network,

        M_pq(λ) = K_pq H_pq(λ) ⟨e^(−λD)⟩ / (1 + λ τ_q),      det[1 − M(λ)] = 0

    gives its modes λ = growth rate + 2πi frequency (N. Brunel and V. Hakim, Neural Comput. 11,
    1621 (1999), for inhibition with one delay). The one furthest to the right is found by
    Newton's method from a scan and confirmed by the argument principle: no zero lies to the right
    of it, up to the frequency `highest`, the inverse of the mean delay (at least 200 Hz, at most
    5 kHz). Beyond it lie overtones of the delay, which white noise passes on undamped; that none
    of them grows, up to 5 kHz, is confirmed in the same way, and one that does is the answer.

    Fluctuations are those of N neurons that fire as independent renewal processes, driven by the
    network's own feedback (B. Lindner, B. Doiron and A. Longtin, Phys. Rev. E 72, 061919 (2005);
    J. Trousdale, Y. Hu, E. Shea-Brown and K. Josić, PLoS Comput. Biol. 8, e1002408 (2012)),

        S = (1 − M)^(-1) diag(S_p⁰/N_p) (1 − M)^(-†),
        S_p⁰ = ν_p (1 − |f|²)/|1 − f|² − Σ_q |H_pq|² K_pq ν_q K_pq/N_q,

    f being the transform of the intervals between spikes. The sum removes what neurons that share
    inputs have in common, which the feedback contains already.

    Assumes the diffusion approximation; equal in-degrees within a population, randomly wired;
    external inputs that are independent from neuron to neuron; fluctuations small enough to be
    linear (a Fano factor F means relative fluctuations of √(F/(N_p ν · 1 ms))). Synaptic filters
    act on the modulation of drift and noise alike, while the response itself is that of white
    noise: good for time constants well below the effective one of the membrane.

    Examples
    --------
    >>> import cbnet
    >>> state = cbnet.stability(cbnet.load("conductance"))
    >>> state.stable, round(float(state.growth_rate), 2), round(float(state.frequency), 2)
    (True, -83.25, 69.05)
    """
    if is_network(params):
        return stability_of_network(params, noise=noise, fixed_point=fixed_point)
    if noise not in (None, "diffusion"):
        raise ParameterError(
            f"noise: got {noise!r}; expected 'diffusion', the only one that stability knows"
        )
    check_sizes(N, fraction_excitatory)
    check_in_degrees(params, N, fraction_excitatory)
    left_out = unused.tell(params, "cbnet.stability", unused.of_network, "D_min", "D_max")
    with unused.told(), warnings.catch_warnings():
        # the answer's noise says that it is a limit, and there is no other
        warnings.filterwarnings("ignore", "noise: got 'diffusion'", CbnetWarning)
        solution = solve(params, noise="diffusion")
    index = choose(solution, fixed_point)
    rates = float(solution.rate_E[index]), float(solution.rate_I[index])
    found = modes(params, rates, N, fraction_excitatory, white=noise is not None)
    return Stability(
        parameters=params,
        growth_rate=to_quantity(found.growth_rate, "1/s"),
        frequency=to_quantity(found.frequency, "Hz"),
        stable=found.stable,
        fano_E=float(found.fano[0]),
        fano_I=float(found.fano[1]),
        fixed_point=index,
        rate_E=to_quantity(rates[0], "Hz"),
        rate_I=to_quantity(rates[1], "Hz"),
        N=float(N),
        fraction_excitatory=float(fraction_excitatory),
        highest=to_quantity(found.highest, "Hz"),
        noise=treatments.describe(treatments.METHODS["diffusion"], params),
        error=max(float(solution.error), found.error),
        numerical_error=max(float(solution.error), found.numerical_error),
        unused=left_out,
    )
