"""Which time step a simulation needs, and the error that a step makes."""
