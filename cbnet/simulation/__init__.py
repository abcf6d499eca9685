"""Simulation: Brian2 networks, and one neuron exactly."""
