"""The bimanual bench: one file a task family, each episode with a model of its own."""
