"""Configuration and composition: the only place where parts are joined."""
