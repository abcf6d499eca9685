"""Who runs a prepared simulation: a compiled program, or Brian2 with numpy."""
