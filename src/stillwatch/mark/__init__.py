"""Marks in served answers: keyed sampling, planted facts, and the records that a later test needs."""
