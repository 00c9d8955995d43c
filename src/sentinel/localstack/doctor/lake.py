"""Checks of the lake's store: what Delta does to it is tried with one small object."""

from __future__ import annotations

import ipaddress
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, SSLError

from sentinel.localstack.doctor.finding import Finding, error, never_started, ok, stopped_server, warning
from sentinel.localstack.s3_client import s3_client
from sentinel.settings import LakeSettings, Settings

if TYPE_CHECKING:  # stubs only, see s3_client
    from mypy_boto3_s3 import S3Client

_CREDENTIALS = "SENTINEL_LAKE__ACCESS_KEY and SENTINEL_LAKE__SECRET_KEY"
_WRONG_CREDENTIALS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "ExpiredToken",
    "Unauthorized",
    "401",
}
_FORBIDDEN = {"AccessDenied", "403", "Forbidden"}
_NO_BUCKET = {"NoSuchBucket", "404"}
_WRONG_REGION = {"PermanentRedirect", "301", "AuthorizationHeaderMalformed"}


def check_lake(settings: Settings) -> Iterator[Finding]:
    """Put, conditional put, get and delete an object where the lake is."""
    lake = settings.lake
    if not lake.uri.startswith("s3://"):
        yield _check_directory(lake)
        return
    scheme = _check_endpoint(lake)
    if scheme:
        yield scheme
        if scheme.severity == "error":
            return
    stopped = stopped_server(settings, "s3", "lake")
    if stopped:
        yield stopped
        return
    if never_started(settings) and not lake.endpoint and not lake.access_key:
        advice = "run `sentinel up`, or set SENTINEL_LAKE__ENDPOINT, SENTINEL_LAKE__URI, " + _CREDENTIALS
        yield warning("lake", "no S3 store is set up yet", advice)
        return
    yield _check_operations(lake)


def _check_endpoint(lake: LakeSettings) -> Finding | None:
    if not lake.endpoint:
        return None
    if "://" not in lake.endpoint:
        return error(
            "lake",
            f"the endpoint {lake.endpoint!r} lacks https://",
            f"set SENTINEL_LAKE__ENDPOINT=https://{lake.endpoint}",
        )
    parts = urlsplit(lake.endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return error("lake", f"the endpoint {lake.endpoint!r} is not a web address", "set it like https://host")
    if parts.path.strip("/"):
        bucket = parts.path.strip("/")
        return error(
            "lake",
            f"the endpoint {lake.endpoint!r} has a path",
            f"set SENTINEL_LAKE__ENDPOINT={parts.scheme}://{parts.netloc} and SENTINEL_LAKE__URI=s3://{bucket}/lake",
        )
    if parts.scheme == "http" and not _is_near(parts.hostname):
        return warning(
            "lake", f"{lake.endpoint} is not encrypted", f"set SENTINEL_LAKE__ENDPOINT=https://{parts.netloc}"
        )
    return None


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"


def _check_operations(lake: LakeSettings) -> Finding:
    where = f"{lake.uri} at {lake.endpoint or 'AWS'}"
    parts = urlsplit(lake.uri)
    bucket, key = parts.netloc, f"{parts.path.strip('/')}/.sentinel-doctor/{uuid.uuid4().hex}".lstrip("/")
    doing = "put"
    try:
        client = s3_client(lake)
        client.put_object(Bucket=bucket, Key=key, Body=b"first")
        try:
            doing = "conditional put"
            honoured = _refuses_second_put(client, bucket, key)
            doing = "get"
            content = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        finally:
            with suppress(ClientError, BotoCoreError):
                client.delete_object(Bucket=bucket, Key=key)
        doing = "delete"
        client.delete_object(Bucket=bucket, Key=key)
    except (ClientError, BotoCoreError, ValueError) as problem:
        return _explain(lake, f"{where}: {doing} failed", problem)
    if honoured and content != b"first":
        return error("lake", f"{where}: an object read back is not what was written", "the store cannot be used")
    if not honoured and lake.conditional_put:
        return error(
            "lake",
            f"{where}: it ignores If-None-Match, so two writers could overwrite each other's commits",
            "set SENTINEL_LAKE__CONDITIONAL_PUT=false and never run two drivers of one pipeline, or use another store",
        )
    return ok("lake", f"put, conditional put, get and delete work in {where}")


def _refuses_second_put(client: S3Client, bucket: str, key: str) -> bool:
    try:
        client.put_object(Bucket=bucket, Key=key, Body=b"second", IfNoneMatch="*")
    except ClientError as problem:
        status = problem.response["ResponseMetadata"]["HTTPStatusCode"]
        if status in {409, 412}:
            return True
        if status == 501:
            return False
        raise
    return False


def _explain(lake: LakeSettings, what: str, problem: Exception) -> Finding:
    if isinstance(problem, EndpointConnectionError):
        return error("lake", f"{what}: nothing answers there", "start the store, or correct SENTINEL_LAKE__ENDPOINT")
    if isinstance(problem, SSLError):
        return error("lake", f"{what}: {problem}", "use the host name of the certificate, or http:// without one")
    if not isinstance(problem, ClientError):
        return error("lake", f"{what}: {problem}", f"correct SENTINEL_LAKE__ENDPOINT, {_CREDENTIALS}")
    found = problem.response.get("Error", {})
    code = str(found.get("Code", ""))
    return error("lake", f"{what}: {code} {found.get('Message', '')}".rstrip(), _advice(code, lake))


def _advice(code: str, lake: LakeSettings) -> str:
    bucket = urlsplit(lake.uri).netloc
    advices = (
        (_WRONG_CREDENTIALS, f"correct {_CREDENTIALS}; the store does not know them"),
        (_FORBIDDEN, f"correct {_CREDENTIALS}, or let this key put, get and delete in {lake.uri}"),
        (_NO_BUCKET, f"create the bucket {bucket!r}, or name another in SENTINEL_LAKE__URI"),
        (_WRONG_REGION, "set SENTINEL_LAKE__REGION to the bucket's region ('auto' for R2)"),
    )
    known = next((advice for codes, advice in advices if code in codes), None)
    return known or f"look the code up with the store's provider; settings: SENTINEL_LAKE__*, {_CREDENTIALS}"


def _check_directory(lake: LakeSettings) -> Finding:
    path = Path(unquote(urlsplit(lake.uri).path)) if lake.uri.startswith("file:") else Path(lake.uri)
    if "://" in lake.uri and not lake.uri.startswith("file://"):
        advice = "set SENTINEL_LAKE__URI to s3://bucket/prefix or file:///directory"
        return error("lake", f"{lake.uri!r} is neither an S3 store nor a directory", advice)
    nearest = next(candidate for candidate in (path, *path.parents) if candidate.exists())
    if not os.access(nearest, os.W_OK):
        return error("lake", f"{nearest} cannot be written", "set SENTINEL_LAKE__URI to a directory you own")
    return ok("lake", f"{path} can be written")
