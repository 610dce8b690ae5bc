"""The runners by name."""

RUNNERS: tuple[str, ...] = ("ray", "inline")
