"""How the efficacy a changes with the in-degree K."""

import numpy as np

from ..errors import ConvergenceError, ParameterError
from ..parameters import POPULATIONS, nearest, to_quantity
from . import _methods
from ._neuron import Neuron
from ._roots import all_roots
from .response import rates_in_hertz
from .self_consistency import SILENT, solve

LAWS = ("sqrt", "inverse", "log", "preserving")
REFERENCE_NU_X = 20.0  # Hz: external rate of the network whose response is preserved
_SMALLEST = 1e-12  # efficacy


def scale(params, law, K, noise="diffusion", r_E=None, r_I=None, rate=None):
    """Parameters at another in-degree, with the efficacy following a law.

    Parameters
    ----------
    params : Parameters
        Its K and a are where the law starts.
    law : {"sqrt", "inverse", "log", "preserving"}
        a ∝ 1/√K; a ∝ 1/K; a ∝ 1/ln K; or the a at which a neuron keeps its rate Φ(r_E, r_I; K, a).
    K : int
        The new in-degree.
    noise : {"diffusion", "effective"}
        For ``"preserving"``: how Φ is computed.
    r_E, r_I : Quantity, optional
        For ``"preserving"``: the inputs at which Φ is kept; those of the network's fixed point at
        an external rate of 20 Hz, with the K and a of `params`, if not given.
    rate : Quantity, optional
        For ``"preserving"``: the rate to keep at `r_E` and `r_I`; Φ at the K and a of `params` if
        not given.

    Returns
    -------
    Parameters
        The same with other K and a. Where the populations have an a of their own, both change by
        the same factor (``"preserving"`` keeps the response of E).

    Raises
    ------
    ParameterError
        For an unknown law, an in-degree that cannot be used, or a response that no a gives.

    Notes
    -----
    A. Sanzeni, M. H. Histed and N. Brunel, Phys. Rev. X 12, 011044 (2022), Secs. III and IV. Where
    several a give the same rate, the one followed continuously from the K and a of `params` is
    taken. The logarithmic law needs K > 1.

    Examples
    --------
    >>> import cbnet
    >>> round(cbnet.load("conductance").scaled("sqrt", K=4000).a, 6)
    0.00075
    """
    if law not in LAWS:
        raise ParameterError(
            f"law: got {law!r}; expected one of {', '.join(LAWS)} ({nearest(str(law), LAWS)})"
        )
    K = params.model.entry("K", "K").parse(K, "K")
    for population in POPULATIONS:
        if f"{population}.K" in params.changes:
            raise ParameterError(
                f"{population}.K: got an in-degree of population {population} alone; scaling "
                "changes K of both; set K for both"
            )
    explicit = {"r_E": r_E, "r_I": r_I, "rate": rate}
    if law != "preserving":
        given = [name for name, value in explicit.items() if value is not None]
        if given:
            raise ParameterError(f"{given[0]}: got it with law={law!r}; only 'preserving' takes it")
    values = params.resolve("E")
    _check_used(params, values)
    K_0, a_0 = values["K"], values["a"]
    if law == "sqrt":
        factor = np.sqrt(K_0 / K)
    elif law == "inverse":
        factor = K_0 / K
    elif law == "log":
        if min(K, K_0) < 2:
            raise ParameterError(f"K: got {K} from {K_0}; law='log' needs both above 1")
        factor = np.log(K_0) / np.log(K)
    else:
        factor = _preserving(params, K, _methods.choose(noise, params), explicit) / a_0
    changed = {"K": K, "a": float(a_0 * factor)}
    for population in POPULATIONS:
        own = f"{population}.a"
        if own in params.changes:
            changed[own] = float(params.changes[own] * factor)
    if "E.a" in params.changes:
        # what is left for I, unless it has its own
        changed["a"] = float(params.resolve("I")["a"] * factor)
    return params.replace(**changed)


def _check_used(params, values):
    """Refuse a model whose jumps do not depend on a."""
    neuron = Neuron(params)
    theta = np.array([neuron.threshold])
    halved = {**values, "a": 0.5 * values["a"]}
    halved |= params.model.derive(halved)
    for name in ("jump_E", "jump_I"):
        before, after = (neuron.reduced.function(name, v)(theta) for v in (values, halved))
        if before != after:
            return
    raise ParameterError(
        f"law: got model {params.model.name!r}, whose synapses do not depend on a; state their "
        "strength in terms of a, or change K and it with replace()"
    )


def _preserving(params, K, method, explicit):
    """The efficacy at in-degree K that gives the rate to be kept."""
    noise, rtol = method.name, method.rtol
    if not method.network:
        raise ParameterError(f"noise: got {noise!r} for law='preserving'; expected 'diffusion'")
    inputs = [explicit["r_E"], explicit["r_I"]]
    if (inputs[0] is None) != (inputs[1] is None) or (
        inputs[0] is None and explicit["rate"] is not None
    ):
        raise ParameterError(
            "r_E: got some of r_E, r_I and rate; law='preserving' needs r_E and r_I, or none"
        )
    values = params.resolve("E")
    if inputs[0] is None:
        r_E, r_I, rate = _reference(params, noise)
    else:
        r_E, r_I = (
            _one_rate(params, value, name)
            for name, value in zip(("r_E", "r_I"), inputs, strict=True)
        )
        if explicit["rate"] is None:
            rate = _rates(params, noise, values["K"], np.array([values["a"]]), r_E, r_I, rtol)[0]
        else:
            rate = _one_rate(params, explicit["rate"], "rate")
    most = 1 / values["tau_rp"] if values["tau_rp"] > 0 else np.inf
    if not SILENT < rate < most:
        raise ParameterError(
            f"rate: got {rate:.4g} Hz at r_E = {r_E:.4g} Hz, r_I = {r_I:.4g} Hz; expected a rate "
            f"above {SILENT:g} Hz and below 1/tau_rp; choose other inputs"
        )
    steps = max(1, int(np.ceil(abs(np.log10(K / values["K"])))))
    a = values["a"]
    for k in np.geomspace(values["K"], K, steps + 1)[0 if explicit["rate"] is not None else 1 :]:
        roots = all_roots(
            lambda a, rtol, k=k: a * _rates(params, noise, k, a, r_E, r_I, rtol) / rate,
            _SMALLEST,
            1.0,
            rtol,
        )
        if not roots:
            raise ParameterError(
                f"K: got {K}; no efficacy gives {rate:.4g} Hz at r_E = {r_E:.4g} Hz, r_I = "
                f"{r_I:.4g} Hz once K = {k:.4g}; choose other inputs or another law"
            )
        a = min((root.rates[0] for root in roots), key=lambda found: abs(np.log(found / a)))
    return a


def _rates(params, noise, K, a, r_E, r_I, rtol):
    """Φ of an E neuron for an array of efficacies."""
    neuron = Neuron(params, "E", noise, columns={"K": np.full(a.shape, float(K)), "a": a})
    inputs = np.full(a.shape, float(r_E)), np.full(a.shape, float(r_I))
    try:
        return neuron.passage(*inputs, rtol, cv=False).rate
    except ConvergenceError as error:
        return error.best.rate


def _reference(params, noise):
    """Inputs and rate of an E neuron in the network at the reference external rate."""
    nu_X = to_quantity(REFERENCE_NU_X, "Hz")
    own = {f"{p}.nu_X": nu_X for p in POPULATIONS if f"{p}.nu_X" in params.changes}
    solution = solve(params.replace(nu_X=nu_X, **own), noise=noise)
    rate_E, rate_I = (np.asarray(x, float) for x in (solution.rate_E, solution.rate_I))
    active = np.flatnonzero(solution.stable & (rate_E > SILENT))
    if not active.size:
        raise ParameterError(
            f"law: got 'preserving', but the network is silent at nu_X = {REFERENCE_NU_X:g} Hz, "
            f"K = {params.resolve('E')['K']}, a = {params.resolve('E')['a']:g}; give r_E and r_I"
        )
    k = active[0]
    return REFERENCE_NU_X + rate_E[k], rate_I[k], rate_E[k]


def _one_rate(params, value, name):
    if name == "rate" and isinstance(value, str):
        return float(params.model.entry("r_E", name).parse(value, name))
    array = rates_in_hertz(params, value, name)
    if array.ndim:
        raise ParameterError(f"{name}: got {array.size} values; expected one")
    return float(array)
