"""Instructions said and read: tongues, wordings, references."""
