"""Simulation of networks with Brian2, and of single neurons without a time step."""
