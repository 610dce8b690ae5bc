"""What the dorsal expert can read: one file each."""
