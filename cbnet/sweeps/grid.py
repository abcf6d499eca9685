"""What a sweep is of: models, values, axes, seeds, what to compute; and every point of it."""

import itertools
from dataclasses import dataclass, field

from ..errors import CbnetError, ModelError, ParameterError
from ..model.parameters import Parameters
from . import rules
from .axes import SETTINGS, Axis

# Do not enter what "preserving" keeps, so that one search serves all their values.
_UNSCALED = ("nu_X", "D_min", "D_max", "law", "CV_K", "r_E", "r_I")


@dataclass(frozen=True)
class Point:
    """One place of the grid.

    Attributes
    ----------
    index : tuple of int
        Position along every axis.
    setting : dict
        What the axes set there, SI.
    params : Parameters or None
    resolved : tuple of dict
        Values of both populations.
    N : int or None
        Neurons, where there is a simulation.
    refusal : str
        Why nothing can be computed there; empty if it can.
    """

    index: tuple
    setting: dict
    params: object = None
    resolved: tuple = ()
    N: int | None = None
    refusal: str = ""


@dataclass(frozen=True)
class Grid:
    """A sweep, checked: everything in SI units.

    Attributes
    ----------
    bases : dict of str to Parameters
        Models by the name they were given by, at the values that all points share.
    axes : tuple of Axis
    seeds : tuple of int
    run : {"theory", "simulation", "both"}
    subject : {"network", "neuron"}
        What the theory is of.
    noise : str or None
    rtol : float or None
    size : dict
        ``{"N": ...}`` or ``{"N_E": ...}``, numbers or rules.
    fraction_excitatory : float
    scaling : str or None
        How the efficacy follows K.
    options : dict
        Of :func:`cbnet.simulate`: duration, transient, dt (s), record, initial, storage,
        arrivals; graph_seed where it is given.
    keep : tuple of str
        Names of what results hold.
    """

    bases: dict
    axes: tuple
    seeds: tuple
    run: str
    subject: str
    noise: str | None
    rtol: float | None
    size: dict
    fraction_excitatory: float
    scaling: str | None
    options: dict
    keep: tuple
    _scaled: dict = field(default_factory=dict, repr=False, compare=False)

    @property
    def shape(self):
        """Numbers of values along the axes."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def theory(self):
        """Whether theory is computed."""
        return self.run != "simulation"

    @property
    def simulation(self):
        """Whether networks are simulated."""
        return self.run != "theory"

    def setting(self, index):
        """What the axes set at one place: a dict."""
        found = {}
        for axis, k in zip(self.axes, index, strict=True):
            found |= axis.at(k)
        return found

    def points(self):
        """Every point, in the order of the axes; a point that cannot be used says why."""
        for index in itertools.product(*(range(len(axis)) for axis in self.axes)):
            setting = self.setting(index)
            try:
                params = self._parameters(setting)
                resolved = _resolved(params)
                N = self._neurons(setting, resolved[0]["K"]) if self.simulation else None
            except (ParameterError, ModelError) as error:
                yield Point(index, setting, refusal=str(error))
            else:
                yield Point(index, setting, params, resolved, N)

    def _parameters(self, setting):
        base = self.bases[setting.get("model", next(iter(self.bases)))]
        model = base.model
        given = {}
        for name, value in setting.items():
            if name in SETTINGS:
                continue
            population, _, plain = name.rpartition(".")
            prefix = f"{population}." if population else ""
            for target in model.aliases.get(plain, (plain,)):
                model.entry(target, name)  # refuses what this model does not have
                if given.setdefault(prefix + target, value) != value:
                    raise ParameterError(f"{name}: got {prefix + target} from two axes; drop one")
        law = setting.get("scaling", self.scaling)
        scaled = law not in (None, "none") and "K" in given
        K = given.pop("K") if scaled else None
        start = base.updated(given)
        if not scaled:
            return start
        return Parameters(model, {**start.changes, **self._scale(start, law, K, setting)})

    def _scale(self, start, law, K, setting):
        """K and a that a law gives; one computation for all points that share them."""
        noise = setting.get("noise", self.noise)
        relevant = {
            name: x for name, x in start.changes.items() if name.rpartition(".")[2] not in _UNSCALED
        }
        key = (start.model.name, law, K, noise, tuple(sorted(relevant.items())))
        if key not in self._scaled:
            how = {"noise": noise} if law == "preserving" and noise else {}
            try:
                found = Parameters(start.model, relevant).scaled(law, K, **how)
                self._scaled[key] = {
                    name: x for name, x in found.changes.items() if relevant.get(name) != x
                }
            except CbnetError as error:
                self._scaled[key] = error
        if isinstance(self._scaled[key], CbnetError):
            raise ParameterError(str(self._scaled[key]))
        return self._scaled[key]

    def _neurons(self, setting, K):
        size = next(({n: setting[n]} for n in ("N", "N_E") if n in setting), self.size)
        if "N" in size:
            return rules.evaluate(size["N"], K, "N")
        N_E, share = rules.evaluate(size["N_E"], K, "N_E"), self.fraction_excitatory
        around = round(N_E / share)
        for N in (around, around - 1, around + 1):
            if round(share * N) == N_E:
                return N
        raise ParameterError(
            f"N_E: got {N_E}; no N has a share of {share:g} of excitatory neurons that is this"
        )

    def to_dict(self):
        """Everything, ready for JSON."""
        return {
            "bases": {name: base.to_dict() for name, base in self.bases.items()},
            "axes": [{"names": a.names, "values": a.values, "units": a.units} for a in self.axes],
            **{
                name: getattr(self, name)
                for name in (
                    *("seeds", "run", "subject", "noise", "rtol", "size"),
                    *("fraction_excitatory", "scaling", "options", "keep"),
                )
            },
        }

    @classmethod
    def from_dict(cls, stored):
        """The inverse of :meth:`to_dict`."""
        given = dict(stored)
        given["bases"] = {n: Parameters.from_dict(b) for n, b in given["bases"].items()}
        given["axes"] = tuple(
            Axis(tuple(a["names"]), tuple(map(tuple, a["values"])), tuple(a["units"]))
            for a in given["axes"]
        )
        for name in ("seeds", "keep"):
            given[name] = tuple(given[name])
        return cls(**given)


def _resolved(params):
    """Values of both populations; computed once if there is nothing to differ in."""
    first = params.resolve("E")
    alike = not any("." in name for name in params.changes)
    return first, first if alike else params.resolve("I")
