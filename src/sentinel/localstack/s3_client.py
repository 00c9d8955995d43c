"""Clients of S3 stores that answer or fail within seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
from botocore.client import Config

from sentinel.settings import LakeSettings

if TYPE_CHECKING:  # stubs only, not installed where Sentinel merely runs
    from mypy_boto3_s3 import S3Client


def s3_client(lake: LakeSettings, *, connect_seconds: float = 5, read_seconds: float = 15) -> S3Client:
    """Return a client of the lake's store that does not repeat failed requests."""
    config = Config(
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path" if lake.path_style else "virtual"},
    )
    return boto3.client(
        "s3",
        endpoint_url=lake.endpoint or None,
        aws_access_key_id=lake.access_key or None,
        aws_secret_access_key=lake.secret_key.get_secret_value() or None,
        region_name=lake.region,
        config=config,
    )
