"""The treatments of noise by name: one table, from which every solver takes its rates.

To add a treatment, write a function of the form of :attr:`Method.passage` and give it a row of
:data:`METHODS`; responses, networks, scaling and the command line then have it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ...errors import ParameterError, warn
from ...model import reduced
from ...model.entry import nearest
from ...model.parameters import POPULATIONS, require
from .colored import colored_noise
from .colored import colored_noise_limits as limits
from .jumps import jump_density, jump_intervals, shot_noise
from .white import white_intervals, white_noise


@dataclass(frozen=True)
class Method:
    """A way to compute what one neuron does under Poisson input.

    Attributes
    ----------
    name : str
        What a caller writes.
    passage : callable
        ``(neuron, inputs, rtol, cv, moments) -> Passage`` for a neuron and its inputs: arrays with
        N rows, as the neuron's own ``passage`` takes them. Rates always; ``cv`` and ``moments`` say
        whether CV and the moments of v are wanted too. Raises ConvergenceError with the best
        Passage.
    density : callable, optional
        ``(neuron, inputs, v) -> p``: density of v (1/V) at an array of potentials, one row.
    intervals : callable, optional
        ``(neuron, inputs, t) -> f``: density of intervals (1/s) at an array of times, one row.
    rtol : float
        Relative accuracy that is aimed at if none is asked for.
    tolerated : float
        Error of an answer that is given nevertheless if none is asked for.
    scan_rtol : float
        Accuracy enough to see on which side of a network's fixed point a rate is.
    costly : bool
        Whether an answer takes milliseconds: networks then look for roots with few of them.
    network : bool
        Whether it gives a rate on both sides of the threshold, so that networks can use it.
    filtered : bool
        Whether it knows synaptic time constants; if not, it is their limit of zero.
    formula : bool
        Whether it is a formula of some accuracy of its own, which nobody can ask for: its error is
        the distance to what it approximates, infinite where nothing is known of it.
    """

    name: str
    passage: Callable
    density: Callable | None = None
    intervals: Callable | None = None
    rtol: float = 1e-8
    tolerated: float = 1e-7
    scan_rtol: float = 1e-6
    costly: bool = False
    network: bool = True
    filtered: bool = False
    formula: bool = False


METHODS = {
    method.name: method
    for method in (
        Method(
            "diffusion",
            white_noise.diffusion,
            white_noise.density,
            white_intervals.interval_density,
        ),
        Method(
            "effective",
            white_noise.effective,
            white_noise.density,
            white_intervals.interval_density,
        ),
        Method("kramers", white_noise.kramers, network=False, formula=True),
        Method(
            "shot",
            shot_noise.passage,
            jump_density.density,
            jump_intervals.interval_density,
            rtol=shot_noise.RTOL,
            tolerated=1e-3,
            scan_rtol=1e-2,
            costly=True,
        ),
        Method(
            "colored",
            colored_noise.passage,
            colored_noise.density_of_neuron,
            rtol=colored_noise.RTOL,
            tolerated=2e-2,
            scan_rtol=3e-2,
            costly=True,
            filtered=True,
        ),
        Method("fast", limits.passage_of(limits.fast), filtered=True, formula=True),
        Method("shift", limits.passage_of(limits.shift), filtered=True, formula=True),
        Method(
            "adiabatic",
            limits.passage_of(limits.adiabatic),
            costly=True,
            filtered=True,
            formula=True,
        ),
        Method("rescaled", limits.passage_of(limits.rescaled), filtered=True, formula=True),
        Method("rice", limits.passage_of(limits.rice), network=False, filtered=True, formula=True),
    )
}


def default(params):
    """The name of the treatment that is right for these parameters."""
    return right_for(has_filters(params))


def right_for(filtered):
    """The name of the treatment that is right with time constants, or without."""
    return "colored" if filtered else "shot"


def has_filters(params):
    """Whether any synapse has a time constant, by the equations of the model."""
    return any(reduced.of_model(params.model, params.resolve(p)).filtered for p in POPULATIONS)


def choose(noise, params):
    """The method of a name; that which is right for the parameters, if there is no name."""
    require(params)
    return named(default(params) if noise is None else noise)


def named(noise):
    """The method of a name."""
    if isinstance(noise, str) and noise in METHODS:
        return METHODS[noise]
    hint = nearest(str(noise), METHODS)
    hint = f" ({hint})" if hint.startswith("did") else ""
    raise ParameterError(f"noise: got {noise!r}; expected one of {', '.join(METHODS)}{hint}")


def warn_without_filters(method, params):
    """Say that a treatment takes filtered synapses as instantaneous ones."""
    warn_of_limit(method, has_filters(params))


def warn_of_limit(method, filtered):
    """As :func:`warn_without_filters`, where it is known whether there are time constants."""
    if filtered and not method.filtered:
        warn(
            f"noise: got {method.name!r} with synaptic time constants, which it takes as zero; use "
            "'colored'",
        )


def accuracy(method, rtol):
    """The accuracy asked for, checked; that of the method if there is none."""
    return tolerances(method, rtol)[0]


def tolerances(method, rtol):
    """The accuracy to aim at, and the error above which an answer is none."""
    if rtol is None:
        return method.rtol, method.tolerated
    if not (isinstance(rtol, (int, float)) and 1e-12 <= rtol < 1):
        raise ParameterError(f"rtol: got {rtol}; expected a number from 1e-12 to 1")
    return float(rtol), float(rtol)


def describe(method, params, note=""):
    """What an answer says of its noise: the name first, remarks in brackets."""
    return described(method, has_filters(params), note)


def described(method, filtered, note=""):
    """As :func:`describe`, where it is known whether there are time constants."""
    if filtered and not method.filtered:
        note = "; ".join(filter(None, ("limit tau_S -> 0", note)))
    return method.name + (f" ({note})" if note else "")
