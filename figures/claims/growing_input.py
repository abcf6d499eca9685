"""What decides claims about networks whose input grows."""

import numpy as np

from . import verdicts as v
from .claims import Outcome, difference, number
from .verdicts import Number


def trend(case, name, sign):
    """ln of a measure at the largest input over that at the smallest simulated one."""

    def decide(data):
        at = data.sel(case=case)
        if at.sizes["nu_X_simulated"] < 2:
            return Outcome(v.UNDECIDED)
        line = np.log(np.abs(at[f"{name}_theory"].interp(nu_X=at.nu_X_simulated.values)))
        theory = Number(float(line[-1] - line[0]))
        sem = at[f"{name}_sem"] if f"{name}_sem" in data else 0 * at[name]
        first, last = (
            number(np.log(np.abs(at[name][i])), np.abs(sem[i] / at[name][i])) for i in (0, -1)
        )
        simulated = difference(last, first)
        if sign is None:  # wherever theory goes
            test = v.at_most if theory.value < 0 else v.at_least
            tests = [test(simulated, 0)]
        elif sign == 0:
            tests = [v.between(n, -0.01, 0.01) for n in (theory, simulated)]
        else:
            test = v.at_most if sign < 0 else v.at_least
            tests = [test(n, 0) for n in (theory, simulated)]
        note = "simulation: computed from its rates and their errors" if name == "tau_eff" else ""
        return Outcome(v.every(*tests), theory, simulated, note)

    return decide


def supralinear(data):
    """Local exponent between the smallest two inputs less that between the largest two."""
    at = data.sel(case="conductance, K = 1000")
    x = np.log(at.nu_X_simulated.values)
    if len(x) < 3:
        return Outcome(v.UNDECIDED)
    # what each logarithm of a rate adds to the first slope, and to the difference
    first, last = np.zeros((2, len(x)))
    first[:2] = np.array([-1, 1]) / (x[1] - x[0])
    last[-2:] = np.array([-1, 1]) / (x[-1] - x[-2])
    share = first - last
    line = np.interp(x, np.log(at.nu_X.values), np.log(at.rate_theory.values))
    theory = Number(float(share @ line))
    seen, errors = np.log(at.rate.values), (at.rate_sem / at.rate).values
    simulated = Number(float(share @ seen), float(np.sqrt(share**2 @ errors**2)))
    slopes = [
        Number(float(first @ line)),
        Number(float(first @ seen), float(np.sqrt(first**2 @ errors**2))),
    ]
    verdict = v.every(
        *(v.at_least(n, 0) for n in (theory, simulated)), *(v.at_least(n, 1) for n in slopes)
    )
    values = at.exponent.values[np.isfinite(at.exponent.values)]
    note = f"theory over all inputs: from {values[0]:.2f} to {values[-1]:.2f}"
    return Outcome(verdict, theory, simulated, note)
