"""Trained checkpoints behind the policy contract."""
