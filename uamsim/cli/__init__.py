"""One console command, `uamsim VERB`."""
