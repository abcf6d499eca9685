"""External input of a network as Brian2 objects: Poisson trains onto every neuron of a block."""

import brian2
import numpy as np
from brian2.equations.equations import Equations
from scipy import stats

from ...errors import ParameterError
from ...model.distributions import Law
from ..wiring import edges
from . import statements
from .synapses import make

_MOST_AT_ONCE = 40  # arrivals at one neuron in one step, each of which is a synapse
_NEVER = 1e-10  # probability of more of them in a step
_MOST_TRAINS = 2_000_000  # that are drawn one by one


class Trains:
    """Poisson trains of inputs that have one name and kind, onto neurons of one block.

    The trains at a neuron are one Poisson process of their summed rate, whose number of arrivals
    in a step is drawn at once. Where a statement does with n spikes n times what it does with one,
    one synapse delivers them; otherwise there is one for the first, one for the second, and so on.
    Where synapses have variables or efficacies of their own, every train is a source by itself.

    Parameters
    ----------
    name : str
    rows : list of Input
        In SI.
    block : cbnet.simulation.brian.objects.Block
        Of their targets.
    sizes : dict of str to int
    dt : float
        In s.
    rng : numpy.random.Generator
        Of the numbers of trains.

    Attributes
    ----------
    objects : list
        Of Brian2.
    """

    def __init__(self, name, rows, block, sizes, dt, rng):
        self.name, self.rows, self.block, self.dt = name, rows, block, dt
        self.synapse = block.neuron.synapses[rows[0].kind]
        spans = [(block.first[one.target], sizes[one.target]) for one in rows]
        self.targets = np.concatenate([first + np.arange(size) for first, size in spans])
        drawn = [
            edges.numbers(one.wiring, one.number, size, rng)
            for one, (_, size) in zip(rows, spans, strict=True)
        ]
        self.numbers = np.concatenate(drawn)
        self.rates = np.concatenate(
            [np.full(len(n), r.rate) for n, r in zip(drawn, rows, strict=True)]
        )
        self.sizes = [len(n) for n in drawn]
        if self.synapse.equations or any(isinstance(one.w, Law) for one in rows):
            self.objects = self._one_by_one(rng)
        else:
            self.objects = self._together()

    def _together(self):
        means = self.numbers * self.rates * self.dt
        code = statements.of_held_neurons(self.synapse.on_pre)
        at_once = statements.many_at_once(code, "arrived_pre")
        most = 1
        if at_once is None:
            most = max(1, int(stats.poisson.isf(_NEVER, means.max(initial=0.0))))
        if most > _MOST_AT_ONCE:
            raise ParameterError(
                f"{self.rows[0].place}: got {means.max():.3g} arrivals in a step of "
                f"{self.dt * 1e3:g} ms; expected fewer for a statement that is run for each of "
                "them; take a shorter dt"
            )
        until = self.rows[0].until
        ends = "" if until is None else f"*int(t < {until!r}*second)"
        size = len(self.targets)
        group = brian2.NeuronGroup(
            size,
            Equations(
                f"arrived = poisson(mean_number{ends}) : integer (constant over dt)\n"
                "mean_number : 1 (constant)"
            ),
            threshold="arrived > 0",
            namespace={},
            name=self.name,
        )
        group.set_event_schedule("spike", when="groups", order=1)
        group.variables["mean_number"].set_value(means)
        if at_once is None:
            at_once = statements.only_where(code, "level <= arrived_pre")
        i = np.repeat(np.arange(size), most)
        w = [np.repeat(w, most) if np.ndim(w) else w for w in self._w()]
        synapses = self._connect(group, i, self.targets[i], w, at_once)
        synapses.variables["level"].set_value(np.tile(np.arange(1, most + 1), size))
        return [group, synapses]

    def _one_by_one(self, rng):
        counts = self.numbers.astype(int)
        if counts.sum() > _MOST_TRAINS:
            raise ParameterError(
                f"{self.rows[0].place}.number: got {int(counts.sum())} trains in all; expected at "
                f"most {_MOST_TRAINS} where each has a synapse of its own; take one w for all, "
                "fewer trains of a higher rate, or a kind without equations"
            )
        rates, targets = np.repeat(self.rates, counts), np.repeat(self.targets, counts)
        until = self.rows[0].until
        ends = "" if until is None else f" and t < {until!r}*second"
        group = brian2.NeuronGroup(
            max(len(rates), 1),
            "chance : 1 (constant)",
            threshold=f"rand() < chance{ends}",
            namespace={},
            name=self.name,
        )
        group.set_event_schedule("spike", when="groups", order=1)
        if len(rates):
            group.variables["chance"].set_value(rates * self.dt)
        ends = np.cumsum([0, *self.sizes])
        per_row = [int(counts[a:b].sum()) for a, b in zip(ends, ends[1:], strict=False)]
        w = [
            one.w.draw(rng, n) if isinstance(one.w, Law) else one.w
            for one, n in zip(self.rows, per_row, strict=True)
        ]
        if w[0] is not None:
            w = [np.concatenate([np.broadcast_to(x, n) for x, n in zip(w, per_row, strict=True)])]
        synapses = self._connect(group, np.arange(len(rates)), targets, w)
        return [group, synapses]

    def _w(self):
        ws = [one.w for one in self.rows]
        if ws[0] is None or len(set(ws)) == 1:
            return ws[:1]
        return [np.concatenate([np.full(n, w) for n, w in zip(self.sizes, ws, strict=True)])]

    def _connect(self, group, i, j, ws, on_pre=None):
        name, kind = f"{self.name}_synapses", self.rows[0].kind
        made = make(name, group, self.block, kind, ws, on_pre=on_pre)
        if len(i):
            made.synapses.connect(i=i, j=j)
        else:
            made.synapses.connect(False)
        if made.each and len(i):
            made.synapses.variables[made.each].set_value(np.asarray(ws[0], float))
        return made.synapses
