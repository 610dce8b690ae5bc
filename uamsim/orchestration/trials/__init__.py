"""One variant with one seed: tuned, and measured along the way."""
