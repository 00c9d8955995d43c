"""Where the lake keeps things, and how deltalake and Spark are told about the store.

Layout: `<lake uri>/tenant=<tenant_id>/pipeline=<pipeline_id>/events` is one Delta table per pipeline, partitioned by
`date`. A tenant's directory is the unit of access: whatever acts for a tenant stays below it.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from sentinel.errors import ConfigurationError
from sentinel.settings import LakeSettings

TENANT_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
SCHEMES = ("s3", "file")


def lake_root(lake: LakeSettings) -> str:
    """Return the root of the lake without a trailing slash, in the form deltalake takes.

    Raises:
        ConfigurationError: The scheme is neither `s3://` nor `file://`, or the bucket or directory is missing.
    """
    uri = lake.uri.strip().rstrip("/")
    if uri.startswith("s3a://"):
        uri = "s3://" + uri.removeprefix("s3a://")
    parts = urlsplit(uri)
    place = parts.netloc if parts.scheme == "s3" else parts.path
    if parts.scheme not in SCHEMES or not place:
        raise ConfigurationError(
            f"the lake {lake.uri!r} is not usable: set SENTINEL_LAKE__URI to s3://<bucket>/<prefix> "
            "or file:///<directory>"
        )
    return uri


def tenant_uri(lake: LakeSettings, tenant_id: str) -> str:
    """Return the directory that holds everything of one tenant.

    Raises:
        ConfigurationError: The tenant id could lead out of its directory, or the lake's URI is not usable.
    """
    if not TENANT_ID.fullmatch(tenant_id):
        raise ConfigurationError(f"{tenant_id!r} is not a tenant id: lower-case letters, digits and '-', at most 63")
    return f"{lake_root(lake)}/tenant={tenant_id}"


def events_uri(lake: LakeSettings, tenant_id: str, pipeline_id: int) -> str:
    """Return the Delta table of a pipeline's events, as deltalake names it (`s3://...`, `file:///...`)."""
    return f"{tenant_uri(lake, tenant_id)}/pipeline={int(pipeline_id)}/events"


def spark_uri(uri: str) -> str:
    """Return the same place as Spark's Hadoop client names it (`s3a://...`)."""
    return "s3a://" + uri.removeprefix("s3://") if uri.startswith("s3://") else uri


def storage_options(lake: LakeSettings) -> dict[str, str]:
    """Return what deltalake needs to reach the lake: S3Proxy, R2, AWS; empty for a directory.

    Without an access key the usual AWS chain (environment, profile, instance role) applies. Holds the secret: never
    log it.

    Raises:
        ConfigurationError: The endpoint lacks its scheme, or the lake's URI is not usable.
    """
    if not lake_root(lake).startswith("s3://"):
        return {}
    options = {
        "AWS_REGION": lake.region,
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false" if lake.path_style else "true",
    }
    if lake.endpoint:
        if not lake.endpoint.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"the lake's endpoint {lake.endpoint!r} lacks its scheme: set SENTINEL_LAKE__ENDPOINT to "
                f"https://{lake.endpoint} (or http:// for a server on this machine)"
            )
        options["AWS_ENDPOINT_URL"] = lake.endpoint.rstrip("/")
        options["AWS_ALLOW_HTTP"] = "true" if lake.endpoint.startswith("http://") else "false"
    if lake.access_key:
        options["AWS_ACCESS_KEY_ID"] = lake.access_key
        options["AWS_SECRET_ACCESS_KEY"] = lake.secret_key.get_secret_value()
    # Two writers of one commit are told apart by If-None-Match; a store without it must have a single writer.
    if lake.conditional_put:
        options["conditional_put"] = "etag"
    else:
        options["AWS_S3_ALLOW_UNSAFE_RENAME"] = "true"
    return options
