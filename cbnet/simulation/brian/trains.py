"""External input of a network as Brian2 objects: Poisson trains onto every neuron of a block."""

import brian2
import numpy as np
from brian2.equations.equations import Equations
from scipy import stats

from ...errors import ParameterError, warn
from ...model.distributions import Law
from ..wiring import edges
from . import statements
from .synapses import alike, make

_MOST_AT_ONCE = 40  # arrivals at one neuron in one step, each of which is a synapse
_NEVER = 1e-10  # probability of more of them in a step
_MOST_TRAINS = 2_000_000  # that are drawn one by one
_LOST = 0.02  # of the noise, beyond which it is told that trains have one spike a step


class Trains:
    """Poisson trains of inputs that have one name and kind, onto neurons of one block.

    The trains at a neuron are one Poisson process of their summed rate, whose number of arrivals
    in a step is drawn at once; where efficacies are drawn from a law, every train is a process by
    itself. Where a statement does with n spikes n times what it does with one, one synapse
    delivers them; otherwise there is one for the first, one for the second, and so on. A synapse
    that has variables takes one spike of its train in a step, as do trains that are said to have no
    more.

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
        each = bool(self.synapse.equations) or rows[0].one_a_step
        if each or any(isinstance(one.w, Law) for one in rows):
            means, targets, ws = self._trains(rng)
        else:
            means, targets, ws = self.numbers * self.rates * dt, self.targets, self._w()
        if each:
            self._tell_of_lost(means)
            self.objects = self._one_a_step(means, targets, ws)
        else:
            self.objects = self._poisson(means, targets, ws)

    def _trains(self, rng):
        """Mean spikes of every train in a step, its target, and efficacies as `make` takes them."""
        counts = self.numbers.astype(int)
        if counts.sum() > _MOST_TRAINS:
            raise ParameterError(
                f"{self.rows[0].place}.number: got {int(counts.sum())} trains in all; expected at "
                f"most {_MOST_TRAINS} where each has a synapse of its own; take one w for all, "
                "fewer trains of a higher rate, or a kind without equations"
            )
        ends = np.cumsum([0, *self.sizes])
        per_row = [int(counts[a:b].sum()) for a, b in zip(ends, ends[1:], strict=False)]
        ws = [
            one.w.draw(rng, n) if isinstance(one.w, Law) else one.w
            for one, n in zip(self.rows, per_row, strict=True)
        ]
        if alike(ws):
            ws = ws[:1]
        else:
            ws = [np.concatenate([np.broadcast_to(x, n) for x, n in zip(ws, per_row, strict=True)])]
        return np.repeat(self.rates, counts) * self.dt, np.repeat(self.targets, counts), ws

    def _tell_of_lost(self, means):
        """Warn where one spike a step is not asked for, and leaves out some of the noise."""
        lost = float(means.max(initial=0.0))
        if lost > _LOST and not self.rows[0].one_a_step:
            warn(
                f"{self.rows[0].place}.rate: got trains of {lost:.2g} spikes in a step of "
                f"{self.dt * 1e3:g} ms onto synapses with variables of their own, which take one; "
                f"the noise lacks {lost:.0%}: take a shorter dt, or more trains of a lower rate"
            )

    def _poisson(self, means, targets, ws):
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
        group = self._group(
            len(means),
            Equations(
                f"arrived = poisson(mean_number{self._while('*int({})')}) : integer "
                "(constant over dt)\nmean_number : 1 (constant)"
            ),
            "arrived > 0",
        )
        if len(means):
            group.variables["mean_number"].set_value(means)
        if at_once is None:
            at_once = statements.only_where(code, "level <= arrived_pre")
        i = np.repeat(np.arange(len(means)), most)
        ws = [np.repeat(w, most) if np.ndim(w) else w for w in ws]
        synapses = self._connect(group, i, targets[i], ws, at_once)
        if len(i):
            synapses.variables["level"].set_value(np.tile(np.arange(1, most + 1), len(means)))
        return [group, synapses]

    def _one_a_step(self, means, targets, ws):
        group = self._group(
            len(means), "chance : 1 (constant)", f"rand() < chance{self._while(' and {}')}"
        )
        if len(means):
            group.variables["chance"].set_value(means)
        return [group, self._connect(group, np.arange(len(means)), targets, ws)]

    def _while(self, form):
        """The condition that the input has not ended, in a form; nothing if it does not end."""
        until = self.rows[0].until
        return "" if until is None else form.format(f"t < {until!r}*second")

    def _group(self, size, equations, threshold):
        """Sources that spike by themselves."""
        group = brian2.NeuronGroup(
            max(size, 1), equations, threshold=threshold, namespace={}, name=self.name
        )
        group.set_event_schedule("spike", when="groups", order=1)
        return group

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
