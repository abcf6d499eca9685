"""External input: independent Poisson trains into every neuron."""

import numpy as np

from .kernel import Kernel, span, whole


class Drive(Kernel):
    """Add to a variable of the targets a Poisson number of spikes in each step.

    A neuron has K_X independent trains of one rate, whose number of spikes in a step is one Poisson
    draw of mean K_X ν_X dt. Brian2's ``PoissonInput`` draws a binomial number for every neuron, or
    a Gaussian one where that is large; here the cost does not grow with the mean
    (``cpp/poisson.h``).

    Parameters
    ----------
    target : NeuronGroup or Subgroup
    variable : str
        The integer variable that counts; whoever reads it sets it to zero.
    rate : str
        Variable of the targets, shared by all, that holds the rate of a train. It is read in every
        step.
    when, order, name
        As for any Brian2 object.
    """

    def __init__(
        self,
        target,
        variable,
        rate,
        when="synapses",
        order=-1,
        name="drive*",
    ):
        super().__init__("drive", whole(target).clock, when, order, name)
        self.target, self.variable, self.rate = target, variable, rate
        first, last = span(target)
        add = self.variables
        add.add_constant("N", last - first)
        add.add_array("number", last - first, constant=True)
        add.add_array("noise_seed", 1, dtype=np.int64, scalar=True, constant=True)
        add.add_reference("_counts", whole(target), variable)
        add.add_reference("_rate", whole(target), rate)
        self._ready(
            ["number", "noise_seed", "_counts", "_rate", "t", "dt"],
            counts=whole(target).variables[variable],
            rate=whole(target).variables[rate],
            target=(first, last),
        )
        self.add_dependency(target)

    def assign(self, number, seed):
        """Set how many trains every neuron has, and the seed of their spikes.

        In a compiled program the spikes also depend on Brian2's random numbers when a run begins,
        and so on its ``seed()``; at run time they are Brian2's random numbers.
        """
        self.variables["number"].set_value(np.asarray(number, float))
        self.variables["noise_seed"].set_value(seed)

    def step(self):
        """Draw with numpy."""
        first, last = span(self.target)
        variables = whole(self.target).variables
        rate = float(np.asarray(variables[self.rate].get_value()).ravel()[0])
        mean = np.maximum(self.variables["number"].get_value() * rate * self.clock.dt_, 0)
        counts = variables[self.variable].get_value()
        # the generator that Brian2's seed() sets, and restore() puts back
        counts[first:last] += np.random.poisson(mean).astype(counts.dtype)  # noqa: NPY002
