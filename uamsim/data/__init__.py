"""Action data in the LeRobot format, question sets, scene changes, normalisation."""
