"""States of a network along a parameter: every branch, and the folds at which two of them meet."""

import dataclasses

import numpy as np

from .. import results
from ..errors import ConvergenceError, ParameterError
from ..model import unused
from ..model.entry import nearest
from ..model.parameters import POPULATIONS, Parameters
from ..model.units import to_quantity, unit
from ..support.threads import one_thread
from .network.folds import FoldFinder
from .network.line import SILENT, Line
from .neuron import treatments
from .self_consistency import solve

_POINTS = 25
_FAR = 1.0  # of ln ν, between neighbouring values: look between
_DEPTH = 8  # halvings of a step
_DEEPEST = 20  # of one in which states appear or vanish


def _along(unit_name, key, meaning):
    return results.variable(unit_name, ("branch", "value"), key, meaning)


def _at_folds(unit_name, key, meaning):
    return results.variable(unit_name, ("fold",), key, meaning)


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Continuation(results.Result):
    """Every state of a network along a parameter.

    A branch is a state followed from one value of the parameter to the next, and ends where it
    meets another, in a fold, or at the end of the range.

    Attributes
    ----------
    name, value_unit : str
        The parameter, and the unit of its values.
    value : ndarray, shape (V,)
        Values in that unit: those asked for, and others between where a branch is steep.
    rate_E, rate_I : Quantity, shape (B, V)
        Rates on each branch; NaN where it does not exist.
    cv_E, cv_I : ndarray, shape (B, V)
        CV of the intervals; NaN too for silent populations.
    stable : ndarray of bool, shape (B,)
        Static stability, which is the same all along a branch.
    fold_value : ndarray, shape (F,)
        Where two branches meet, in the unit of the values.
    fold_rate_E, fold_rate_I : Quantity, shape (F,)
        Rates there.
    fold_branch : ndarray of int, shape (F, 2)
        Which two branches meet.
    fold_error, fold_rate_error : ndarray, shape (F,)
        Estimated relative errors of value and rates.
    noise : str
        How fluctuations were treated.
    error : float
        Largest estimated relative error of a rate on a branch.
    """

    name: str = results.variable(None, (), "parameter", "what is varied")
    value_unit: str = results.variable(None, (), "unit", "of its values")
    value: object = results.variable("1", ("value",), "value", "of the parameter")
    rate_E: object = _along("Hz", "rate_E_Hz", "rate of E neurons")
    rate_I: object = _along("Hz", "rate_I_Hz", "rate of I neurons")
    cv_E: object = _along("1", "cv_E", "CV of E neurons")
    cv_I: object = _along("1", "cv_I", "CV of I neurons")
    stable: object = results.variable(None, ("branch",), "stable", "static stability")
    fold_value: object = _at_folds("1", "fold_value", "where two branches meet")
    fold_rate_E: object = _at_folds("Hz", "fold_rate_E_Hz", "rate of E there")
    fold_rate_I: object = _at_folds("Hz", "fold_rate_I_Hz", "rate of I there")
    fold_branch: object = results.variable(
        None, ("fold", "side"), "fold_branch", "which two branches meet"
    )
    fold_error: object = _at_folds("1", "fold_error", "relative error of the value")
    fold_rate_error: object = _at_folds("1", "fold_rate_error", "relative error of the rates")
    noise: str = results.variable(None, (), "noise", "how fluctuations were treated")
    error: float = results.variable("1", (), "error", "estimated relative error of the rates")

    @property
    def bistable(self):
        """Ranges of the parameter in which more than one state is stable: a list of pairs.

        In the unit of the values. An end that is no fold is an end of what was followed.
        """
        marks = np.unique(np.concatenate([self.value, self.fold_value]))
        middle = (marks[:-1] + marks[1:]) / 2
        several = np.array([np.sum(self._spans(p) & self.stable) > 1 for p in middle], bool)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], several, [False]]).astype(int)))
        return [
            (float(marks[a]), float(marks[b])) for a, b in zip(edges[::2], edges[1::2], strict=True)
        ]

    def _spans(self, p):
        """Which branches exist at a value."""
        found = []
        for b in range(len(self.stable)):
            at = self.value[~np.isnan(self.in_si("rate_E")[b])]
            met = self.fold_value[(np.reshape(self.fold_branch, (-1, 2)) == b).any(1)]
            reach = np.concatenate([at, met])
            found.append(reach.min() <= p <= reach.max())
        return np.array(found, bool)

    def __repr__(self):
        lines = [f"<Continuation: {self.parameters!r}>"]
        suffix = "" if self.value_unit == "1" else f" {self.value_unit}"
        rates = self.in_units("rate_E")
        for b, stable in enumerate(self.stable):
            here = ~np.isnan(rates[b])
            if not here.any():
                continue
            at, rate = self.value[here], rates[b][here]
            lines.append(
                f"  branch {b}: {self.name} {at[0]:.6g} to {at[-1]:.6g}{suffix}, "
                f"E {rate[0]:.4g} to {rate[-1]:.4g} Hz, {'stable' if stable else 'unstable'}"
            )
        for k, p in enumerate(self.fold_value):
            a, b = np.reshape(self.fold_branch, (-1, 2))[k]
            lines.append(
                f"  fold at {p:.8g}{suffix}: branches {a} and {b} meet at E "
                f"{self.in_units('fold_rate_E')[k]:.6g} Hz"
            )
        lines.append(f"  noise   {self.noise}\n  error   {self.error:.1e}")
        return "\n".join([*lines, *self._not_used()])


@one_thread
def continuation(params, name, values, *, noise=None, rtol=None, points=_POINTS):
    """Every state of a network along a parameter, and the folds where two of them meet.

    Parameters
    ----------
    params : Parameters
        Of the network; the populations may differ in any parameter.
    name : str
        A parameter that is a number, such as ``"nu_X"``, ``"K"``, ``"I.tau_L"``.
    values : Quantity or sequence
        Two values, a range; or more, in increasing or decreasing order. Others are added between
        where a branch is steep.
    noise, rtol : optional
        As for :func:`cbnet.solve`.
    points : int
        Evenly spaced values in a range.

    Returns
    -------
    Continuation

    Raises
    ------
    ParameterError
        For a parameter that is not a number, or values, `noise` or `rtol` that cannot be used.
    ConvergenceError
        If a fold or a rate is less accurate than asked for; ``best`` is the Continuation.

    Notes
    -----
    At every value all states are found (:func:`cbnet.solve`, with its assumptions) and joined in
    the order of their rates. Between neighbouring values on one branch the rate changes by less
    than a factor of e, or the step is halved, up to 8 times; a bistable range narrower than that
    may be missed. Where two states appear or vanish, the excess F(x; p) = ln Φ − x at
    x = ln ν (along the nullcline of I) has an extremum in x of height m(p), and m(p) = 0 at the
    fold, by Newton's method with m' = ∂F/∂p: the two conditions F = ∂F/∂x = 0 of a saddle-node
    bifurcation (Yu. A. Kuznetsov, *Elements of Applied Bifurcation Theory*, Sec. 10.2).
    Parameters that count, such as K, are followed as real numbers.

    Examples
    --------
    >>> import cbnet
    >>> from brian2 import Hz
    >>> params = cbnet.load("conductance").replace(g=12)
    >>> found = cbnet.continuation(params, "nu_X", [5, 20]*Hz, noise="diffusion", points=4)
    >>> [round(float(p), 4) for p in found.fold_value]
    [8.3753, 12.7952]
    """
    method = treatments.choose(noise, params)
    rtol = treatments.accuracy(method, rtol)
    path = _Path(params, name, method, rtol)
    grid = path.grid(values, points)
    left_out = unused.tell(path.with_value(grid[0]), "cbnet.continuation", unused.of_network)
    links = []
    with unused.told():
        steps = [path.at(grid[0])]
        for p in grid[1:]:
            for state, link in path.between(steps[-1], path.at(p), _DEPTH):
                steps.append(state)
                links.append(link)
    return _finish(path, steps, links, left_out)


@dataclasses.dataclass(frozen=True)
class _States:
    """All states at one value of the parameter."""

    p: float
    rates: np.ndarray  # (n, 2)
    cv: np.ndarray  # (n, 2)
    stable: np.ndarray
    error: float

    @property
    def x(self):
        return np.log(np.maximum(self.rates[:, 0], SILENT))


class _Path:
    """A network with one parameter free."""

    def __init__(self, params, name, method, rtol):
        self.params, self.name, self.method, self.rtol = params, name, method, rtol
        population, _, plain = name.rpartition(".")
        targets = params.model.aliases.get(plain, (plain,))
        self.entry = params.model.entry(targets[0], name)
        if self.entry.choices:
            numbers = [n for n, e in params.model.entries.items() if not e.choices]
            raise ParameterError(
                f"name: got {name!r}, which is not a number ({nearest(plain, numbers)})"
            )
        self.targets = [f"{population}.{t}" if population else t for t in targets]
        self.noise = ""
        self.finder = FoldFinder(self.line, rtol, method.costly, method.scan_rtol)

    def grid(self, values, points):
        """Values in SI, checked."""
        values = list(values) if np.ndim(values) else [values]
        if self.entry.integer:
            parse = dataclasses.replace(self.entry, integer=False).parse
        else:
            parse = self.entry.parse
        given = np.array([parse(value, self.name) for value in values], float)
        steps = np.diff(given)
        if given.size < 2 or not (np.all(steps > 0) or np.all(steps < 0)):
            raise ParameterError(
                f"values: got {given.size} values of {self.name}; expected two or more, in "
                "increasing or decreasing order"
            )
        if not (isinstance(points, int | np.integer) and points >= 2):
            raise ParameterError(f"points: got {points!r}; expected a whole number of at least 2")
        given = np.sort(given)
        return np.linspace(*given, int(points)) if given.size == 2 else given

    def with_value(self, p):
        """The parameters at a value in SI."""
        if self.entry.integer:
            return Parameters(
                self.params.model, self.params.changes | dict.fromkeys(self.targets, p)
            )
        value = to_quantity(p, self.entry.unit)
        return self.params.replace(**dict.fromkeys(self.targets, value))

    def line(self, p):
        """The excess along the nullcline at a value."""
        return Line(self.with_value(p), self.method.name)

    def at(self, p):
        """All states at a value."""
        try:
            found = solve(self.with_value(p), noise=self.method.name, rtol=self.rtol)
        except ConvergenceError as failure:
            if self.method.formula or failure.best is None:
                raise
            found = failure.best
        self.noise = found.noise
        rates = np.stack([found.in_si("rate_E"), found.in_si("rate_I")], -1)
        cv = np.stack([found.cv_E, found.cv_I], -1)
        keep, error = _alternating(found.stable), found.error
        return _States(float(p), rates[keep], cv[keep], np.asarray(found.stable)[keep], error)

    def between(self, left, right, depth, deepest=_DEEPEST):
        """Steps from one value to another: pairs of states and how they hang together.

        A link is a list of (index left, index right), and the folds with the side and the index of
        the lower of their two states.
        """
        n, m = len(left.stable), len(right.stable)
        if n == m:
            far = np.abs(left.x - right.x).max(initial=0.0) > _FAR
            if not (far and depth > 0):
                return [(right, (list(zip(range(n), range(m), strict=True)), []))]
        elif abs(n - m) == 2:
            found = self.fold(left, right)
            if found is not None:
                more, k, fold = found
                few = [i for i in range(max(n, m)) if i not in (k, k + 1)]
                pairs = list(zip(few, range(min(n, m)), strict=True))
                if more is right:
                    pairs = [(b, a) for a, b in pairs]
                return [(right, (pairs, [(more is left, k, fold)]))]
        if deepest == 0:
            raise ConvergenceError(
                f"{self.name}: got {n} and {m} states at {self.entry.show(left.p)} and "
                f"{self.entry.show(right.p)}, and no fold between; ask for a smaller rtol"
            )
        middle = self.at((left.p + right.p) / 2)
        return [
            *self.between(left, middle, depth - 1, deepest - 1),
            *self.between(middle, right, depth - 1, deepest - 1),
        ]

    def fold(self, left, right):
        """Where two states appear or vanish: (on which side they are, the lower one, Fold)."""
        more, less = (left, right) if len(left.stable) > len(right.stable) else (right, left)
        away = less.p - more.p
        likely = []
        for k in range(len(more.stable) - 1):
            distance = self.finder.distance(more.p, more.x[k], more.x[k + 1], abs(away) / 100)
            if distance * away > 0:
                likely.append((abs(distance), k))
        for _, k in sorted(likely):
            try:
                fold = self.finder.find(more.p, more.x[k], more.x[k + 1], (more.p, less.p))
            except ConvergenceError:
                continue
            if min(left.p, right.p) <= fold.value <= max(left.p, right.p):
                return more, k, fold
        return None


def _alternating(stable):
    """States without those of which it is open whether they exist: they come in pairs otherwise."""
    keep = list(range(len(stable)))
    if len(keep) % 2:
        return keep
    for k in range(len(keep)):
        if bool(stable[k]) != (k % 2 == 0):
            return keep[:k] + keep[k + 1 :]
    return keep[:-1]


def _finish(path, steps, links, left_out):
    """Branches from states and links."""
    factor = unit(path.entry.unit)[0]
    count = len(steps)
    branch, stable = [list(range(len(steps[0].stable)))], list(steps[0].stable)
    folds = []
    for k, (pairs, met) in enumerate(links):
        here = [None] * len(steps[k + 1].stable)
        for a, b in pairs:
            here[b] = branch[k][a]
        for b in range(len(here)):
            if here[b] is None:
                here[b] = len(stable)
                stable.append(steps[k + 1].stable[b])
        branch.append(here)
        for on_left, lower, fold in met:
            side = branch[k] if on_left else here
            folds.append((fold, side[lower], side[lower + 1]))
    rates = np.full((2, len(stable), count), np.nan)
    cv = np.full((2, len(stable), count), np.nan)
    for k, state in enumerate(steps):
        for i, b in enumerate(branch[k]):
            rates[:, b, k], cv[:, b, k] = state.rates[i], state.cv[i]
    of_folds = [fold for fold, _, _ in folds]
    answer = Continuation(
        parameters=path.params,
        name=path.name,
        value_unit=path.entry.unit,
        value=np.array([state.p for state in steps]) / factor,
        **{f"rate_{p}": to_quantity(rates[i], "Hz") for i, p in enumerate(POPULATIONS)},
        cv_E=cv[0],
        cv_I=cv[1],
        stable=np.array(stable, bool),
        fold_value=np.array([f.value for f in of_folds]) / factor,
        fold_rate_E=to_quantity(np.array([f.rates[0] for f in of_folds]), "Hz"),
        fold_rate_I=to_quantity(np.array([f.rates[1] for f in of_folds]), "Hz"),
        fold_branch=np.array([(a, b) for _, a, b in folds], int).reshape(-1, 2),
        fold_error=np.array([f.error for f in of_folds]),
        fold_rate_error=np.array([f.rate_error for f in of_folds]),
        noise=path.noise,
        error=max(state.error for state in steps),
        unused=left_out,
    )
    worst = max([0.0 if path.method.formula else answer.error, *answer.fold_error])
    if worst > path.rtol:
        raise ConvergenceError(
            f"rtol: got {path.rtol:g}; the largest error of a rate or of the value at a fold is "
            f"estimated at {worst:.2g} (close to a fold rates are known less well); ask for less "
            "accuracy",
            best=answer,
        )
    return answer
