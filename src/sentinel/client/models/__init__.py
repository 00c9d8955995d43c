"""What the API answers, typed. Members that this client does not know are ignored, so that the API may grow."""

from sentinel.client.models.alerts import Alert, AlertPage, EventDecision, EventScore, Evidence
from sentinel.client.models.base import Model, Severity, Status
from sentinel.client.models.events import EventItem, EventProblem, EventRoute, EventsTaken
from sentinel.client.models.history import HistoryTask, LabelSet, TaskFailure
from sentinel.client.models.lifecycle import (
    AuditEntry,
    Mute,
    RolloutArm,
    RolloutResult,
    Scorecard,
    Suppressed,
    Thresholds,
)
from sentinel.client.models.operation import Border, DeadLetter, Generation, Job, Partition, Progress, Readiness
from sentinel.client.models.outcomes import HourOutcomes, Quarantine, RuleCost, RuleTrials, TrialHour, TrialSample
from sentinel.client.models.pipelines import Pipeline, PipelineConfig, Schema, SchemaField, SchemaPut
from sentinel.client.models.rules import Action, Candidate, Issue, Rollout, Rule, RuleChange, RuleCheck, RuleVersion

__all__ = [
    "Action",
    "Alert",
    "AlertPage",
    "AuditEntry",
    "Border",
    "Candidate",
    "DeadLetter",
    "EventDecision",
    "EventItem",
    "EventProblem",
    "EventRoute",
    "EventScore",
    "EventsTaken",
    "Evidence",
    "Generation",
    "HistoryTask",
    "HourOutcomes",
    "Issue",
    "Job",
    "LabelSet",
    "Model",
    "Mute",
    "Partition",
    "Pipeline",
    "PipelineConfig",
    "Progress",
    "Quarantine",
    "Readiness",
    "Rollout",
    "RolloutArm",
    "RolloutResult",
    "Rule",
    "RuleChange",
    "RuleCheck",
    "RuleCost",
    "RuleTrials",
    "RuleVersion",
    "Schema",
    "SchemaField",
    "SchemaPut",
    "Scorecard",
    "Severity",
    "Status",
    "Suppressed",
    "TaskFailure",
    "Thresholds",
    "TrialHour",
    "TrialSample",
]
