"""An S3 server (S3Proxy on a directory) from the jar of the set `s3`."""

from __future__ import annotations

from urllib.parse import urlsplit

import boto3
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError

from sentinel.localstack.jars import class_path
from sentinel.localstack.program import Program
from sentinel.localstack.servers.base import ServerContext, java_properties
from sentinel.localstack.state import write_private
from sentinel.settings import Settings

_HEAP = "192m"


class S3Server:
    """The lake."""

    name = "s3"
    label = "S3"
    ports: dict[str, int | None] = {"s3": 9000}  # noqa: RUF012 - never changed
    setting = "SENTINEL_LAKE__ENDPOINT"

    def prepare(self, context: ServerContext) -> Program:
        """Write its configuration."""
        data = context.data_dir(self.name)
        data.mkdir(parents=True, exist_ok=True)
        values = {
            "s3proxy.endpoint": f"http://127.0.0.1:{context.port('s3')}",
            "s3proxy.authorization": "aws-v2-or-v4",
            "s3proxy.identity": context.secret("s3_access"),
            "s3proxy.credential": context.secret("s3_secret"),
            "jclouds.provider": "filesystem-nio2",
            "jclouds.filesystem.basedir": str(data),
            "jclouds.identity": "local",
            "jclouds.credential": "local",
        }
        configuration = context.paths.run / "s3proxy.properties"
        write_private(configuration, java_properties(values))
        argv = (
            str(context.java.executable),
            f"-Xmx{_HEAP}",
            "-XX:+UseSerialGC",
            "-XX:MaxMetaspaceSize=96m",
            "-XX:+ExitOnOutOfMemoryError",
            "-DLOG_LEVEL=warn",
            "-Dlogback.statusListenerClass=ch.qos.logback.core.status.NopStatusListener",
            "-cp",
            class_path(context.jars, "s3"),
            "org.gaul.s3proxy.Main",
            "--properties",
            str(configuration),
        )
        return Program(name=self.name, argv=argv, directory=data.parent)

    def probe(self, context: ServerContext) -> str | None:
        """ListBuckets."""
        try:
            self._client(context).list_buckets()
        except (BotoCoreError, ClientError) as error:
            return str(error)
        return None

    def bootstrap(self, context: ServerContext) -> None:
        """Have the bucket of the lake."""
        bucket = urlsplit(Settings.load(context.paths.home).lake.uri).netloc
        client = self._client(context)
        if bucket and bucket not in {found["Name"] for found in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=bucket)

    def _client(self, context: ServerContext):  # type: ignore[no-untyped-def]  # noqa: ANN202
        config = Config(connect_timeout=2, read_timeout=5, retries={"max_attempts": 0}, s3={"addressing_style": "path"})
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{context.port('s3')}",
            aws_access_key_id=context.secret("s3_access"),
            aws_secret_access_key=context.secret("s3_secret"),
            region_name="us-east-1",
            config=config,
        )
