"""The Brian2 objects of a network: neurons, projections, external input, and who observes them."""
