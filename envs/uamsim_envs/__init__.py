"""The simulated worlds, as Gymnasium environments."""
