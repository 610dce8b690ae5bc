"""Pretraining and action tuning."""
