"""From the strings Brian2 simulates to the functions the theory needs.

A population of presynaptic neurons that fires as Poisson trains of total rate R moves v by h(v) at
every arrival. With leak f(v) the first two Kramers–Moyal coefficients are, in the sense of Itô,

    A(v) = f(v) + Σ R h(v),    B²(v) = Σ R h(v)²,    dv = A dt + B dW

(Sanzeni, Histed & Brunel 2022, Sec. II). For synapses that are filtered with a time constant τ the
limit τ → 0 is taken: a spike of charge q moves v along dv/dq = h(v), which leaves the Stratonovich
term in the drift,

    A(v) = f(v) + Σ R [q h + ½ q² h h'],    B²(v) = Σ R q² h².

This module is the only one that uses Brian2's parsers and sympy. Who needs the functions and not
the expressions asks :mod:`cbnet.model.reduced`, which remembers them.
"""

import ast
import functools
import inspect
import re
from dataclasses import dataclass

import sympy as sp
from brian2 import Equations
from brian2.core.functions import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS
from brian2.core.namespace import DEFAULT_UNITS
from brian2.core.variables import Constant, Variable
from brian2.equations.equations import PARAMETER
from brian2.equations.unitcheck import check_dimensions
from brian2.parsing.sympytools import str_to_sympy
from brian2.units.fundamentalunits import (
    DimensionMismatchError,
    get_or_create_dimension,
)
from brian2.utils.stringtools import get_identifiers
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational

from ..errors import ModelError
from . import names
from .one_dimension import Reduced, strings_of
from .units import unit

V = sp.Symbol("v", real=True)
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_VOLT = get_or_create_dimension(unit("V")[1])
_SECOND = get_or_create_dimension(unit("s")[1])


@dataclass(frozen=True)
class Synapse:
    """What a presynaptic spike of one kind does, as the strings say it.

    Attributes
    ----------
    target : str
        The variable that jumps: ``"v"``, or a synaptic variable, whatever it is called.
    jump : sympy.Expr
        By how much.
    decay : sympy.Expr or None
        Rate at which the target decays, 1/τ (1/s); None for v itself.
    per_target : sympy.Expr or None
        What one unit of the target adds to dv/dt; None for v itself.
    """

    target: str
    jump: sp.Expr
    decay: sp.Expr | None = None
    per_target: sp.Expr | None = None

    @property
    def filtered(self):
        """Whether the spike reaches v through a variable that decays."""
        return self.decay is not None

    @property
    def charge(self):
        """The integral over time of what the spike adds to the target."""
        return self.jump / self.decay

    @property
    def effect(self):
        """h(v), by how much the spike moves v; to first order in the charge if it is filtered."""
        return sp.simplify(self.charge * self.per_target) if self.filtered else self.jump

    @property
    def drift(self):
        """What one arrival a second adds to the drift."""
        h = self.effect
        # what has a duration leaves Stratonovich's term behind
        return h + (h * sp.diff(h, V) / 2 if self.filtered else 0)


@dataclass(frozen=True)
class Diffusion:
    """A membrane in one dimension: expressions in ``v``, rates of arrivals and parameters.

    Attributes
    ----------
    leak : sympy.Expr
        f(v), what is left of the drift without arrivals.
    synapses : dict of str to Synapse
        By kind of presynaptic spike.
    threshold, reset : sympy.Expr
        Where a spike is fired and where v restarts.
    """

    leak: sp.Expr
    synapses: dict
    threshold: sp.Expr
    reset: sp.Expr

    @functools.cached_property
    def A(self):
        """Drift (V/s), Itô, with the total rate ``R_kind`` of the arrivals of each kind."""
        return sum((_rate(k) * s.drift for k, s in self.synapses.items()), self.leak)

    @functools.cached_property
    def B2(self):
        """Squared noise (V²/s)."""
        return sum((_rate(k) * s.effect**2 for k, s in self.synapses.items()), sp.Integer(0))

    @functools.cached_property
    def jumps(self):
        """h(v) by kind: :attr:`Synapse.effect`."""
        return {kind: synapse.effect for kind, synapse in self.synapses.items()}

    @property
    def decays(self):
        """Decay rate of each synaptic variable; empty for instantaneous synapses."""
        return {s.target: s.decay for s in self.synapses.values() if s.filtered}

    @property
    def filtered(self):
        """Whether synaptic time constants were taken to zero."""
        return bool(self.decays)

    @functools.cached_property
    def affine(self):
        """Whether the drift is a straight line in v, so that τ and μ are defined everywhere."""
        return _is_straight(self.A)

    @functools.cached_property
    def affine_leak(self):
        """Whether the leak is a straight line in v, so that its flow is an exponential."""
        return _is_straight(self.leak)

    @functools.cached_property
    def affine_jumps(self):
        """Whether the jumps are straight lines in v, so that many of them have a closed form."""
        return all(map(_is_straight, self.jumps.values()))

    @functools.cached_property
    def functions(self):
        """The expressions as functions of numbers: :class:`cbnet.model.one_dimension.Reduced`."""
        expressions = {
            "A": self.A,
            "dA": sp.diff(self.A, V),
            "B2": self.B2,
            "leak": self.leak,
            "dleak": sp.diff(self.leak, V),
            "threshold": self.threshold,
            "reset": self.reset,
        }
        for kind, synapse in self.synapses.items():
            expressions[f"jump_{kind}"] = self.jumps[kind]
            expressions[f"drift_{kind}"] = synapse.drift
            expressions[f"slope_{kind}"] = sp.diff(synapse.drift, V)
            if synapse.filtered:
                expressions[f"charge_{kind}"] = synapse.charge
                expressions[f"tau_{kind}"] = 1 / synapse.decay
        sources, arguments = {}, {}
        for name, expression in expressions.items():
            arguments[name] = sorted(s.name for s in expression.free_symbols - {V})
            # names of their own: those of the model may be names of numpy or of the text itself
            plain = {_symbol(n): sp.Symbol(f"p{k}") for k, n in enumerate(arguments[name])}
            renamed = expression.xreplace(plain)
            compiled = sp.lambdify([V, *plain.values()], renamed, "numpy", cse=True)
            sources[name] = inspect.getsource(compiled)
        return Reduced(
            sources=sources,
            arguments=arguments,
            targets={kind: synapse.target for kind, synapse in self.synapses.items()},
            affine=self.affine,
            affine_leak=self.affine_leak,
            affine_jumps=self.affine_jumps,
        )

    def function(self, name, values):
        """An expression as a function of v: :meth:`cbnet.model.one_dimension.Reduced.function`."""
        return self.functions.function(name, values)

    def constant(self, name, values):
        """The threshold or the reset: :meth:`cbnet.model.one_dimension.Reduced.constant`."""
        return self.functions.constant(name, values)

    def operating_point(self, values):
        """μ and τ of the drift: :meth:`cbnet.model.one_dimension.Reduced.operating_point`."""
        return self.functions.operating_point(values)


def _is_straight(expression):
    bend = sp.diff(expression, V, 2)
    # by numbers first: to simplify takes seconds where there are many parameters
    symbols = sorted(bend.free_symbols, key=str)
    some = {s: sp.Float(sp.Rational(k + 3, 2 * k + 5), 50) for k, s in enumerate(symbols)}
    value = abs(bend.xreplace(some))
    return not (value.is_Float and value > 1e-30) and sp.simplify(bend) == 0


def _symbol(name):
    return sp.Symbol(name, real=True)


def _rate(kind):
    return _symbol(f"R_{kind}")


def of_model(model, values):
    """The one-dimensional reduction of a model.

    Parameters
    ----------
    model : Model
        The strings.
    values : dict
        Resolved parameters of one population; they choose the coupling, and nothing else.

    Returns
    -------
    Diffusion

    Raises
    ------
    ModelError
        If the strings do not reduce to one dimension; the message names the identifier or the
        statement.
    """
    return reduce(*strings_of(model, values))


def of_neuron(neuron):
    """The reduction of a neuron with synapses of any kinds: as :func:`of_model`.

    Parameters
    ----------
    neuron : cbnet.Neuron
        The symbol of each kind's efficacy stands in its jump.
    """
    units = tuple((n, e.unit) for n, e in neuron.parameters.items() if not e.choices)
    kinds = tuple(
        (kind, s.on_pre, ((s.efficacy, neuron.units[kind]),) if s.efficacy else ())
        for kind, s in neuron.synapses.items()
    )
    return reduce(neuron.equations, kinds, neuron.threshold, neuron.reset, units)


@functools.lru_cache(maxsize=64)
def reduce(equations, kinds, threshold, reset, units):
    """From strings: as :func:`of_model`.

    Parameters
    ----------
    equations, threshold, reset : str
        Brian2's.
    kinds : tuple of (str, str, tuple)
        Of each kind its name, its ``on_pre``, and (symbol, unit) of names that it alone knows.
    units : tuple of (str, str)
        Of the parameters.

    Returns
    -------
    Diffusion

    Raises
    ------
    ModelError
        As of :func:`of_model`.
    """
    equations, variables = _variables(equations, dict(units))
    rates_of_change = {}
    for name, expression in equations.get_substituted_expressions(variables):
        if name in equations.diff_eq_names:
            dim = equations[name].dim / _SECOND
            rates_of_change[name] = _membrane_rhs(expression, variables, name, dim)
    _check_refractory(equations)
    v_rhs = rates_of_change.pop("v")
    states = [V, *(sp.Symbol(name, real=True) for name in rates_of_change)]
    decays = {name: _decay_rate(name, rhs, states) for name, rhs in rates_of_change.items()}
    synapses = {
        kind: _synapse(on_pre, v_rhs, decays, variables | _constants(dict(own)), equations)
        for kind, on_pre, own in kinds
    }
    _check_used(decays, v_rhs, synapses)
    return Diffusion(
        leak=v_rhs.subs(dict.fromkeys(states[1:], 0)),
        synapses=synapses,
        threshold=_boundary(threshold, ">", variables, equations["v"].dim),
        reset=_boundary(reset, "=", variables, equations["v"].dim),
    )


def _check_refractory(equations):
    if "unless refractory" not in equations["v"].flags:
        raise ModelError(
            "equation of 'v': got no '(unless refractory)'; the theory holds v at the reset while "
            "refractory: add it"
        )
    for name in sorted(equations.diff_eq_names - {"v"}):
        if "unless refractory" in equations[name].flags:
            raise ModelError(
                f"equation of {name!r}: got '(unless refractory)'; synapses go on while the "
                "membrane is refractory: drop it"
            )


def _synapse(on_pre, v_rhs, decays, variables, equations):
    """The Synapse of an on_pre statement."""
    target, jump = _on_pre(on_pre, variables, equations)
    if target == "v":
        return Synapse(target, jump)
    filters = [sp.Symbol(name, real=True) for name in decays]
    if jump.has(V, *filters):
        raise ModelError(
            f"on_pre {on_pre.strip()!r}: got a jump of {target!r} that depends on the state; "
            "expected a constant jump of a synaptic variable"
        )
    per_target = sp.diff(v_rhs, sp.Symbol(target, real=True))
    if per_target.has(*filters):
        raise ModelError(f"equation of 'v': got {target!r} not linearly; expected {target}*h(v)")
    return Synapse(target, jump, decays[target], per_target)


def _check_used(decays, v_rhs, synapses):
    unused = [s for s in decays if v_rhs.has(sp.Symbol(s, real=True)) is False]
    if unused:
        raise ModelError(f"equation of {unused[0]!r}: got a variable that never reaches 'v'")
    untouched = sorted(set(decays) - {synapse.target for synapse in synapses.values()})
    if untouched:
        raise ModelError(
            f"equation of {untouched[0]!r}: got a variable that no on_pre moves; expected synaptic "
            "variables only"
        )


def _variables(text, units):
    try:
        equations = Equations(text)
    except Exception as error:
        raise ModelError(f"equations: {' '.join(str(error).split())}") from error
    if "v" not in equations.diff_eq_names:
        raise ModelError(
            f"equations: got differential equations for {sorted(equations.diff_eq_names)}; "
            "expected one for the membrane potential 'v'"
        )
    if equations["v"].dim != _VOLT:
        raise ModelError(
            f"equation of 'v': got the dimensions {equations['v'].dim}; expected volt, in which "
            "answers are given"
        )
    for name in sorted(equations.names - {"v"}):
        names.check(name, "equations")
    taken = set(equations.names) & set(units)
    if taken:
        raise ModelError(f"equations: got {sorted(taken)}, which are names of parameters")
    declared = [name for name in equations.names if equations[name].type == PARAMETER]
    if declared:
        raise ModelError(
            f"equations: got {declared[0]!r} without a value; expected differential equations and "
            "expressions: give it in the model's parameters"
        )
    if equations.is_stochastic:
        raise ModelError("equations: got 'xi'; noise comes from the arrivals alone: drop it")
    variables = {**DEFAULT_FUNCTIONS, **DEFAULT_CONSTANTS}
    for name, value in DEFAULT_UNITS.items():
        variables[name] = Constant(name, float(value), dimensions=value.dim)
    variables |= _constants(units)
    variables |= {n: Variable(n, dimensions=e.dim) for n, e in equations.items()}
    return equations, variables


def _constants(units):
    """Names that have a value, by their units."""
    return {
        name: Constant(name, 1.0, dimensions=get_or_create_dimension(unit(unit_name)[1]))
        for name, unit_name in units.items()
    }


def _parse(code, variables, dim, where):
    """Brian2 code as a sympy expression of the given dimensions."""
    statement = " ".join(code.split())
    try:
        identifiers = get_identifiers(code)
        for name in sorted(identifiers - set(variables)):
            raise ModelError(
                f"{where}: got {name!r} in {statement!r}, which has no value; add it to the "
                "model's parameters"
            )
        for name in sorted(identifiers):
            if not getattr(variables[name], "stateless", True):
                raise ModelError(
                    f"{where}: got the random function {name!r} in {statement!r}; a diffusion "
                    "needs its mean and variance instead"
                )
        check_dimensions(code, dim, variables)
        expression = str_to_sympy(code, variables)
    except DimensionMismatchError as error:
        raise ModelError(f"{where}: {statement!r}: {' '.join(str(error).split())}") from error
    except (SyntaxError, ValueError, TypeError, NotImplementedError, KeyError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{where}: {statement!r}: {' '.join(str(error).split())}") from error
    if isinstance(expression, sp.Expr):
        expression = expression.replace(sp.Function("sqrt"), sp.sqrt)
    if _not_smooth(expression, variables):
        raise ModelError(
            f"{where}: got {statement!r}; expected an expression that has a derivative everywhere, "
            "without comparisons and steps"
        )
    units = {
        s: float(DEFAULT_UNITS[s.name]) for s in expression.free_symbols if s.name in DEFAULT_UNITS
    }
    return expression.subs(units).subs({s: _symbol(s.name) for s in expression.free_symbols})


def _not_smooth(expression, variables):
    """Whether an expression has no derivative with respect to a variable, or none that is known."""
    if not isinstance(expression, sp.Expr) or expression.atoms(AppliedUndef, Relational):
        return True
    constant = {s for s in expression.free_symbols if isinstance(variables[s.name], Constant)}
    steps = expression.atoms(sp.floor, sp.ceiling, sp.sign, sp.Mod)
    return any(step.free_symbols - constant for step in steps)


def _membrane_rhs(expression, variables, name, dim):
    return _parse(expression.code, variables, dim, f"equation of {name!r}")


def _decay_rate(name, rhs, states):
    """k of ds/dt = -k s, the only auxiliary equation that a short time constant removes."""
    s = sp.Symbol(name, real=True)
    k = sp.simplify(-sp.diff(rhs, s))
    if k.has(*states) or sp.simplify(rhs + k * s) != 0 or k == 0:
        raise ModelError(
            f"equation of {name!r}: got d{name}/dt = {rhs}; a one-dimensional theory needs a "
            f"synaptic variable that decays, d{name}/dt = -{name}/tau"
        )
    return k


def _on_pre(statements, variables, equations):
    """(target, displacement) of the one variable that a presynaptic spike moves."""
    where = f"on_pre {' '.join(statements.split())!r}"
    text = re.sub(r"\b(\w+)_post\b", r"\1", statements)
    try:
        body = ast.parse("\n".join(line.strip() for line in text.splitlines())).body
    except SyntaxError as error:
        raise ModelError(f"{where}: {error.msg}") from error
    target, after = None, None
    for line in body:
        if not isinstance(line, ast.Assign | ast.AugAssign):
            raise ModelError(f"{where}: got {ast.unparse(line)!r}; expected an assignment")
        name = ast.unparse(line.targets[0] if isinstance(line, ast.Assign) else line.target)
        if name not in equations.diff_eq_names or name not in (
            target,
            name if target is None else target,
        ):
            raise ModelError(
                f"{where}: got a jump of {name!r}; expected all jumps in 'v' or in one synaptic "
                "variable"
            )
        target = name
        symbol = V if name == "v" else sp.Symbol(name, real=True)
        value = ast.unparse(line.value)
        if isinstance(line, ast.AugAssign):
            operator = _OPERATORS.get(type(line.op))
            if operator is None:
                raise ModelError(
                    f"{where}: got {ast.unparse(line)!r}; expected =, +=, -=, *= or /="
                )
            value = f"{name} {operator} ({value})"
        parsed = _parse(value, variables, equations[name].dim, where)
        after = parsed if after is None else parsed.subs(symbol, after)
    if target is None:
        raise ModelError(f"{where}: got no statement; expected an assignment to v_post")
    symbol = V if target == "v" else sp.Symbol(target, real=True)
    displacement = sp.factor(after - symbol)
    others = {n for n in equations.diff_eq_names if n != target}
    foreign = {s.name for s in displacement.free_symbols} & others
    if foreign:
        raise ModelError(
            f"{where}: got {sorted(foreign)[0]!r}; expected parameters and {target!r} only"
        )
    return target, displacement


def _boundary(statement, separator, variables, dim):
    """The constant x of ``v > x`` or ``v = x``."""
    kind = "threshold" if separator == ">" else "reset"
    found = re.fullmatch(rf"\s*v\s*{separator}=?\s*(?!=)(.+?)\s*", statement, flags=re.DOTALL)
    if not found:
        raise ModelError(f"{kind}: got {statement!r}; expected 'v {separator} ...'")
    expression = _parse(found[1], variables, dim, kind)
    if expression.has(V) or any(
        isinstance(variables.get(s.name), Variable)
        and not isinstance(variables.get(s.name), Constant)
        for s in expression.free_symbols
    ):
        raise ModelError(f"{kind}: got {statement!r}; expected parameters only after {separator!r}")
    return expression
