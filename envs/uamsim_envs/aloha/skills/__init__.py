"""What scripted experts of the bench do."""
