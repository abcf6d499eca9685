"""The leading mode of any state of a network of E and I, and its fluctuations."""

import functools
from dataclasses import dataclass

import numpy as np

from ...errors import ParameterError, warn
from ...model.parameters import POPULATIONS, require
from ...support.threads import one_thread
from ..neuron import treatments
from ..neuron.jumps.jump_response import JumpResponse
from ..neuron.neuron import Neuron
from ..neuron.white.first_passage import known
from .fluctuations import fano_factor, rough_fano_factor
from .leading_mode import BIN, FINER, highest_of_interest, leading_mode
from .line import SILENT
from .linearised import linearised

_ALONG = 40  # frequencies at which the response to finite jumps is asked whether something grows
_SURELY = 0.8  # feedback below which it does not, though a coarse grid said so


@dataclass(frozen=True)
class Modes:
    """The leading mode of a state and its fluctuations, in SI."""

    growth_rate: float
    frequency: float
    stable: bool
    fano: np.ndarray
    highest: float
    error: float
    numerical_error: float


@one_thread
def modes(params, rates, N, fraction_excitatory, white=False):
    """Linearise a network about any state.

    Parameters
    ----------
    params : Parameters
    rates : tuple of float
        Of E and I in Hz; those of another treatment of noise serve, with the response to white
        noise at the inputs that they make.
    N, fraction_excitatory : float
        As for :func:`cbnet.stability`.
    white : bool
        Whether white noise decides on stability where finite jumps say otherwise.

    Returns
    -------
    Modes

    Raises
    ------
    ConvergenceError
        As :func:`cbnet.stability`.
    """
    highest = _highest(params)
    growth = frequency = np.nan
    fano, numerical, of_jumps, stable = np.full(2, np.nan), 0.0, 0.0, True
    if max(rates) > SILENT:
        rough, fine = feedback_at(params, rates), feedback_at(params, rates, **FINER)
        mode, highest, numerical = leading_mode(rough, fine, highest)
        growth, frequency, stable = mode.real, mode.imag / (2 * np.pi), mode.real < 0
        if stable:
            fano, inaccuracy = fano_factor(rough, fine, N, shares_of(fraction_excitatory), BIN)
            numerical = max(numerical, inaccuracy)
            if np.any(fano < 0):  # the feedback explains more than there is
                fano, of_jumps = np.full(2, np.nan), np.inf
        if not treatments.has_filters(params):
            wanted = (N, shares_of(fraction_excitatory), BIN) if stable and np.isfinite(N) else None
            distance, other = _from_white_noise_to_jumps(
                params, rates, rough, mode, wanted, 2 * np.pi * highest
            )
            of_jumps = max(of_jumps, distance)
            if other is not None and not white:
                _tell(mode, other)
                growth, frequency, stable = other.real, other.imag / (2 * np.pi), other.real < 0
                fano = np.full(2, np.nan)
    error, numerical = (float(known(x)) for x in (numerical + of_jumps, numerical))
    return Modes(float(growth), float(frequency), bool(stable), fano, highest, error, numerical)


def _from_white_noise_to_jumps(params, rates, white, mode, counted, highest):
    """How far mode and Fano factors are from those of the response to finite jumps, relative; and
    a mode of the latter if one grows and none of white noise's does, or the other way round.
    """
    try:
        jumps = feedback_at(params, rates, respond=JumpResponse)
        near = jumps.mode_near(mode)
        rough = feedback_at(params, rates, respond=functools.partial(JumpResponse, rough=True))
        other = _of_other_sign(rough, jumps, mode, near, highest)
        distance = abs((near if other is None else other) - mode) / (abs(mode) + 1.0)
    except (ValueError, RuntimeError, ZeroDivisionError):  # no grid holds the neuron
        return np.inf, None
    if counted is not None:
        one, two = (rough_fano_factor(each, *counted) for each in (white, jumps))
        distance = max(distance, np.nanmax(np.abs(one / two - 1), initial=0.0))
    return (distance if np.isfinite(distance) else np.inf), other


def _of_other_sign(rough, jumps, mode, near, highest):
    """A mode of finite jumps that says otherwise than white noise's whether the state is stable."""
    omega = np.append(0.0, np.geomspace(highest / 300, highest, _ALONG))
    M = rough.matrix(1j * omega)
    if mode.real < 0 and np.abs(np.linalg.eigvals(M)).max() < _SURELY:
        return None  # nothing grows
    size = np.concatenate([[np.inf], np.abs(np.linalg.det(np.eye(2) - M)), [np.inf]])
    least = np.flatnonzero((size[1:-1] <= size[:-2]) & (size[1:-1] <= size[2:]))
    starts = [near, *(jumps.mode_near(1j * omega[k]) for k in least)]
    starts = [x for x in starts if np.isfinite(x) and abs(x.imag) <= highest]
    if not starts:
        return None
    found = max(starts, key=lambda x: x.real)
    found = complex(found.real, abs(found.imag))
    return found if (found.real < 0) != (mode.real < 0) else None


def _tell(white, jumps):
    """Warn that white noise and finite jumps do not agree whether a state is stable."""
    verdict = "decay" if jumps.real < 0 else "grow"
    warn(
        f"stability: got disturbances that {verdict} by {jumps.real:+.3g}/s under finite jumps and "
        f"by {white.real:+.3g}/s under white noise; the answer is the first, without Fano factors: "
        "simulate it",
    )


def feedback_at(params, rates, **grid):
    """A network linearised about rates of E and I in Hz: a Feedback."""
    neurons = {p: Neuron(params, p, "diffusion") for p in POPULATIONS}
    return linearised(params, neurons, rates, **grid)


def check_sizes(N, fraction_excitatory):
    """Raise ParameterError for sizes that no network has."""
    number = isinstance(N, int | float | np.integer | np.floating) and not isinstance(N, bool)
    if not (number and N >= 2):
        raise ParameterError(f"N: got {N!r}; expected a number of neurons of at least 2, or inf")
    if not 0 < fraction_excitatory < 1:
        raise ParameterError(
            f"fraction_excitatory: got {fraction_excitatory!r}; expected a number between 0 and 1"
        )


def check_in_degrees(params, N, fraction_excitatory):
    """Raise ParameterError for a network that is too small for its in-degrees."""
    require(params)
    if np.isinf(N):
        return
    N_E = round(fraction_excitatory * N)
    sizes = {"E": N_E, "I": N - N_E}
    for target in POPULATIONS:
        values = params.resolve(target)
        wanted = {"E": ("K", values["K"]), "I": ("γK", values["gamma"] * values["K"])}
        for source, (name, k) in wanted.items():
            if sizes[source] <= k:
                share = {"E": fraction_excitatory, "I": 1 - fraction_excitatory}[source]
                raise ParameterError(
                    f"N: got {N:g}, with {sizes[source]:g} {source} neurons; expected more than "
                    f"{name} = {k:g} from {source} to {target}: take N above {k / share:.0f}"
                )


def shares_of(fraction_excitatory):
    """Shares of E and I of all neurons."""
    return np.array([fraction_excitatory, 1 - fraction_excitatory])


def _highest(params):
    """Frequency in Hz up to which modes are looked for."""
    resolved = [params.resolve(p) for p in POPULATIONS]
    return highest_of_interest([(v["D_min"] + v["D_max"]) / 2 for v in resolved])
