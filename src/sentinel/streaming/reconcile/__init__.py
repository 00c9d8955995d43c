"""Prove that what came out of a pipeline is what went in.

Three checks, each computed from the other side: the topic against lake and dead letters, the alerts against the rules
of each generation evaluated anew over the lake, the scores in Redis against the alerts in PostgreSQL.
"""

from sentinel.streaming.reconcile.report import Difference, ReconcileReport
from sentinel.streaming.reconcile.run import reconcile

__all__ = ["Difference", "ReconcileReport", "reconcile"]
