"""A run as one self-contained HTML page: tables, reward curves, samples with their clips. Reads files only."""

from videor2.report.page import write_report, write_reports
from videor2.report.run import ReportError

__all__ = ["ReportError", "write_report", "write_reports"]
