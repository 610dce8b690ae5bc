"""`uamsim evaluate`: policies on environments and splits, outside any experiment."""
