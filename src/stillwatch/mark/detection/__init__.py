"""Statistics that say, with an exact error rate, whether a text carries a mark and whose."""
