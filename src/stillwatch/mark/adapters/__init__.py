"""Marks inside the serving engines; each module needs its engine and is imported by name."""
