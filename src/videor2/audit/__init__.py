"""Audit: what other harnesses logged, scored response by response, with evidence."""

from videor2.audit.run import audit
from videor2.audit.settings import AuditSettings

__all__ = ["AuditSettings", "audit"]
