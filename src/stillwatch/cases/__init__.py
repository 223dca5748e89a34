"""Findings, put before a person."""

from stillwatch.cases.report import render_report

__all__ = ["render_report"]
