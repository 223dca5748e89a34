"""Suspect model to evidence that it was trained on ours: every number with its null and its error rate."""
