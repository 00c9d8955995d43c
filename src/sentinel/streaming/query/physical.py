"""Run one physical plan over the records of many micro-batches.

Spark plans every micro-batch anew: with 100 rules it analyses, optimizes and plans for longer than it computes, and
builds broadcasts again. Everything but the records is the same from one to the next, so a plan is made once, and the
records of each micro-batch take the place of those before at its leaf. That rests on Spark's own classes: a stream
gives its columns the same ids in every micro-batch, and hands it over as a `LogicalRDD`.
"""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame

# A task makes the code of its projections before it finds them compiled: about as long as so many records take.
RECORDS_PER_TASK = 5_000


class PhysicalPlan:
    """A plan over one micro-batch, to be run over others.

    Args:
        planned: What is to be computed, over `batch`. It must not be adaptive.
        batch: As `foreachBatch` gave it.

    Attributes:
        is_reusable: The records were found at its leaf; else every micro-batch has to be planned.
    """

    def __init__(self, planned: DataFrame, batch: DataFrame) -> None:
        self._planned = planned
        self._columns = _columns_of(batch)
        self._records = _records_of(batch)
        self._plan = planned._jdf.queryExecution().executedPlan()
        self.is_reusable = self._records is not None and self._over(self._plan, self._records) is not None

    def over(self, batch: DataFrame, count: int) -> DataFrame | None:
        """Return what is to be computed over another micro-batch; None where it has to be planned anew.

        Args:
            count: How many records it has, for the number of tasks.
        """
        records = _records_of(batch)
        if not self.is_reusable or records is None or _columns_of(batch) != self._columns:
            return None
        tasks = max(1, -(-count // RECORDS_PER_TASK))
        if tasks < records.getNumPartitions():
            records = records.toJavaRDD().coalesce(tasks).rdd()
        rows, schema = self._over(self._plan, records).execute(), self._planned._jdf.schema()
        session = batch.sparkSession
        return DataFrame(session._jsparkSession.internalCreateDataFrame(rows, schema, False), session)

    def _over(self, node: Any, records: Any) -> Any:
        """Return a node of the plan with other records at its leaf; None where the first ones are not below it.

        What does not depend on them, such as the broadcast of a list, stays the same object and is not computed again.
        """
        children = node.children()
        if children.isEmpty():
            is_leaf = node.getClass().getSimpleName() == "RDDScanExec" and node.rdd().equals(self._records)
            if not is_leaf:
                return None
            return node.copy(
                node.output(), records, node.name(), node.outputPartitioning(), node.outputOrdering(), node.stream()
            )
        old = [children.apply(at) for at in range(children.size())]
        new = [self._over(child, records) for child in old]
        if all(child is None for child in new):
            return None
        made = [child if changed is None else changed for child, changed in zip(old, new, strict=True)]
        return node.withNewChildren(self._planned.sparkSession._jvm.PythonUtils.toSeq(made))


def _records_of(batch: DataFrame) -> Any:
    """Return the RDD behind a micro-batch; None where it is something else."""
    plan = batch._jdf.queryExecution().analyzed()
    return plan.rdd() if plan.getClass().getSimpleName() == "LogicalRDD" else None


def _columns_of(batch: DataFrame) -> list[str]:
    """Return the columns with their ids."""
    output = batch._jdf.queryExecution().analyzed().output()
    return [output.apply(at).toString() for at in range(output.size())]
