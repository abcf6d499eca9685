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
    line = data.exponent.sel(case="conductance, K = 1000")
    values = line.values[np.isfinite(line.values)]
    theory = Number(float(values[0] - values[-1]))
    note = f"local exponent from {values[0]:.2f} to {values[-1]:.2f}; theory only"
    return Outcome(v.at_least(theory, 0), theory, None, note)
