"""One neuron under Poisson input: rate, CV, voltage statistics."""

import dataclasses

import numpy as np

from .. import results
from ..errors import ConvergenceError, ParameterError
from ..model import unused
from ..model.parameters import POPULATIONS
from ..model.units import to_quantity, unit
from ..support.threads import one_thread
from .neuron import treatments
from .neuron.neuron import Neuron


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Response(results.Result):
    """What one neuron does under Poisson input; scalars, or arrays of the shape of the input.

    Attributes
    ----------
    rate, cv : Quantity, float
        Firing rate, and CV of the intervals between spikes (NaN for a silent neuron).
    V_mean, V_sd : Quantity
        Of the membrane potential, refractory time excluded.
    tau_eff, mu : Quantity
        Effective time constant −1/A'(μ) and root μ of the (Itô) drift; NaN if there is none.
    noise : str
        How fluctuations were treated.
    error : float
        Estimated relative error of rate, CV and V_sd, as the solution for the noise that is named:
        by how much another treatment would differ is not in it. With finite jumps it covers V_mean
        in units of V_sd too, and that of a CV below 0.2 is relative to 0.2. Of the formulas
        ``"fast"``, ``"shift"``, ``"rescaled"``, ``"adiabatic"`` and ``"rice"`` the largest error
        found within their range, and infinite outside of it, where none is known; of ``"kramers"``
        the distance to the rate of white noise.
    r_E, r_I : Quantity
        Rates of each of the K and γK inputs.
    population : str
        Whose parameters were used.
    frozen_at : Quantity
        Where ``"effective"`` noise was frozen; NaN otherwise.
    """

    rate: object = results.variable("Hz", (), "rate_Hz", "firing rate")
    cv: object = results.variable("1", (), "cv", "coefficient of variation of the intervals")
    V_mean: object = results.variable("mV", (), "V_mean_mV", "mean membrane potential")
    V_sd: object = results.variable("mV", (), "V_sd_mV", "its standard deviation")
    tau_eff: object = results.variable("ms", (), "tau_eff_ms", "effective time constant")
    mu: object = results.variable("mV", (), "mu_mV", "potential at which the drift vanishes")
    noise: str = results.variable(None, (), "noise", "how fluctuations were treated")
    error: object = results.variable("1", (), "error", "estimated relative error")
    r_E: object = results.variable("Hz", (), None, "rate of each excitatory input")
    r_I: object = results.variable("Hz", (), None, "rate of each inhibitory input")
    population: str = results.variable(None, (), None, "population whose parameters were used")
    frozen_at: object = results.variable("mV", (), None, "where effective noise was frozen")

    @one_thread
    def density(self, v):
        """Probability density of the membrane potential, refractory time excluded.

        Parameters
        ----------
        v : Quantity
            Where, of any shape.

        Returns
        -------
        Quantity
            In 1/V; zero above the threshold.

        Raises
        ------
        ParameterError
            If this is the response to several inputs, or was computed by a formula that has no
            density.
        """
        neuron = self._one("density", "density", "diffusion")
        if float(self.r_E) == 0 == float(self.r_I):
            # nothing but the leak moves v, whatever the treatment of noise
            neuron = Neuron(self.parameters, self.population, "shot", float(self.frozen_at))
        p = neuron.method.density(neuron, self._inputs(), in_volts(v, "v"))
        return p / to_quantity(1.0, "V")

    @one_thread
    def isi_density(self, t):
        """Probability density of the intervals between spikes.

        Parameters
        ----------
        t : Quantity
            Intervals, of any shape.

        Returns
        -------
        Quantity
            In 1/s; zero within the refractory time.

        Raises
        ------
        ParameterError
            If this is the response to several inputs, of a neuron that never fires, or was computed
            in a way that does not give intervals.

        Examples
        --------
        >>> import cbnet
        >>> from brian2 import ms
        >>> response = cbnet.respond(cbnet.load("conductance"), r_E="30Hz", r_I="12Hz")
        >>> [round(float(f), 2) for f in response.isi_density([1, 20, 200] * ms)]
        [0.0, 15.57, 0.5]
        """
        neuron = self._one("isi_density", "intervals", "shot")
        if tuple(getattr(getattr(t, "dim", None), "_dims", ())) != unit("s")[1]:
            raise ParameterError(f"t: got {t}; expected times, as in 20*ms")
        f = neuron.method.intervals(neuron, self._inputs(), np.asarray(t, float))
        return f / to_quantity(1.0, "s")

    def _inputs(self):
        return np.array([float(self.r_E)]), np.array([float(self.r_I)])

    def _one(self, label, wanted, instead):
        """The neuron of a response to one input, whose method must know something."""
        if np.ndim(self.rate):
            raise ParameterError(
                f"{label}: got responses to {np.size(self.rate)} inputs; expected one; call "
                "respond() with scalar r_E and r_I"
            )
        kind = self.noise.split()[0]
        neuron = Neuron(self.parameters, self.population, kind, float(self.frozen_at))
        if getattr(neuron.method, wanted) is None:
            raise ParameterError(f"{label}: got noise={kind!r}, which has none; use {instead!r}")
        return neuron


def in_volts(v, label):
    if tuple(getattr(getattr(v, "dim", None), "_dims", ())) != unit("V")[1]:
        raise ParameterError(f"{label}: got {v}; expected potentials, as in -60*mV")
    return np.asarray(v, float)


def rates_in_hertz(params, value, name):
    """Input rates as floats in Hz: a quantity, an array of them, or text such as ``"20Hz"``."""
    if isinstance(value, str):
        return np.float64(params.model.entry(name, name).parse(value, name))
    if tuple(getattr(getattr(value, "dim", None), "_dims", ())) != unit("Hz")[1]:
        raise ParameterError(f"{name}: got {value} (no unit of rate); expected Hz, as in 20*Hz")
    array = np.asarray(value, float)
    if not np.all(np.isfinite(array) & (array >= 0)):
        raise ParameterError(f"{name}: got {value}; expected finite rates of at least 0 Hz")
    return array


@one_thread
def respond(params, r_E=None, r_I=None, *, population="E", noise=None, rtol=None, frozen_at=None):
    """Rate, CV and voltage statistics of one neuron under Poisson input.

    Parameters
    ----------
    params : Parameters
        Of the neuron and its synapses.
    r_E, r_I : Quantity, optional
        Rates of each of its K excitatory and γK inhibitory inputs, arrays broadcast; those of
        `params` if not given.
    population : {"E", "I"}
        Whose parameters to use.
    noise : str, optional
        How fluctuations are treated. ``"shot"``: jumps as they are; ``"colored"``: with synaptic
        time constants; ``"diffusion"``: white noise that depends on v; ``"effective"``: white noise
        frozen at one potential; ``"kramers"``: rare escapes (rate only; NaN, with a CbnetWarning,
        where no barrier holds v below the threshold). With synaptic time constants also ``"fast"``,
        ``"shift"`` (with a CV), ``"rescaled"``, ``"adiabatic"`` and ``"rice"`` (rates only), which
        warn outside of the range
        that their functions in :mod:`cbnet.theory.neuron.colored.colored_noise_limits` state. Left
        out, it is the right one for the synapses: ``"shot"`` if they are instantaneous,
        ``"colored"`` otherwise.
    rtol : float, optional
        Relative accuracy. If not given, that of the noise is aimed at (1e-4 for finite jumps, 1e-2
        with synaptic time constants, 1e-8 for white noise), and ten times (with time constants
        twice) as much is accepted: ``error`` tells.
    frozen_at : Quantity, optional
        Potential at which ``"effective"`` freezes B², halfway from μ to the threshold if not given.

    Returns
    -------
    Response

    Raises
    ------
    ParameterError
        For inputs that cannot be used.
    ModelError
        If the strings do not reduce to one dimension.
    ConvergenceError
        If the accuracy is not reached; ``best`` is the Response.

    Notes
    -----
    Assumes independent Poisson inputs; white noise also jumps so small that only their mean and
    variance matter (the diffusion approximation, A. Sanzeni, M. H. Histed and N. Brunel, Phys. Rev.
    X 12, 011044 (2022), Sec. II). With synaptic time constants ``"shot"``, ``"diffusion"``,
    ``"effective"`` and ``"kramers"`` are the limit in which they vanish, and the answer's ``noise``
    says so.

    Examples
    --------
    >>> import cbnet
    >>> params = cbnet.load("conductance")
    >>> response = cbnet.respond(params, r_E="30Hz", r_I="12Hz", noise="diffusion")
    >>> round(float(response.rate), 4)
    18.1513
    """
    if population not in POPULATIONS:
        raise ParameterError(f"population: got {population!r}; expected 'E' or 'I'")
    method = treatments.choose(noise, params)
    treatments.warn_without_filters(method, params)
    kind, (rtol, tolerated) = method.name, treatments.tolerances(method, rtol)
    if frozen_at is not None and kind != "effective":
        raise ParameterError(f"frozen_at: got {frozen_at} with noise={kind!r}; use 'effective'")
    left_out = unused.tell(params, "cbnet.respond", unused.of_neuron, population, "r_E", "r_I")
    where = np.nan if frozen_at is None else float(in_volts(frozen_at, "frozen_at"))
    neuron = Neuron(params, population, kind, where)
    inputs = [
        neuron.values[name] if value is None else rates_in_hertz(params, value, name)
        for name, value in (("r_E", r_E), ("r_I", r_I))
    ]
    try:
        inputs = np.broadcast_arrays(*inputs)
    except ValueError:
        shapes = " and ".join(str(np.shape(x)) for x in inputs)
        raise ParameterError(f"r_E: got shapes {shapes} of r_E and r_I; make them match") from None
    shape, flat = inputs[0].shape, [x.ravel().astype(float) for x in inputs]
    failure = None
    try:
        passage = neuron.passage(*flat, rtol, moments=True)
    except ConvergenceError as error:
        failure, passage = error, error.best
    mu, tau = neuron.rest(*flat)
    at = neuron.frozen(*flat)[0] if kind == "effective" else np.full(mu.shape, np.nan)

    def shaped(array):
        return np.reshape(array, shape) if shape else float(array[0])

    response = Response(
        parameters=params,
        rate=shaped(passage.rate),
        cv=shaped(passage.cv),
        V_mean=shaped(passage.v_mean),
        V_sd=shaped(passage.v_sd),
        tau_eff=shaped(tau),
        mu=shaped(mu),
        noise=treatments.describe(method, params, passage.note),
        error=shaped(passage.error),
        r_E=shaped(flat[0]),
        r_I=shaped(flat[1]),
        population=population,
        frozen_at=shaped(at),
        unused=left_out,
    )
    if failure is not None and not np.all(passage.error <= tolerated):
        raise ConvergenceError(str(failure), best=response) from failure
    return response
