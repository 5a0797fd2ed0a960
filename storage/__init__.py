"""Where it is kept: DuckDB behind one Arrow Flight server, and its client."""
