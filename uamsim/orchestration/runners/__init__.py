"""Ways of running trials: in this process, or as Ray Tune trials."""
