"""A market twin: buyers with tastes, channels, faults and reviews, whose truths are known, to score whoever plans."""
