"""An S3 server (S3Proxy on a directory) from the jar of the set `s3`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import SecretStr

from sentinel.localstack.jars import class_path
from sentinel.localstack.program import Program
from sentinel.localstack.s3_client import s3_client
from sentinel.localstack.servers.base import ServerContext, java_properties
from sentinel.localstack.state import write_private
from sentinel.settings import LakeSettings, Settings

if TYPE_CHECKING:  # stubs only, see s3_client
    from mypy_boto3_s3 import S3Client

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

    def _client(self, context: ServerContext) -> S3Client:
        lake = LakeSettings(
            endpoint=f"http://127.0.0.1:{context.port('s3')}",
            access_key=context.secret("s3_access"),
            secret_key=SecretStr(context.secret("s3_secret")),
        )
        return s3_client(lake, connect_seconds=2, read_seconds=5)
