"""The mixture-of-transformers core, the experts on it, and every variant of Table 1."""
