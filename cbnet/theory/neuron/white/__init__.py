"""White noise: first passage, density and intervals of a membrane in one dimension."""
