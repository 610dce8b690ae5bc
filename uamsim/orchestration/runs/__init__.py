"""A run's folder and its progress."""
