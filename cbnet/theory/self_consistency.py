"""Rates of a network that reproduce themselves: every branch, and whether it is stable."""

import dataclasses

import numpy as np

from .. import results
from ..errors import ConvergenceError, ParameterError, warn
from ..model import unused
from ..model.parameters import POPULATIONS
from ..model.units import to_quantity
from ..support.threads import one_thread
from .network.line import SILENT, Line, unknown
from .network.modes import check_in_degrees, check_sizes, modes
from .network.of_network import is_network
from .network.roots import Root, all_roots
from .network.states import all_states
from .network.surrogate import Search
from .network_states import solve_network
from .neuron import treatments
from .neuron.white.first_passage import MERGING, Passage, inaccurate, known

TRAINS = ("poisson", "renewal")
_MODES = ("growth_rate", "frequency", "fano_E", "fano_I")
_CHEAP = "diffusion"  # with which a costly treatment is first guessed
_FROM_JUMPS = 0.2  # error of a leading mode from which on it is told
_MERGING = 0.1  # |1 - gain| of a branch that is about to meet another


@dataclasses.dataclass(frozen=True)
class FixedPoint:
    """One self-consistent state of a network; quantities, NaN where undefined."""

    rate_E: object
    rate_I: object
    cv_E: float
    cv_I: float
    stable: bool
    V_mean: object
    V_sd: object
    tau_eff: object
    growth_rate: object
    frequency: object
    fano_E: float
    fano_I: float


def _each(unit, key, meaning):
    return results.variable(unit, ("fixed_point",), key, meaning)


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Solution(results.Result):
    """Every self-consistent state of a network, in the order of its excitatory rate.

    Attributes
    ----------
    rate_E, rate_I : Quantity, shape (F,)
        Population rates.
    cv_E, cv_I : ndarray, shape (F,)
        CV of the intervals between spikes, NaN for a silent population.
    stable : ndarray of bool, shape (F,)
        Static stability: the total derivative of the response along the other population's
        nullcline is below one. With ``solve(..., oscillations=True)`` every mode decays as well.
    V_mean, V_sd, tau_eff : Quantity, shape (F,)
        Membrane potential (refractory time excluded) and effective time constant of E neurons.
    growth_rate, frequency : Quantity, shape (F,)
        Of the mode that decays slowest or grows fastest, as :func:`cbnet.stability`; NaN for a
        silent state, and unless asked for with ``oscillations=True``.
    fano_E, fano_I : ndarray, shape (F,)
        Fano factors of the population spike counts in 1 ms; NaN unless `N` was given and the state
        is stable.
    balance_line, balance_line_I : Quantity
        Rates of E and I at which, for K → ∞, excitation and inhibition cancel at the threshold;
        NaN where there are none.
    noise : str
        How fluctuations were treated.
    error : float
        Largest estimated relative error of a rate, as for :class:`Response`: infinite where a
        formula was used outside of its range, and where no state was found.
    """

    rate_E: object = _each("Hz", "rate_E_Hz", "rate of E neurons")
    rate_I: object = _each("Hz", "rate_I_Hz", "rate of I neurons")
    cv_E: object = _each("1", "cv_E", "CV of E neurons")
    cv_I: object = _each("1", "cv_I", "CV of I neurons")
    stable: object = _each(None, "stable", "stability")
    V_mean: object = _each("mV", "V_mean_mV", "mean membrane potential of E neurons")
    V_sd: object = _each("mV", "V_sd_mV", "its standard deviation")
    tau_eff: object = _each("ms", "tau_eff_ms", "effective time constant of E neurons")
    growth_rate: object = _each("1/s", "growth_rate_per_s", "of the leading mode")
    frequency: object = _each("Hz", "frequency_Hz", "of the leading mode")
    fano_E: object = _each("1", "fano_1ms", "Fano factor of the count in 1 ms, E")
    fano_I: object = _each("1", "fano_1ms_I", "Fano factor of the count in 1 ms, I")
    balance_line: object = results.variable("Hz", (), "balance_line_Hz", "rate of E at balance")
    balance_line_I: object = results.variable("Hz", (), None, "rate of I at balance")
    noise: str = results.variable(None, (), "noise", "how fluctuations were treated")
    error: float = results.variable("1", (), "error", "estimated relative error of the rates")

    def _of_fixed_points(self):
        return {n: m for n, m in self._variables().items() if m["dims"] == ("fixed_point",)}

    @property
    def fixed_points(self):
        """The states one by one: a list of :class:`FixedPoint`."""
        names = self._of_fixed_points()
        columns = zip(*(getattr(self, name) for name in names), strict=True)
        return [FixedPoint(**dict(zip(names, values, strict=True))) for values in columns]

    def to_dict(self):
        """The JSON object that the command line prints: one object for each state."""
        flat = super().to_dict()
        keys = [meta["key"] for meta in self._of_fixed_points().values()]
        columns = zip(*(flat.pop(key) for key in keys), strict=True)
        states = [dict(zip(keys, values, strict=True)) for values in columns]
        return {"fixed_points": states, **flat}

    def __repr__(self):
        lines = [f"<Solution: {self.parameters!r}>"]
        for state in self.to_dict()["fixed_points"]:
            cv = _shown(state["cv_E"], ".4f")
            lines.append(
                f"  E {_shown(state['rate_E_Hz'], '.6g')} Hz, "
                f"I {_shown(state['rate_I_Hz'], '.6g')} Hz, CV of E {cv}, "
                f"V {_shown(state['V_mean_mV'], '.4g')} ± {_shown(state['V_sd_mV'], '.3g')} mV, "
                f"{'stable' if state['stable'] else 'unstable'}"
            )
        line = self.in_units("balance_line")
        lines.append(
            f"  balance line   {'none' if np.isnan(line) else f'{float(line):.6g} Hz'}\n"
            f"  noise          {self.noise}\n"
            f"  error          {'not known' if np.isinf(self.error) else f'{self.error:.1e}'}"
        )
        return "\n".join([*lines, *self._not_used()])


def _shown(value, how):
    return "undefined" if value is None else format(value, how)


@one_thread
def solve(
    params,
    *,
    noise=None,
    rtol=None,
    trains="poisson",
    oscillations=False,
    N=None,
    fraction_excitatory=0.8,
):
    """Every self-consistent set of population rates.

    Parameters
    ----------
    params : Parameters or Network
        Of the network; the populations may differ in any parameter. A Network may have any number
        of populations.
    noise : str, optional
        How fluctuations are treated, as for :func:`cbnet.respond`: one that has a rate on both
        sides of the threshold (not ``"kramers"`` or ``"rice"``).
    rtol : float, optional
        Relative accuracy of the rates. If not given, that of the noise is aimed at, and what
        :func:`cbnet.respond` accepts is accepted.
    trains : {"poisson", "renewal"}
        What recurrent spike trains are like: Poisson, or renewal processes with the CV that the
        neurons are found to have (:mod:`cbnet.theory.neuron.renewal`), for populations that are
        alike and noise ``"shot"`` or ``"diffusion"``.
    oscillations : bool
        Also find the leading mode of every state: `stable` then means that none grows, and
        `growth_rate` and `frequency` are known. It takes 0.1 to 1 s for each state, where all of
        them are found in 0.02 s with white noise and 0.15 s with finite jumps: hence on request.
    N : int, optional
        With `oscillations`: neurons of the network whose Fano factors are wanted.
    fraction_excitatory : float
        Share of excitatory ones.

    Returns
    -------
    Solution, or for a Network a NetworkSolution
        (:class:`cbnet.theory.network_states.NetworkSolution`), with a population dimension.

    Raises
    ------
    ParameterError
        For an unknown or unusable `noise`, `rtol` or `N`.
    ConvergenceError
        If a rate is less accurate than asked for (close to where two branches meet); ``best`` is
        the Solution.

    Notes
    -----
    Assumes in-degrees equal within a population, asynchronous and Poissonian presynaptic spikes.
    A neuron of either population fires at ν = Φ(ν_X + ν_E, ν_I) under K(ν_X + ν_E) excitatory and
    γKν_I inhibitory arrivals a second, with Φ, K, γ, ν_X and all others of the population it
    belongs to (A. Sanzeni, M. H. Histed and N. Brunel, Phys. Rev. X 12, 011044 (2022), Sec. II).
    Rates from 1e-6 Hz to 1/τ_rp are scanned; where Φ is below 1e-6 Hz without feedback, the silent
    state is one of the answers. With finite jumps or filtered synapses the scan is that of white
    noise, corrected by what costly rates differ from it at some ten points, until every change of
    sign of Φ − ν is certain; with different populations it runs along the nullcline of I, whose
    rate must fall with its own.

    For more than two populations nobody can promise every state. What is promised is each that a
    path in a coupling factor from 0 to 1, deflation, many starts and the curves on which all rates
    but one reproduce themselves lead to, verified; over all states the signs of det(1 − ∂Φ/∂ν) add
    up to one, and a CbnetWarning tells of a set that violates it (`complete` is False). One that
    fulfils it may lack an even number of states.

    Examples
    --------
    >>> import cbnet
    >>> solution = cbnet.solve(cbnet.load("conductance"), noise="diffusion")
    >>> [round(float(rate), 3) for rate in solution.rate_E]
    [44.031]
    """
    if is_network(params):
        if N is not None or trains != "poisson":
            what = f"N: got {N}" if N is not None else f"trains: got {trains!r}"
            raise ParameterError(
                f"{what} for a Network; expected neither: it has its sizes, and its trains are "
                "Poisson; call cbnet.stability for its fluctuations"
            )
        return solve_network(params, noise=noise, rtol=rtol, oscillations=oscillations)
    method = treatments.choose(noise, params)
    rtol, tolerated = treatments.tolerances(method, rtol)
    if not method.network:
        raise ParameterError(
            f"noise: got {method.name!r}, which has no rate above threshold; expected "
            f"{', '.join(m.name for m in treatments.METHODS.values() if m.network)} for a network"
        )
    treatments.warn_without_filters(method, params)
    if N is not None:
        check_sizes(N, fraction_excitatory)
        check_in_degrees(params, N, fraction_excitatory)
        if not oscillations:
            raise ParameterError(
                f"N: got {N} without oscillations=True, which its fluctuations follow from"
            )
    if trains not in TRAINS:
        raise ParameterError(f"trains: got {trains!r}; expected one of {', '.join(TRAINS)}")
    # with oscillations delays decide on `stable`
    more = ("D_min", "D_max") if oscillations else ()
    left_out = unused.tell(params, "cbnet.solve", unused.of_network, *more)
    line = Line(params, method.name, trains)
    if method.costly:
        found = _few(line, Line(params, _CHEAP), rtol, method.scan_rtol)
    else:
        found = _one(line.E, rtol) if line.alike else _two(line.E, line.I, rtol)
    found.sort(key=lambda root: root.rates)
    note = "renewal trains" if trains == "renewal" else ""
    solution = _finish(params, method, (rtol, tolerated), line, found, note, left_out)
    return _with_modes(solution, N, fraction_excitatory, method) if oscillations else solution


def _with_modes(solution, N, fraction_excitatory, method):
    """The same states with their leading modes, of the response to white noise."""
    columns = {name: np.full(len(solution.stable), np.nan) for name in _MODES}
    stable = np.array(solution.stable, bool)
    for k, rates in enumerate(zip(solution.in_si("rate_E"), solution.in_si("rate_I"), strict=True)):
        try:
            found = modes(
                solution.parameters,
                rates,
                np.inf if N is None else N,
                fraction_excitatory,
                white=method.name == "diffusion",
            )
        except ConvergenceError as failure:
            warn(f"state {k + 1}: {failure}")
            continue
        if found.error > _FROM_JUMPS:
            size = "not known" if np.isinf(found.error) else f"about {found.error:.0%}"
            warn(
                f"state {k + 1}: got its modes from the response to white noise, whose distance to "
                f"that of finite jumps is {size}; see growth rates and Fano factors as rough"
            )
        stable[k] &= found.stable
        columns["growth_rate"][k], columns["frequency"][k] = found.growth_rate, found.frequency
        if N is not None and stable[k]:
            columns["fano_E"][k], columns["fano_I"][k] = found.fano
    return dataclasses.replace(solution, stable=stable, **columns)


def _few(line, cheap, rtol, scan_rtol):
    """Fixed points with a method that takes milliseconds for a rate."""
    search = Search(cheap, line, SILENT, line.E.highest, rtol, scan_rtol)
    found = search.roots()
    if line.alike:
        found = [Root((r.rates[0], r.rates[0]), r.gain, r.residual) for r in found]
    if search.values(np.log(SILENT)) < 0:
        zero = np.zeros(1)
        z = (
            zero
            if line.alike
            else np.exp(line.nullcline(zero, rtol, [search.second(np.log(SILENT))])[0])
        )
        if np.isnan(z).any():
            raise unknown(line.I.neuron.noise, 0.0)
        quiet = float(line.E(zero, z, rtol)[0])
        found.append(Root((quiet, quiet if line.alike else float(z[0])), 0.0, 0.0))
    return found


def _one(phi, rtol):
    """Fixed points of two populations with the same parameters."""
    roots = all_roots(lambda nu, tol: phi(nu, nu, tol), SILENT, phi.highest, rtol)
    found = [Root((r.rates[0], r.rates[0]), r.gain, r.residual) for r in roots]
    zero = np.zeros(1)
    quiet = float(phi(zero, zero, rtol)[0])
    if float(phi(np.array([SILENT]), np.array([SILENT]), rtol)[0]) < SILENT:
        found.append(Root((quiet, quiet), 0.0, 0.0))
    return found


def _two(E, I, rtol):  # noqa: E741  (the populations' names)
    """Fixed points of two populations with different parameters."""

    def phi(nu, tol):
        found = [population.estimate(*nu.T, tol) for population in (E, I)]
        rate, error = (np.stack(each, 1) for each in zip(*found, strict=True))
        if np.isnan(rate).any():
            raise unknown(E.neuron.noise, nu[np.isnan(rate).any(1)][0, 0])
        return rate, error

    found = all_states(phi, (E.highest, I.highest), rtol)
    # along the nullcline of I: 1 - gain = det(1 - G)/(1 - G_II)
    along = found.determinant / np.abs(1 - found.gains[:, 1, 1])
    return [
        Root(tuple(rates), float(1 - x), float(residual))
        for rates, x, residual in zip(found.rates.tolist(), along, found.residual, strict=True)
    ]


def _balance(neurons):
    """Rates at which mean excitation and inhibition cancel at the threshold, for K → ∞."""
    matrix, external = [], []
    for neuron in neurons.values():
        theta = np.array([neuron.threshold])
        E, I = (  # noqa: E741
            float(neuron.reduced.function(f"jump_{p}", neuron.values)(theta)[0])
            for p in POPULATIONS
        )
        matrix.append([E, neuron.values["gamma"] * I])
        external.append(-neuron.values["nu_X"] * E)
    if matrix[0] == matrix[1] and external[0] == external[1]:
        total = sum(matrix[0])
        rate = external[0] / total if total != 0 else np.nan
        lines = np.array([rate, rate])
    elif np.linalg.matrix_rank(matrix) < 2:
        lines = np.full(2, np.nan)
    else:
        lines = np.linalg.solve(matrix, external)
    return lines if np.all(np.isfinite(lines) & (lines > 0)) else np.full(2, np.nan)


def _at(neuron, inputs, rtols, moments):
    """Passages at several inputs, each as accurate as asked for: the best there are."""
    found, notes = [], []
    for rtol in np.unique(rtols):
        some = np.flatnonzero(rtols == rtol)
        try:
            passage = neuron.passage(*(x[some] for x in inputs), rtol, moments=moments)
        except ConvergenceError as failure:
            passage = failure.best
        found.append((some, passage))
        notes.append(passage.note)
    columns = {}
    for name in ("rate", "cv", "error", "v_mean", "v_sd"):
        columns[name] = np.empty(rtols.size)
        for some, passage in found:
            columns[name][some] = getattr(passage, name)
    return Passage(**columns, note="; ".join(dict.fromkeys(filter(None, notes))))


def _finish(params, method, tolerances, line, found, note, left_out):
    rtol, tolerated = tolerances
    rates = np.array([root.rates for root in found]).reshape(-1, 2)
    gains = np.array([root.gain for root in found])
    residual = np.array([root.residual for root in found])
    error, cv, voltage = np.zeros(len(found)), {}, {}
    # what the feedback amplifies must be known better
    asked = np.nan_to_num(np.abs(1 - gains), nan=1.0)  # of a rate that is not known there is none
    asked = rtol * np.clip(asked, 0.03 if method.costly else 1e-3, 1.0)
    for column, p in enumerate(POPULATIONS):
        if p == "I" and line.alike:
            cv["I"] = cv["E"]
            continue
        neuron = line.neurons[p]
        inputs = neuron.values["nu_X"] + rates[:, 0], rates[:, 1]
        passage = _at(neuron, inputs, np.maximum(asked, min(rtol, 1e-12)), moments=p == "E")
        if passage.note not in note:
            note = "; ".join(filter(None, (note, passage.note)))
        silent = rates[:, column] < SILENT
        cv[p] = np.where(silent, np.nan, passage.cv)
        # an error of Φ is an error of its fixed point, amplified by the feedback
        of_root = passage.error / np.maximum(np.abs(1 - gains), 1e-12)
        error = np.fmax(error, np.where(silent, passage.error, of_root))
        if p == "E":
            voltage = {
                "V_mean": passage.v_mean,
                "V_sd": passage.v_sd,
                "tau": neuron.rest(*inputs)[1],
            }
    error = np.fmax(error, residual)
    if not found:
        note = "no self-consistent state: rates run away"
        warn(
            "nu_X: got an input at which neurons fire faster than the network would need, whatever "
            "its rate, so that there is no self-consistent state; raise g, gamma or tau_rp",
        )
    # nobody can ask a formula for accuracy, but for that of its own fixed point
    error, residual = known(error), known(residual)
    missed = float((residual if method.formula else error).max(initial=0.0))
    unknown = np.full(len(found), np.nan)
    lines = _balance(line.neurons)
    solution = Solution(
        parameters=params,
        rate_E=to_quantity(rates[:, 0], "Hz"),
        rate_I=to_quantity(rates[:, 1], "Hz"),
        cv_E=cv["E"],
        cv_I=cv["I"],
        stable=gains < 1,
        V_mean=to_quantity(voltage["V_mean"], "mV"),
        V_sd=to_quantity(voltage["V_sd"], "mV"),
        tau_eff=to_quantity(voltage["tau"], "ms"),
        growth_rate=to_quantity(unknown, "1/s"),
        frequency=to_quantity(unknown, "Hz"),
        fano_E=unknown,
        fano_I=unknown,
        balance_line=to_quantity(float(lines[0]), "Hz"),
        balance_line_I=to_quantity(float(lines[1]), "Hz"),
        noise=treatments.describe(method, params, note),
        error=float(error.max()) if found else np.inf,
        unused=left_out,
    )
    if missed > tolerated:
        worst = int(np.argmax(error))
        why = MERGING if abs(1 - gains[worst]) < _MERGING else note
        why = f"that of {rates[worst, 0]:.3g} Hz" + (f"; {why}" if why else "")
        raise ConvergenceError(inaccurate(rtol, missed, why), best=solution)
    return solution
