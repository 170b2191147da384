"""The CPU's own matrix products, in C: few rows at the speed of memory, and threads for all."""
