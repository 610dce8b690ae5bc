"""What is done with worlds without training: recording, picturing, checking."""
