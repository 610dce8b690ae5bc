"""Roll-outs, retention, controls and the statistics of both."""
