"""What can be predicted of the goal frame: one file each."""
