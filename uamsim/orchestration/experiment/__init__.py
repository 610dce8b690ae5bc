"""From an experiment's spec to its report."""
