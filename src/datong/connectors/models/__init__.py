"""Models of others, plugged in by the chain's settings."""
