"""One neuron under Poisson input: rate, CV, voltage statistics."""

import dataclasses

import numpy as np

from .. import reduced, results
from ..errors import ConvergenceError, ParameterError
from ..parameters import POPULATIONS, nearest, to_quantity, unit
from . import first_passage, siegert

NOISES = ("diffusion", "effective", "kramers")
_PLANNED = ("shot", "colored", "fast", "adiabatic", "rescaled", "rice")
RTOL = 1e-8


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
        Estimated relative error of rate, CV and V_sd.
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
        if np.ndim(self.rate):
            raise ParameterError(
                f"density: got responses to {np.size(self.rate)} inputs; expected one; call "
                "respond() with scalar r_E and r_I"
            )
        kind = self.noise.split()[0]
        if kind == "kramers":
            raise ParameterError("density: got noise='kramers', which has none; use 'diffusion'")
        neuron = Neuron(self.parameters, self.population, kind, float(self.frozen_at))
        volts = _volts(v, "v")
        A, B2 = neuron.select(np.array([float(self.r_E)]), np.array([float(self.r_I)]))(slice(None))
        p = first_passage.density(A, B2, neuron.threshold, neuron.reset, volts)
        return p / to_quantity(1.0, "V")


class Neuron:
    """A neuron of one population as the numerical theory sees it: SI floats, arrays of inputs.

    Parameters
    ----------
    params : Parameters
        Values and strings.
    population : {"E", "I"}
        Whose values.
    noise : {"diffusion", "effective", "kramers"}
        How fluctuations are treated.
    frozen_at : float
        For ``"effective"``: the potential (V) at which B² is taken; NaN for halfway from μ to θ.
    columns : dict of str to ndarray, optional
        Parameters that differ from input to input, in place of those of `params`.
    """

    def __init__(self, params, population="E", noise="diffusion", frozen_at=np.nan, columns=None):
        self.values = params.resolve(population)
        self.columns = {}
        if columns:
            rows = [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ]
            rows = [{**row, **params.model.derive({**self.values, **row})} for row in rows]
            self.columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        self.reduced = reduced.of_model(params.model, self.values)
        self.noise, self.frozen_at = noise, frozen_at
        self.tau_rp = self.values["tau_rp"]
        values = {**self.values, "R_E": 0.0, "R_I": 0.0}
        self.threshold, self.reset = (
            float(self.reduced.constant(name, _numbers(values))) for name in ("threshold", "reset")
        )

    def bound(self, r_E, r_I, rows=slice(None)):
        """Values with the total arrival rates of some rows of the inputs, as columns."""
        values = self.values | {name: x[rows, None] for name, x in self.columns.items()}
        return {
            **values,
            "R_E": values["K"] * r_E[rows, None],
            "R_I": values["gamma"] * values["K"] * r_I[rows, None],
        }

    def select(self, r_E, r_I):
        """``rows -> (drift, noise)`` for :func:`first_passage.solve`."""
        frozen = self.frozen(r_E, r_I) if self.noise == "effective" else None

        def of_rows(rows):
            values = self.bound(r_E, r_I, rows)
            drift = self.reduced.function("A", values)
            if frozen is None:
                return drift, self.reduced.function("B2", values)
            constant = frozen[1][rows][:, None]
            return drift, lambda v: constant + np.zeros(v.shape)

        return of_rows

    def frozen(self, r_E, r_I):
        """Where the noise is frozen, and B² there."""
        at = np.full(r_E.shape, self.frozen_at)
        if np.isnan(self.frozen_at):
            mu = self.rest(r_E, r_I)[0]
            at = (np.where(np.isnan(mu), self.threshold, mu) + self.threshold) / 2
        return at, self.reduced.function("B2", self.bound(r_E, r_I))(at[:, None])[:, 0]

    def rest(self, r_E, r_I):
        """Root μ of the drift and −1/A'(μ), NaN where there is none."""
        values = self.bound(r_E, r_I)
        A, dA = (self.reduced.function(name, values) for name in ("A", "dA"))
        start = np.full((len(r_E), 1), self.reset)
        if self.reduced.affine:
            slope = dA(start)
            mu = np.where(slope < 0, start - A(start) / np.where(slope < 0, slope, -1.0), np.nan)
        else:
            mu = self._stable_root(A, start)
            slope = dA(np.where(np.isnan(mu), start, mu))
        tau = np.where((slope < 0) & ~np.isnan(mu), -1 / np.where(slope < 0, slope, -1.0), np.nan)
        return mu[:, 0], tau[:, 0]

    def _stable_root(self, A, start):
        """The root nearest the reset below the threshold with drift towards it on both sides."""
        width = self.threshold - self.reset
        v = np.broadcast_to(
            np.linspace(self.reset - 10 * width, self.threshold, 1101), (len(start), 1101)
        )
        up = A(v) > 0
        stable = up[:, :-1] & ~up[:, 1:]
        distance = np.where(stable, np.abs(v[:, :-1] - self.reset), np.inf)
        k, row = distance.argmin(1), np.arange(len(start))
        low, high = v[row, k][:, None], v[row, k + 1][:, None]
        for _ in range(60):
            middle = (low + high) / 2
            rising = A(middle) > 0
            low, high = np.where(rising, middle, low), np.where(rising, high, middle)
        return np.where(stable.any(1)[:, None], low, np.nan)

    def passage(self, r_E, r_I, rtol=RTOL, cv=True, moments=False):
        """First-passage statistics for arrays of inputs in Hz: a Passage.

        Raises
        ------
        ConvergenceError
            With the best Passage.
        """
        r_E, r_I = (np.ravel(x) for x in np.broadcast_arrays(r_E, r_I))
        if self.noise == "kramers":
            return self._kramers(r_E, r_I)
        select = self.select(r_E, r_I)
        everything = np.full(r_E.size, self.threshold)
        closed = self.noise == "effective" and self.reduced.affine
        if closed and not (cv or moments):
            mu, tau = self.rest(r_E, r_I)
            rate = siegert.rate(
                mu, tau, self.frozen(r_E, r_I)[1], self.threshold, self.reset, self.tau_rp
            )
            nothing = np.full(rate.shape, np.nan)
            return first_passage.Passage(
                rate, nothing, np.full(rate.shape, 1e-13), nothing, nothing
            )
        return first_passage.solve(
            None, None, everything, self.reset, self.tau_rp, rtol, moments, cv=cv, select=select
        )

    def _kramers(self, r_E, r_I):
        values = self.bound(r_E, r_I)
        mu, _ = self.rest(r_E, r_I)
        rate = siegert.kramers(
            *(self.reduced.function(name, values) for name in ("A", "B2", "dA")),
            mu,
            np.full(mu.shape, self.threshold),
        )
        # the part of a period that is refractory; no statement about its own accuracy
        rate = rate / (1 + rate * self.tau_rp)
        nothing = np.full(rate.shape, np.nan)
        return first_passage.Passage(rate, nothing, nothing, nothing, nothing)


def _numbers(values):
    return {name: value for name, value in values.items() if not isinstance(value, str)}


def _volts(v, label):
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


def check_noise(noise):
    """The name of a treatment of noise, checked; the default for None."""
    if noise is None:
        return NOISES[0]
    if noise in NOISES:
        return noise
    if noise in _PLANNED:
        raise ParameterError(
            f"noise: got {noise!r}, which is not available yet; expected one of {', '.join(NOISES)}"
        )
    raise ParameterError(
        f"noise: got {noise!r}; expected one of {', '.join(NOISES)} ({nearest(str(noise), NOISES)})"
    )


def check_rtol(rtol):
    """The accuracy asked for, checked; the default for None."""
    if rtol is None:
        return RTOL
    if not (isinstance(rtol, (int, float)) and 1e-12 <= rtol < 1):
        raise ParameterError(f"rtol: got {rtol}; expected a number from 1e-12 to 1")
    return float(rtol)


def describe_noise(noise, params):
    """What the answer says of its noise."""
    filtered = any(params.resolve(p)["tau_E"] > 0 for p in POPULATIONS)
    return noise + (" (limit tau_S -> 0)" if filtered else "")


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
    noise : {"diffusion", "effective", "kramers"}, optional
        How fluctuations are treated: white noise that depends on v (the default), white noise
        frozen at one potential, or rare escapes (rate only; NaN unless μ is below the threshold).
    rtol : float, optional
        Relative accuracy, 1e-8 if not given.
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
    Assumes independent Poisson inputs and jumps so small that only their mean and variance matter
    (the diffusion approximation, A. Sanzeni, M. H. Histed and N. Brunel, Phys. Rev. X 12, 011044
    (2022), Sec. II). With synaptic time constants the answer is the limit in which they vanish,
    and ``noise`` says so.

    Examples
    --------
    >>> import cbnet
    >>> response = cbnet.respond(cbnet.load("conductance"), r_E="30Hz", r_I="12Hz")
    >>> round(float(response.rate), 4)
    18.1513
    """
    if population not in POPULATIONS:
        raise ParameterError(f"population: got {population!r}; expected 'E' or 'I'")
    kind, rtol = check_noise(noise), check_rtol(rtol)
    if frozen_at is not None and kind != "effective":
        raise ParameterError(f"frozen_at: got {frozen_at} with noise={kind!r}; use 'effective'")
    where = np.nan if frozen_at is None else float(_volts(frozen_at, "frozen_at"))
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

    def quantity(array, shown):
        array = np.reshape(array, shape)
        return to_quantity(array if shape else float(array), shown)

    response = Response(
        parameters=params,
        rate=quantity(passage.rate, "Hz"),
        cv=quantity(passage.cv, "1"),
        V_mean=quantity(passage.v_mean, "mV"),
        V_sd=quantity(passage.v_sd, "mV"),
        tau_eff=quantity(tau, "ms"),
        mu=quantity(mu, "mV"),
        noise=describe_noise(kind, params),
        error=quantity(passage.error, "1"),
        r_E=quantity(flat[0], "Hz"),
        r_I=quantity(flat[1], "Hz"),
        population=population,
        frozen_at=quantity(at, "mV"),
    )
    if failure is not None:
        raise ConvergenceError(str(failure), best=response) from failure
    return response
