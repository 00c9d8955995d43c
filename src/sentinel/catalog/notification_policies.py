"""Use cases on the notification policy: read it, replace it, read what it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sentinel.catalog.audit import Auditor
from sentinel.domain.notification_policy import NotificationPolicy, PolicyVersion
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, NotFoundError, VersionMismatchError
from sentinel.stores.notification_config import PolicyStore


class NotificationPolicyCatalog:
    """The notification policy of one tenant."""

    def __init__(self, policies: PolicyStore, auditor: Auditor, *, caller: str, now: Callable[[], datetime]) -> None:
        self._policies = policies
        self._auditor = auditor
        self._caller = caller
        self._now = now

    def current(self) -> PolicyVersion:
        """Return what is in force; version 0 where nobody has said anything."""
        return self._policies.current() or PolicyVersion.initial()

    def get(self, version: int) -> PolicyVersion:
        """Return a version.

        Raises:
            NotFoundError: There is no such version.
        """
        found = self._policies.get(version)
        if found is None:
            raise NotFoundError(f"the notification policy has no version {version}")
        return found

    def versions(self, *, before: int | None, limit: int) -> list[PolicyVersion]:
        """Return versions, newest first."""
        return self._policies.versions(before, limit)

    def replace(self, policy: NotificationPolicy, *, comment: str, expected_version: int | None) -> PolicyVersion:
        """Put a policy in force; one that changes nothing makes no version.

        Raises:
            InvalidError: It names channels that there are not.
            VersionMismatchError: Another version is in force than the caller expects.
            ConflictError: Somebody else changed it at the same moment.
        """
        before = self.current()
        if expected_version is not None and expected_version != before.version:
            raise VersionMismatchError(
                f"the notification policy has version {before.version} by now, not {expected_version}; read it again"
            )
        unknown = sorted(policy.channel_names - self._policies.channel_names())
        if unknown:
            said = [f"there is no channel {name!r}; make it first: POST /api/channels" for name in unknown]
            raise InvalidError(said[0], details=[ErrorDetail("", each) for each in said])
        document = facts_of_policy(policy)
        earlier = before.document if before.problem else facts_of_policy(before.policy)
        if before.version and not before.problem and document == earlier:
            return before
        after = self._policies.add(before.version + 1, document, comment, self._caller)
        if after is None:
            raise ConflictError("somebody else changed the notification policy at the same moment; read it again")
        self._policies.release()
        now = self._now()
        self._policies.plan_summaries(
            {name: summary.next_after(now) for name, summary in policy.summaries.items()}, now
        )
        self._auditor.record(
            "notification_policy.replace",
            "notification_policy",
            after.version,
            pipeline_id=None,
            before=earlier,
            after=document,
            comment=comment,
        )
        return after


def facts_of_policy(policy: NotificationPolicy) -> Mapping[str, Any]:
    """Return a policy as its document, without what it leaves out."""
    return policy.model_dump(mode="json", by_alias=True, exclude_unset=True)
