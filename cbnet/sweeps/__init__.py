"""Many networks: a grid of parameters, run side by side, resumed, on one machine or a cluster."""
