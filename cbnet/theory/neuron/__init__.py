"""One neuron under Poisson arrivals, by treatment of the noise."""
