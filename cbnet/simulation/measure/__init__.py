"""What is accumulated while a network runs, and the statistics that follow from it."""
