"""The nouns of the platform, their wire form and their versions."""
