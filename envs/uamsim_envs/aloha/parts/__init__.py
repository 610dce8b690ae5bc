"""Things that tasks of the bench are made of."""
