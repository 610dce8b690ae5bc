"""uamsim: simulation-first experimentation with vision-language-action models."""

__version__ = "0.1.0"
