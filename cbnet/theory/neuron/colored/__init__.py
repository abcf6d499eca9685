"""Synapses with time constants: a membrane driven by colored noise."""
