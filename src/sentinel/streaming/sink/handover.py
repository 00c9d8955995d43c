"""Which generation's findings count: the hand-over from one generation to the next, as plain state.

The candidate is evaluated beside the current generation. Its findings at offsets that are not decided yet are held.
As soon as it has caught up (it answers in every partition that has records, and decides nowhere much later than the
current generation does) the border of each partition is fixed at the decided offset: the current generation's findings
count below, the candidate's from there on. So every offset belongs to exactly one generation, and what is found right
after a border is late by what the candidate was behind.

To be ahead of the current generation in all partitions at one moment would be too much to ask: both are fed at the
same time, and the one whose code is not compiled yet is a few milliseconds slower as long as events flow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from sentinel.domain.finding import FindingBatch
from sentinel.domain.generation import Generation
from sentinel.stores.postgres.findings import GenerationFindings

# How far behind the current generation a candidate may be when it takes over; on a machine so busy that it stays
# further behind, a share of the time since it was proposed, so that a change always comes to pass.
LAG_SECONDS = 0.1
LAG_SHARE = 0.02
# It must have been that near for this long.
STEADY_SECONDS = 0.2
# On a topic that holds nothing a candidate cannot answer. It must have run for this long.
SILENT_SECONDS = 3.0


@dataclass(slots=True)
class Candidate:
    """A generation on its way.

    Attributes:
        awaited: Partition -> the offset its progress must reach before it counts as answering there.
        reached: Partition -> its progress.
        started_at: When its query ran; None while it does not.
        near_since: Since when it has not been far behind; None while it is.
        ahead: Partition -> what the current generation decided beyond that, as (when, next offset), oldest first.
        held: Its findings at offsets that were not decided when they came.
    """

    generation: Generation
    awaited: dict[int, int]
    reached: dict[int, int]
    proposed_at: float
    started_at: float | None = None
    near_since: float | None = None
    ahead: dict[int, deque[tuple[float, int]]] = field(default_factory=dict)
    held: FindingBatch = field(default_factory=FindingBatch)

    @property
    def held_count(self) -> int:
        """How many findings are held."""
        return len(self.held.matches) + len(self.held.dead_letters) + len(self.held.clean)

    @property
    def answers(self) -> bool:
        """Whether it has said anything."""
        return any(self.reached[p] > start for p, start in self.generation.start_offsets.items())

    def lag_seconds(self, decided: Mapping[int, int], now: float) -> float:
        """Return for how long something has been decided that the candidate has not reached, in any partition."""
        oldest = now
        for partition, reached in self.reached.items():
            ahead = self.ahead.setdefault(partition, deque())
            offset = decided.get(partition, 0)
            if offset > (ahead[-1][1] if ahead else reached):
                ahead.append((now, offset))
            while ahead and ahead[0][1] <= reached:
                ahead.popleft()
            if ahead:
                oldest = min(oldest, ahead[0][0])
        return now - oldest


class Handover:
    """The current generation, the candidate, and what is decided. Not thread-safe."""

    def __init__(self, decided: Mapping[int, int], *, steady_seconds: float = STEADY_SECONDS) -> None:
        self._steady_seconds = steady_seconds
        self.decided: dict[int, int] = dict(decided)
        self.current: Generation | None = None
        self.candidate: Candidate | None = None

    @property
    def generations(self) -> dict[int, Generation]:
        """The generations whose findings are looked at, by id."""
        known = [self.current, self.candidate.generation if self.candidate else None]
        return {generation.generation_id: generation for generation in known if generation}

    def propose(self, generation: Generation, highs: Mapping[int, int], now: float) -> None:
        """Make a generation the candidate.

        Args:
            generation: Its query is being started at `generation.start_offsets`.
            highs: Partition -> offset of the next record to come, looked up before the start. A partition that holds
                a record at or after the start offset must answer before the border can be fixed.
            now: Seconds of a clock that never goes back, here and in `absorb`.
        """
        starts = generation.start_offsets
        for partition, offset in starts.items():
            self.decided.setdefault(partition, offset)
        awaited = {p: start + 1 if highs.get(p, start) > start else start for p, start in starts.items()}
        self.candidate = Candidate(generation, awaited, dict(starts), now)

    def started(self, generation_id: int, now: float) -> None:
        """Note that the candidate's query runs: before that it cannot take over."""
        if self.candidate and self.candidate.generation.generation_id == generation_id:
            self.candidate.started_at = now

    def retire(self, generation_id: int) -> None:
        """Forget the current generation, whose query ended: what is left of its findings does not count any more."""
        if self.current and self.current.generation_id == generation_id:
            self.current = None

    def withdraw(self, generation_id: int) -> bool:
        """Forget the candidate, the current generation stays; False when it is the current one by now."""
        if self.current and self.current.generation_id == generation_id:
            return False
        self.candidate = None
        return True

    def accept_silence(self, partitions: list[int]) -> None:
        """Count the candidate as answering in partitions that hold nothing undecided, though it said nothing there.

        For partitions whose last offsets are no records (transaction markers, compacted away).
        """
        if self.candidate:
            for partition in partitions:
                decided = self.decided.get(partition, 0)
                self.candidate.reached[partition] = max(decided, self.candidate.reached.get(partition, 0))
                self.candidate.awaited[partition] = 0

    def absorb(self, batches: Mapping[int, FindingBatch], now: float) -> list[GenerationFindings]:
        """Take new findings and return what is to be committed, in order, in one transaction.

        The offsets returned count as decided from now on; the caller repeats the commit until it succeeds or stops.
        """
        parts: list[GenerationFindings] = []
        if self.current:
            batch = batches.get(self.current.generation_id, FindingBatch()).from_offsets(self.decided)
            self.decided.update(batch.next_offsets)
            if batch:
                parts.append(GenerationFindings(self.current, batch))
        candidate = self.candidate
        if candidate:
            batch = batches.get(candidate.generation.generation_id, FindingBatch())
            for partition, offset in batch.next_offsets.items():
                candidate.reached[partition] = max(offset, candidate.reached.get(partition, 0))
            candidate.held.extend(batch.from_offsets(self.decided))
            if self._caught_up(candidate, now):
                parts.append(self._switch(candidate))
        return parts

    def _caught_up(self, candidate: Candidate, now: float) -> bool:
        if candidate.started_at is None:
            return False
        starts, awaited, reached = candidate.generation.start_offsets, candidate.awaited, candidate.reached
        nothing_to_say = all(awaited[p] <= starts[p] for p in starts)
        if self.current is None:  # nothing serves meanwhile: the first sign of life is enough
            return candidate.answers or nothing_to_say
        if nothing_to_say and not candidate.answers and now - candidate.started_at < SILENT_SECONDS:
            return False
        tolerated = max(LAG_SECONDS, LAG_SHARE * (now - candidate.proposed_at))
        if candidate.lag_seconds(self.decided, now) > tolerated or any(reached[p] < awaited[p] for p in starts):
            candidate.near_since = None
            return False
        if candidate.near_since is None:
            candidate.near_since = now
        return now - candidate.near_since >= self._steady_seconds

    def _switch(self, candidate: Candidate) -> GenerationFindings:
        borders = {partition: self.decided[partition] for partition in candidate.generation.start_offsets}
        batch = candidate.held.from_offsets(borders)
        for partition, reached in candidate.reached.items():
            if reached > borders.get(partition, reached):
                batch.next_offsets[partition] = reached
        self.decided.update(batch.next_offsets)
        self.current, self.candidate = candidate.generation, None
        return GenerationFindings(self.current, batch, borders)
