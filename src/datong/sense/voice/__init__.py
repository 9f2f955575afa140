"""What reviews say: clause by clause, which aspect, how good or bad, and in which words. Offline."""
