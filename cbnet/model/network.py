"""A network, resolved once: populations, who projects to whom, what comes from outside (SI)."""

import functools
from dataclasses import FrozenInstanceError

from ..errors import ParameterError
from . import addresses, distinct, plain, replacement, rescaling, resolution, two_populations
from .links import Arrival, Current, Input, Population, Projection
from .table import table

__all__ = ["Arrival", "Current", "Input", "Network", "Population", "Projection"]


class Network:
    """Populations, projections, inputs and currents, checked.

    Parameters
    ----------
    populations : sequence of Population
    projections : sequence of Projection, optional
        As of :func:`cbnet.matrix`. One of each kind between two populations.
    inputs : sequence of Input, optional
    currents : sequence of Current, optional

    Attributes
    ----------
    populations, projections, inputs, currents : tuple
        With values in SI units.
    names : tuple of str
        Of the populations.
    sizes : dict of str to int or None

    Raises
    ------
    ParameterError
        In one line, which begins with the place: ``SOM->E.w: got ...``.
    """

    def __init__(self, populations, projections=(), inputs=(), currents=()):
        given = _listed(populations, Population, "populations")
        own = vars(self)  # which is frozen
        own["populations"] = tuple(map(resolution.population, given))
        own["names"] = tuple(p.name for p in self.populations)
        own["_by_name"] = {p.name: p for p in self.populations}
        own["sizes"] = {p.name: p.size for p in self.populations}
        if len(self._by_name) < len(self.names) or not self.names:
            raise ParameterError(
                f"populations: got {', '.join(self.names) or 'none'}; expected different names"
            )
        own["projections"] = tuple(
            resolution.projection(p, self._of(p, p.source), self._of(p, p.target))
            for p in _listed(projections, Projection, "projections")
        )
        own["inputs"] = tuple(
            resolution.input_(p, self._of(p, p.target)) for p in _listed(inputs, Input, "inputs")
        )
        own["currents"] = tuple(
            resolution.current(c, self._of(c, c.target))
            for c in _listed(currents, Current, "currents")
        )
        self._check_names()

    def __setattr__(self, name, value):
        raise FrozenInstanceError(
            f"{name}: networks are frozen; take a changed copy: net.replace({{ADDRESS: value}})"
        )

    def _of(self, link, name):
        if not isinstance(name, str) or name not in self._by_name:
            raise ParameterError(
                f"{link.place}: got the population {name!r}; expected one of "
                f"{', '.join(self.names)}"
            )
        return self._by_name[name]

    def _check_names(self):
        """Refuse origins that could be taken for each other, and links that are there twice."""
        for link in (*self.inputs, *self.currents):
            if link.name in self._by_name:
                raise ParameterError(
                    f"{link.place}: got {link.name!r}, the name of a population; choose another"
                )
        for links in (self.projections, self.inputs, self.currents):
            seen = set()
            for link in links:
                key = link.place, getattr(link, "kind", None)
                if key in seen:
                    raise ParameterError(
                        f"{link.place}: got it twice{f' of the kind {key[1]!r}' * bool(key[1])}; "
                        "expected one: add them up, or give the neuron two kinds with the same "
                        "string"
                    )
                seen.add(key)

    def __getitem__(self, name):
        if name not in self._by_name:
            raise ParameterError(
                f"{name!r}: got no such population; expected one of {', '.join(self.names)}"
            )
        return self._by_name[name]

    def values(self, name):
        """Values of the neuron's parameters in SI, by name: floats, arrays or laws."""
        return dict(self[name].values)

    def drive(self, name):
        """What the currents add to dv/dt of a population, V/s."""
        return sum((c.value for c in self.currents if c.target == name), 0.0)

    def arrivals(self, rates):
        """Every row of arrivals at these rates (Hz), by name or in the order of `names`."""
        if not hasattr(rates, "keys"):
            rates = dict(zip(self.names, rates, strict=True))
        recurrent = [
            Arrival(p.target, p.source, p.kind, p.w, p.number, self.spread(p), rates[p.source],
                    p.delay)
            for p in self.projections
        ]  # fmt: skip
        external = [
            Arrival(p.target, p.name, p.kind, p.w, p.number, self.spread(p), p.rate, 0.0)
            for p in self.inputs
        ]
        return (*recurrent, *external)

    def spread(self, p):
        """Standard deviation of the numbers of a projection or input over target neurons."""
        source = self.sizes.get(getattr(p, "source", None))  # that of an input has no end
        return p.wiring.spread(p.number, source, self.sizes[p.target])

    def total(self, name, rates):
        """Arrivals per second at one neuron of a population, by (kind, w)."""
        found = {}
        for row in self.arrivals(rates):
            if row.target == name:
                key = (row.kind, row.w)
                found[key] = found.get(key, 0.0) + row.total
        return found

    def value(self, address):
        """The unit and the value (SI) of what an address names; one value, wherever it stands.

        Parameters
        ----------
        address : str
            As of :meth:`replace`.

        Returns
        -------
        unit : str
        value : float, ndarray or law
        """
        return addresses.value(self, address)

    def replace(self, changes):
        """A copy with other values.

        Parameters
        ----------
        changes : dict
            By address, with units: ``"PV.tau_L"`` (a parameter of a population), ``"SOM->E.w"``,
            ``"*->E.delay"`` (``*`` is every population), ``"E->E:NMDA.w"`` (where a source has
            synapses of several kinds), ``"thalamus->PV.rate"``, ``"thalamus.rate"`` (at all its
            targets), ``"E.size"`` (in-degrees stay).

        Returns
        -------
        Network

        Raises
        ------
        ParameterError
            For an address that names nothing, and values that cannot be used.

        Examples
        --------
        >>> import cbnet
        >>> net = cbnet.Network.ei(cbnet.load("conductance"))
        >>> net.replace({"I.tau_L": "10 ms", "external.rate": "20 Hz"}).value("external->E.rate")
        ('Hz', 20.0)
        """
        return replacement.replaced(self, changes)

    def scaled(self, law, factor):
        """A copy with other in-degrees, and efficacies that follow a law.

        Parameters
        ----------
        law : {"sqrt", "inverse", "log"}
            w ∝ 1/√K, 1/K or 1/ln K, K the in-degree of each projection or input.
        factor : float
            By which every in-degree and number of inputs changes; sizes stay.

        Returns
        -------
        Network
            Currents change as the drive of an input does: by √factor, or not with ``"inverse"``.

        Raises
        ------
        ParameterError
            For another law (``"preserving"`` needs the theory), in-degrees above the size of the
            source, and edges that are given.

        References
        ----------
        C. van Vreeswijk and H. Sompolinsky, Science 274, 1724 (1996); A. Sanzeni, M. H. Histed and
        N. Brunel, Phys. Rev. X 12, 011044 (2022).
        """
        return rescaling.scaled(self, law, factor)

    def resized(self, scale, rates):
        """A copy of fewer neurons that fires alike.

        Parameters
        ----------
        scale : float
            Of sizes and in-degrees, 0.1 for a tenth.
        rates : dict of str to Quantity, or Quantity of shape (P,)
            At which the populations of this network fire.

        Returns
        -------
        Network
            Efficacies are w/√scale, so that the variance of the drive is kept. Its mean is restored
            at these rates: where it is the same at every v, by a :class:`Current` called
            "restored"; where synapses are conductances, by other values of ``tau_L`` and ``E_L``,
            which restore the mean conductance as well.

        Raises
        ------
        ParameterError
            For edges or values that are given one by one, and for neurons whose mean drive or leak
            has another form: theirs cannot be restored.

        Notes
        -----
        What is kept is mean and variance of the drive; jumps are larger, which makes a difference
        where they are not small. In-degrees of ``FixedIn`` are rounded; of inputs the rate takes up
        the fraction. Correlations grow as the network shrinks, and so does the relative spread of
        in-degrees, save that of ``GaussianIn``.

        References
        ----------
        S. J. van Albada, M. Helias, M. Diesmann, PLoS Comput. Biol. 11, e1004490 (2015).
        """
        return rescaling.resized(self, scale, rates)

    @property
    def distinct(self):
        """(names of representatives, index of the representative of each population).

        Populations share one if their rates must be equal in every state: the same neuron and
        values, and the same arrivals of the same origins, or of origins of which that is known.
        """
        return distinct.distinct(self)

    def to_dict(self):
        """Everything needed to make this object again, ready for JSON; numbers in SI units."""
        return plain.to_dict(self)

    @classmethod
    def from_dict(cls, stored):
        """The inverse of :meth:`to_dict`."""
        return cls(*plain.from_dict(stored))

    @functools.cached_property
    def fingerprint(self):
        """SHA-256 of strings and values: equal exactly when all of them are."""
        return plain.fingerprint(self)

    def __eq__(self, other):
        return isinstance(other, Network) and self.fingerprint == other.fingerprint

    def __hash__(self):
        return hash(self.fingerprint)

    def __repr__(self):
        return table(self)

    @classmethod
    def ei(cls, params, N=None, fraction_excitatory=0.8):
        """The network of E and I that parameters say.

        Parameters
        ----------
        params : Parameters
        N : int, optional
            Of all neurons; theory needs no sizes.
        fraction_excitatory : float

        Returns
        -------
        Network
            Populations and kinds ``E`` and ``I``; the input ``external`` onto each, of kind E.

        Raises
        ------
        ParameterError
            For a law of in-degrees that has no wiring here.
        """
        return cls(*two_populations.parts(params, N, fraction_excitatory))


def _listed(given, kind, place):
    """The parts in a sequence, each of which is of its kind."""
    parts = tuple(given) if isinstance(given, list | tuple) else (given,)
    for part in parts:
        if not isinstance(part, kind):
            raise ParameterError(
                f"{place}: got {str(part)[:40]!r}; expected a list of cbnet.{kind.__name__}"
            )
    return parts
