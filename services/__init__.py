"""How it is run: sweeps on Ray, the command line, the settings."""
