"""A neuron of one population as the numerical theory sees it."""

import copy

import numpy as np

from ...model import reduced
from ...model.parameters import POPULATIONS
from . import treatments
from .colored.filtered_membrane import membrane
from .jumps.jump_process import along
from .poisson_driven import PoissonDriven


class Neuron(PoissonDriven):
    """A neuron of one population as the numerical theory sees it: SI floats, arrays of inputs.

    Parameters
    ----------
    params : Parameters
        Values and strings.
    population : {"E", "I"}
        Whose values.
    noise : str
        How fluctuations are treated: a name of :data:`treatments.METHODS`.
    frozen_at : float
        For ``"effective"``: the potential (V) at which B² is taken; NaN for halfway from μ to θ.
    columns : dict of str to ndarray, optional
        Parameters that differ from input to input, in place of those of `params`.
    """

    def __init__(self, params, population="E", noise="diffusion", frozen_at=np.nan, columns=None):
        self.values = params.resolve(population)
        self.columns = {}
        if columns:
            rows = [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ]
            rows = [{**row, **params.model.derive({**self.values, **row})} for row in rows]
            self.columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        self.reduced = reduced.of_model(params.model, self.values)
        self.taus, self.affine = self.reduced.time_constants(self.values), self.reduced.affine
        self.method = treatments.choose(noise, params)
        self.noise, self.frozen_at = self.method.name, frozen_at
        self.tau_rp = self.values["tau_rp"]
        values = {**self.values, "R_E": 0.0, "R_I": 0.0}
        self.threshold, self.reset = (
            float(self.reduced.constant(name, _numbers(values))) for name in ("threshold", "reset")
        )

    def bound(self, r_E, r_I, rows=slice(None)):
        """Values with the total arrival rates of some rows of the inputs, as columns."""
        values = self.values | {name: x[rows, None] for name, x in self.columns.items()}
        R = self.arrivals(r_E, r_I)[rows]
        return {**values, "R_E": R[:, :1], "R_I": R[:, 1:]}

    @property
    def straight(self):
        """Whether leak and jumps are straight lines in v."""
        return self.reduced.affine_leak and self.reduced.affine_jumps

    @property
    def time_constants(self):
        """Of the synapses, by kind, s; zero for those that move v at once."""
        return self.taus

    def arrivals(self, r_E, r_I):
        """Arrivals per second of both kinds, of shape (rows, 2)."""
        values = self.values | self.columns
        return np.stack([values["K"] * r_E, values["gamma"] * values["K"] * r_I], axis=-1)

    def drift(self, r_E, r_I, rows=slice(None)):
        """A(v) of some rows of the inputs, V/s."""
        return self.reduced.function("A", self.bound(r_E, r_I, rows))

    def slope(self, r_E, r_I, rows=slice(None)):
        """Its derivative, 1/s."""
        return self.reduced.function("dA", self.bound(r_E, r_I, rows))

    def squared_noise(self, r_E, r_I, rows=slice(None)):
        """B²(v) of some rows of the inputs, V²/s."""
        return self.reduced.function("B2", self.bound(r_E, r_I, rows))

    def restricted(self, rows):
        """This neuron for some rows of its inputs."""
        some = copy.copy(self)
        some.columns = {name: x[rows] for name, x in self.columns.items()}
        return some

    def jump_fields(self, r_E, r_I):
        """Leak, jumps, rates, whether all are straight, and the leading excitation, by row."""
        columns, straight = self.bound(r_E, r_I), self.straight
        for k in range(r_E.size):
            values = {
                name: float(x[k if x.shape[0] > 1 else 0, 0]) if isinstance(x, np.ndarray) else x
                for name, x in columns.items()
            }
            jumps = tuple(self._displacement(kind, values) for kind in POPULATIONS)
            leak, rates = self.reduced.function("leak", values), (values["R_E"], values["R_I"])
            yield leak, jumps, rates, straight, 0

    def _displacement(self, kind, values):
        h = self.reduced.function(f"jump_{kind}", values)
        return h if self.reduced.targets[kind] == "v" else along(h, self.reduced.affine_jumps)

    def filtered_membrane(self, r_E, r_I, row=0, most=2):
        """The membrane and its synaptic variables under one row of inputs."""
        values = self.values | {name: x[row] for name, x in self.columns.items()}
        R = self.arrivals(r_E, r_I)[row]
        values |= {"R_E": R[0], "R_I": R[1]}
        return membrane(self.reduced, values, values["tau_rp"])

    def passage(self, r_E, r_I, rtol=None, cv=True, moments=False):
        """First-passage statistics for arrays of inputs in Hz: a Passage.

        Raises
        ------
        ConvergenceError
            With the best Passage.
        ParameterError
            If the drift at the threshold is no finite number.
        """
        inputs = tuple(np.ravel(x) for x in np.broadcast_arrays(r_E, r_I))
        return self.answer(inputs, rtol, cv, moments)


def _numbers(values):
    return {name: value for name, value in values.items() if not isinstance(value, str)}
