"""stillwatch: find, slow down, prove and report adversarial distillation of a model API."""

__version__ = "0.1.0"
