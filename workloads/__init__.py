"""What is trained: grids, trials, the engine and its catalogue. Importing this needs no torch."""
