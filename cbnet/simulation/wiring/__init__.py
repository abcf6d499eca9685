"""Graphs: how many synapses, who is connected to whom, and how the machine holds them."""
