"""Exchanges -> keys -> validated graph -> groups -> verdicts -> campaigns.

`stillwatch.detect.pipeline.detect` runs the four stages; each stage is a module of its own that can be
replaced alone. The mathematics is described in `docs/method.md`.
"""
