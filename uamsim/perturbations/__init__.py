"""The out-of-distribution axes as values, and the splits composed of them."""
