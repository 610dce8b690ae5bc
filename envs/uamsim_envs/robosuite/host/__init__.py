"""The simulator's side: imports the standard library, numpy, scipy, mujoco and robosuite only."""
