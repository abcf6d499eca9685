"""Statistics of every population of a network, from what a simulation accumulated."""

import numpy as np

from . import irregularity, local_variation, long_run, statistics
from .online import PARTS


def by_population(accumulated):
    """Statistics with a population dimension.

    Parameters
    ----------
    accumulated : Accumulated

    Returns
    -------
    fields : dict of ndarray, shape (P, ...)
        In SI, named as the fields of a result.
    notes : list of str
        Numbers that are not known, and why.
    doubts : list of str
        Numbers that should not be trusted, and why.
    """
    seen, lasting = accumulated.observation, _lasting(accumulated)
    rows, notes, doubts = [], [], []
    for p, name in enumerate(seen.names):
        spiking, doubt = _of_spikes(accumulated, p, lasting)
        if doubt:
            (notes if np.isnan(spiking["cv"]) else doubts).append(f"cv_{name} {doubt}")
        rows.append(spiking | _of_membrane(accumulated, p, lasting))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}, notes, doubts


def unknown_errors(fields, accumulated):
    """Why standard errors are not known, in no sentence or one."""
    seen = accumulated.observation
    window, known = seen.steps * seen.dt, seen.correlation_time
    if not long_run.long_enough(window, known):
        return [
            f"standard errors need {long_run.SHORTEST} times the {known * 1e3:.4g} ms over which "
            f"activity may be correlated: measure for {long_run.SHORTEST * known:.3g} s"
        ]
    if np.isinf(_lasting(accumulated)):
        return [
            "standard errors: the neurons' rates wander together, which fluctuates too slowly for "
            f"{window:.3g} s: take several seeds"
        ]
    names = [name.removesuffix("_sem") for name in fields if name.endswith("_sem")]
    unknown = [
        name
        for name in names
        if np.any(np.isfinite(fields[name]) & np.isnan(fields[f"{name}_sem"]))
    ]
    if not unknown:
        return []
    return [f"standard error of {', '.join(unknown)}: fluctuates too slowly for {window:.3g} s"]


def _lasting(accumulated):
    """Time over which correlations last in s; infinite where the window cannot show it."""
    seen = accumulated.observation
    in_parts = seen.correlation_time / (seen.steps * seen.dt) * PARTS
    wander = seen.connected and long_run.wander(accumulated.interval_sums[:, :, 0], in_parts)
    return np.inf if wander else seen.correlation_time


def _of_spikes(accumulated, p, lasting):
    seen = accumulated.observation
    window, bin_s = seen.steps * seen.dt, seen.steps_per_bin * seen.dt
    counts, spikes = accumulated.counts[p], accumulated.spikes[seen.spans[p]]
    rate = statistics.rate(counts, bin_s, len(spikes), spikes.sum(), window, lasting)
    fano = statistics.fano(counts, lasting / bin_s)
    cv = irregularity.measured(accumulated, p, lasting)
    cv2, lvr, pairs = local_variation.measured(accumulated, p, lasting)
    return {
        "rate": rate.value,
        "rate_sem": rate.sem,
        "cv": cv.value,
        "cv_sem": cv.sem,
        "cv_count": cv.count,
        "cv2": cv2[0],
        "cv2_sem": cv2[1],
        "lvr": lvr[0],
        "lvr_sem": lvr[1],
        "cv2_count": pairs,
        "fano_1ms": fano.value,
        "fano_1ms_sem": fano.sem,
    }, cv.doubt


def _of_membrane(accumulated, p, lasting):
    seen = accumulated.observation
    pieces = lasting / (seen.steps * seen.dt) * seen.pieces
    mean, sd = statistics.mean_and_sd(accumulated.voltage_sums[p], seen.reference[p], pieces)
    grid, heights, outside = statistics.density(accumulated.histogram[p], seen.low[p], seen.high[p])
    found = [statistics.mean_and_sd(sums, 0.0, pieces) for sums in accumulated.current_sums[p]]
    return {
        "V_mean": mean.value,
        "V_mean_sem": mean.sem,
        "V_sd": sd.value,
        "V_sd_sem": sd.sem,
        "V_grid": grid,
        "V_density": heights,
        "V_outside": outside,
        "current_mean": np.array([m.value for m, _ in found]),
        "current_mean_sem": np.array([m.sem for m, _ in found]),
        "current_sd": np.array([s.value for _, s in found]),
        "current_sd_sem": np.array([s.sem for _, s in found]),
    }
