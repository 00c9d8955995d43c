"""What the JVM of a Spark session was started with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sentinel.settings import Settings

pytestmark = pytest.mark.spark


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_its_classes_come_from_the_archive(spark: SparkSession, settings: Settings) -> None:
    pid = spark._jvm.java.lang.ProcessHandle.current().pid()
    assert str(settings.class_archive) in Path(f"/proc/{pid}/maps").read_text()
