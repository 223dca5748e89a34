"""Mathematics of evidence: e-values, calibration, false-discovery control. Knows none of our nouns."""
