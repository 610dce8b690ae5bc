"""Experiments as values, trials, the artifact store and the runners."""
