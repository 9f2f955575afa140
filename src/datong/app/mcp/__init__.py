"""The chain as tools of a language model: what it may look at, try and propose. It decides nothing."""
