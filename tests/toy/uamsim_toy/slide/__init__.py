"""A gripper that slides over a board."""
