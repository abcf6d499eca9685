"""States of a network of any populations: rates that reproduce themselves."""

import dataclasses

import numpy as np

from .. import results
from ..errors import ConvergenceError, ParameterError, warn
from ..model.units import to_quantity
from .network.corrected import corrected_states
from .network.line import SILENT
from .network.modes_of_network import with_modes
from .network.of_network import highest_of, method_of, neurons_of, transfer_of
from .network.rate_equation import RateEquation
from .network.states import all_states
from .neuron import treatments
from .neuron.white.first_passage import inaccurate, known

_CHEAP = "diffusion"  # with which a costly treatment is first guessed
_EACH = {
    "rate": ("Hz", "rate_Hz"),
    "cv": ("1", "cv"),
    "V_mean": ("mV", "V_mean_mV"),
    "V_sd": ("mV", "V_sd_mV"),
    "tau_eff": ("ms", "tau_eff_ms"),
}
_OF_STATE = {
    "stable": (None, "stable"),
    "growth_rate": ("1/s", "growth_rate_per_s"),
    "frequency": ("Hz", "frequency_Hz"),
}


@dataclasses.dataclass(frozen=True)
class PopulationState:
    """What one population does in a state: quantities, NaN where undefined."""

    rate: object
    cv: float
    V_mean: object
    V_sd: object
    tau_eff: object


@dataclasses.dataclass(frozen=True)
class NetworkState:
    """One self-consistent state; ``state["PV"]`` is what a population does.

    Attributes
    ----------
    names : tuple of str
        Of the populations.
    rate, cv, V_mean, V_sd, tau_eff : shape (P,)
        Quantities and an array, in that order of the populations.
    stable, growth_rate, frequency
        As of :class:`NetworkSolution`.
    """

    names: tuple
    rate: object
    cv: object
    V_mean: object
    V_sd: object
    tau_eff: object
    stable: bool
    growth_rate: object
    frequency: object

    def __getitem__(self, name):
        if name not in self.names:
            raise ParameterError(f"{name!r}: got no such population; expected one of {self.names}")
        k = self.names.index(name)
        return PopulationState(**{field: getattr(self, field)[k] for field in _EACH})


def _of_each(field, meaning):
    unit, key = _EACH[field]
    return results.variable(unit, ("fixed_point", "population"), key, meaning)


def _of_state(field, meaning):
    unit, key = _OF_STATE[field]
    return results.variable(unit, ("fixed_point",), key, meaning)


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NetworkSolution(results.Result):
    """Self-consistent states of a network of P populations, in the order of their summed rates.

    Attributes
    ----------
    populations : tuple of str
        Names, in the order of the last dimension.
    rate : Quantity, shape (F, P)
        Population rates.
    cv : ndarray, shape (F, P)
        CV of the intervals between spikes, NaN for a silent population.
    V_mean, V_sd, tau_eff : Quantity, shape (F, P)
        Membrane potential (refractory time excluded) and effective time constant.
    stable : ndarray of bool, shape (F,)
        Static stability: det(1 − ∂Φ/∂ν) > 0, which excludes an odd number of real modes that grow;
        with ``solve(..., oscillations=True)`` every mode decays.
    growth_rate, frequency : Quantity, shape (F,)
        Of the mode that decays slowest or grows fastest; NaN for a silent state, and unless asked
        for with ``oscillations=True``.
    determinant : ndarray, shape (F,)
        det(1 − ∂Φ/∂ν).
    complete : bool
        Whether the signs of the determinants add up to one, as over all states they do.
    noise : str
        How fluctuations were treated.
    error : float
        Largest estimated relative error of a rate; infinite where a formula was used outside of
        its range, and where no state was found.
    """

    populations: tuple = results.variable(None, ("population",), "populations", "names")
    rate: object = _of_each("rate", "rates of the populations")
    cv: object = _of_each("cv", "CV of the intervals")
    V_mean: object = _of_each("V_mean", "mean membrane potential")
    V_sd: object = _of_each("V_sd", "its standard deviation")
    tau_eff: object = _of_each("tau_eff", "effective time constant")
    stable: object = _of_state("stable", "stability")
    growth_rate: object = _of_state("growth_rate", "of the leading mode")
    frequency: object = _of_state("frequency", "of the leading mode")
    determinant: object = results.variable("1", ("fixed_point",), None, "det(1 - dPhi/dnu)")
    complete: bool = results.variable(None, (), "complete", "whether signs add up to one")
    noise: str = results.variable(None, (), "noise", "how fluctuations were treated")
    error: float = results.variable("1", (), "error", "estimated relative error of the rates")

    @property
    def fixed_points(self):
        """The states one by one: a list of :class:`NetworkState`."""
        names = tuple(self.populations)
        fields = [*_EACH, *_OF_STATE]
        columns = zip(*(getattr(self, field) for field in fields), strict=True)
        return [NetworkState(names, **dict(zip(fields, row, strict=True))) for row in columns]

    def to_dict(self):
        """The JSON object that the command line prints: one object for each state."""
        names = [str(name) for name in self.populations]
        states = []
        for k in range(len(self.stable)):
            state = {}
            for field, (_, key) in _EACH.items():
                row = results.plain(np.asarray(self.in_units(field)[k]))
                state[key] = dict(zip(names, row, strict=True))
            for field, (_, key) in _OF_STATE.items():
                state[key] = results.plain(self.in_units(field)[k])
            states.append(state)
        found = {
            "populations": names,
            "fixed_points": states,
            "complete": bool(self.complete),
            "noise": self.noise,
            "error": results.plain(float(self.error)),
        }
        return found | ({"unused": list(self.unused)} if self.unused else {})

    def __repr__(self):
        lines = [f"<NetworkSolution: {self.parameters!r}>"]
        for state, plain_state in zip(
            self.fixed_points, self.to_dict()["fixed_points"], strict=True
        ):
            rates = ", ".join(f"{p} {x:.6g}" for p, x in plain_state["rate_Hz"].items())
            lines.append(f"  {rates} Hz, {'stable' if state.stable else 'unstable'}")
        lines += [
            f"  noise          {self.noise}",
            f"  error          {'not known' if np.isinf(self.error) else f'{self.error:.1e}'}",
        ]
        return "\n".join([*lines, *self._not_used()])


def solve_network(net, *, noise=None, rtol=None, oscillations=False, seed=0):
    """States of a network of any populations, as :func:`cbnet.solve` gives them.

    Parameters
    ----------
    net : Network
    noise, rtol, oscillations
        As of :func:`cbnet.solve`.
    seed : int
        Of the starts of the search.

    Returns
    -------
    NetworkSolution

    Raises
    ------
    ConvergenceError
        If a rate is less accurate than asked for; ``best`` is the NetworkSolution.
    """
    neurons = neurons_of(net, noise)
    method = method_of(neurons)
    treatments.warn_of_limit(method, any(n.filtered for n in neurons))
    rtol, tolerated = treatments.tolerances(method, rtol)
    if not method.network:
        raise ParameterError(
            f"noise: got {method.name!r}, which has no rate above threshold; expected "
            f"{', '.join(m.name for m in treatments.METHODS.values() if m.network)} for a network"
        )
    phi, highest = transfer_of(net, neurons), highest_of(neurons)
    if method.costly:
        cheap = transfer_of(net, neurons_of(net, _CHEAP))
        equations = [RateEquation(each, highest, each.sensitivity) for each in (cheap, phi)]
        found = corrected_states(*equations, rtol, differences=rtol, seed=seed)
    else:
        found = all_states(phi, highest, rtol, sensitivity=phi.sensitivity, seed=seed)
    solution = _answer(net, neurons, phi, found, rtol)
    if not found.complete:
        warn(
            f"solve: got {len(found.rates)} states, whose signs of det(1 - G) do not add up to "
            "one: some state was not found; take another seed",
        )
    missed = float((found.residual if method.formula else found.error).max(initial=0.0))
    if missed > tolerated:
        raise ConvergenceError(inaccurate(rtol, missed, ""), best=solution)
    if oscillations:
        solution = with_modes(solution)
    return solution


def _described(names, neurons, note):
    """What the answer says of its noise; of populations that are treated otherwise, by name."""
    method = method_of(neurons)
    other = [
        f"{neuron.method.name} for {name}"
        for name, neuron in zip(names, neurons, strict=True)
        if neuron.method is not method
    ]
    note = "; ".join(filter(None, (", ".join(other), note)))
    return treatments.described(method, any(n.filtered for n in neurons), note)


def _answer(net, neurons, phi, found, rtol):
    F, P = found.rates.shape
    columns = {name: np.full((F, P), np.nan) for name in ("cv", "v_mean", "v_sd", "tau")}
    error, notes = found.error.copy(), []
    for p, first in enumerate(phi.representative):
        if not F:
            break
        if p != first:
            for each in columns.values():
                each[:, p] = each[:, first]
            continue
        neuron, R = neurons[p], phi.arrivals(p, found.rates)
        try:
            passage = neuron.passage(R, rtol, cv=True, moments=True)
        except ConvergenceError as failure:
            passage = failure.best
        silent = found.rates[:, p] < SILENT
        columns["cv"][:, p] = np.where(silent, np.nan, passage.cv)
        columns["v_mean"][:, p], columns["v_sd"][:, p] = passage.v_mean, passage.v_sd
        columns["tau"][:, p] = neuron.rest(R)[1]
        error = np.fmax(error, passage.error)
        notes.append(passage.note)
    error = known(error)
    unknown = np.full(F, np.nan)
    note = "; ".join(dict.fromkeys(filter(None, notes)))
    return NetworkSolution(
        parameters=net,
        populations=tuple(net.names),
        rate=to_quantity(found.rates, "Hz"),
        cv=columns["cv"],
        V_mean=to_quantity(columns["v_mean"], "V"),
        V_sd=to_quantity(columns["v_sd"], "V"),
        tau_eff=to_quantity(columns["tau"], "s"),
        stable=found.determinant > 0,
        growth_rate=to_quantity(unknown, "1/s"),
        frequency=to_quantity(unknown, "Hz"),
        determinant=found.determinant,
        complete=found.complete,
        noise=_described(net.names, neurons, note),
        error=float(error.max()) if F else np.inf,
    )
