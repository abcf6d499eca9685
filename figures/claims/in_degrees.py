"""What decides claims about networks with unequal in-degrees."""

from . import verdicts as v
from .claims import Outcome, difference, number
from .one_neuron import IRREGULAR
from .verdicts import Number

BROAD = 0.3  # CV of rates over neurons


def broad(data):
    line = data.rate_cv_theory.sel(model="conductance", scaling="log").isel(K=-1)
    theory = number(line.sel(CV_K=0.1, method="nearest"))
    at = data.sel(model="conductance", scaling="log").isel(K_simulated=-1)
    at = at.sel(CV_K_simulated=0.1, method="nearest")
    simulated = number(at.rate_cv, at.rate_cv_sem)
    note = f"theory at K = {float(line.K):g}, simulation at {float(at.K_simulated):g}"
    verdict = v.every(v.at_least(theory, BROAD), v.at_least(simulated, BROAD))
    return Outcome(verdict, theory, simulated, note)


def tolerance(scaling):
    """CV_K at which a tenth falls silent, conductance over current."""

    def decide(data):
        at = data.sel(scaling=scaling)
        line = at.isel(K=-1)
        theory, places = _ratio(line.CV_K, line.silent_theory)
        smallest = float(line.CV_K[line.CV_K > 0][0])
        coarse = places[1].known and places[1].value < smallest
        if coarse:  # between nothing and the first CV_K: how far below it is not known
            places[1] = Number(smallest)
            theory = v.ratio(*places)
        seen = at.isel(K_simulated=-1)
        simulated, _ = _ratio(seen.CV_K_simulated, seen.quiet, seen.quiet_sem)
        same = at.sel(K=float(seen.K_simulated), method="nearest")
        alike, _ = _ratio(same.CV_K, same.quiet_theory)
        verdict = v.every(*(v.at_least(n, 1.5) for n in (theory, simulated)))
        shown = ["beyond" if not p.known else f"{p.value:.3f}" for p in places]
        shown[1] = "below " * coarse + shown[1]
        rates, fano = (
            seen[name].sel(CV_K_simulated=0.1, method="nearest") for name in ("rate", "fano")
        )
        note = (
            f"theory: silent below 0.01 Hz, K = {float(line.K):g}, conductance {shown[0]}, current "
            f"{shown[1]}{', so that the ratio is at least this' * coarse}; simulation: no spike in "
            f"{float(seen.seconds):g} s, K = {float(seen.K_simulated):g}, where theory expects "
            f"{alike.value:.2f}; at CV_K = 0.1 mean rates {_both(rates)} Hz, Fano factors "
            f"{_both(fano)} (conductance, current)"
        )
        return Outcome(verdict, theory, simulated, note)

    return decide


def _both(values):
    return " and ".join(f"{float(values.sel(model=m)):.0f}" for m in ("conductance", "current"))


def _ratio(spread, share, sem=None):
    """Where a share reaches a tenth, conductance over current, and the two places."""
    places = []
    for model in ("conductance", "current"):
        errors = 0 * share if sem is None else sem
        line, error = (x.sel(model=model).values for x in (share, errors))
        places.append(v.crossing(spread.values, line, 0.1, error))
    return v.ratio(*places), places


def _lost(data, K, along):
    """CV of intervals that in-degrees of CV_K = 0.1 cost under 1/√K, by theory or simulation."""
    at = data.sel(model="conductance", scaling="sqrt")
    if along == "K":
        line = at.cv_theory.sel(K=K)
        found = [number(line.sel(CV_K=c, method="nearest")) for c in (0.0, 0.1)]
    else:
        seen = [at.sel(K_simulated=K).sel(CV_K_simulated=c, method="nearest") for c in (0.0, 0.1)]
        found = [number(one.cv, one.cv_sem) for one in seen]
    return difference(*found)


def rescue(data):
    K, K_simulated = data.K.values[-1], data.K_simulated.values[-1]
    theory, simulated = _lost(data, K, "K"), _lost(data, K_simulated, "K_simulated")
    at = data.cv_theory.sel(model="conductance", scaling="sqrt", K=K)
    left = number(at.sel(CV_K=0.1, method="nearest"))
    verdict = v.every(v.at_least(theory, 0), v.at_least(simulated, 0), v.at_most(left, IRREGULAR))
    note = f"theory at K = {K:g}, where {left.value:.2f} is left; simulation at {K_simulated:g}"
    return Outcome(verdict, theory, simulated, note)


def rescue_dies(data):
    found = []
    for along in ("K", "K_simulated"):
        K = data[along].values
        found.append(difference(_lost(data, K[-1], along), _lost(data, K[0], along)))
    verdict = v.every(*(v.at_least(n, 0) for n in found))
    spans = [f"{data[k].values[0]:g} to {data[k].values[-1]:g}" for k in ("K", "K_simulated")]
    return Outcome(verdict, *found, f"theory from K = {spans[0]}, simulation {spans[1]}")
