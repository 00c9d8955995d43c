"""The layout of the lake and what deltalake is told about the store."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from sentinel.errors import ConfigurationError
from sentinel.settings import LakeSettings
from sentinel.stores.lake.location import events_uri, spark_uri, storage_options


class TestEventsUri:
    def test_names_tenant_and_pipeline(self) -> None:
        uri = events_uri(LakeSettings(uri="s3://bucket/lake/"), "acme", 7)
        assert uri == "s3://bucket/lake/tenant=acme/pipeline=7/events"

    def test_a_directory_works_too(self) -> None:
        assert events_uri(LakeSettings(uri="file:///data/my lake"), "acme", 7) == (
            "file:///data/my lake/tenant=acme/pipeline=7/events"
        )

    def test_an_s3a_lake_is_the_same_place(self) -> None:
        assert events_uri(LakeSettings(uri="s3a://b/x"), "acme", 1) == "s3://b/x/tenant=acme/pipeline=1/events"

    @pytest.mark.parametrize("tenant", ["", "..", "a/b", "A", "acme/pipeline=1", "a" * 64, "acme\n"])
    def test_a_tenant_id_that_could_leave_its_directory_is_refused(self, tenant: str) -> None:
        with pytest.raises(ConfigurationError, match="is not a tenant id"):
            events_uri(LakeSettings(), tenant, 1)

    @pytest.mark.parametrize("uri", ["", "lake", "/data/lake", "hdfs://x/y", "s3://", "file://"])
    def test_an_unusable_lake_names_the_setting(self, uri: str) -> None:
        with pytest.raises(ConfigurationError, match="SENTINEL_LAKE__URI"):
            events_uri(LakeSettings(uri=uri), "acme", 1)


class TestSparkUri:
    def test_s3_becomes_s3a(self) -> None:
        assert spark_uri("s3://b/x") == "s3a://b/x"

    def test_a_directory_stays(self) -> None:
        assert spark_uri("file:///x") == "file:///x"


class TestStorageOptions:
    def test_a_directory_needs_none(self) -> None:
        assert storage_options(LakeSettings(uri="file:///x")) == {}

    def test_a_local_server(self) -> None:
        lake = LakeSettings(
            uri="s3://b/x", endpoint="http://127.0.0.1:9000/", access_key="key", secret_key=SecretStr("secret")
        )
        assert storage_options(lake) == {
            "AWS_REGION": "us-east-1",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9000",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "conditional_put": "etag",
        }

    def test_without_keys_the_usual_chain_applies(self) -> None:
        options = storage_options(LakeSettings(uri="s3://b/x", path_style=False))
        assert options == {
            "AWS_REGION": "us-east-1",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
            "conditional_put": "etag",
        }

    def test_a_store_without_conditional_put_is_said_so(self) -> None:
        options = storage_options(LakeSettings(uri="s3://b/x", conditional_put=False))
        assert options["AWS_S3_ALLOW_UNSAFE_RENAME"] == "true"
        assert "conditional_put" not in options

    def test_an_endpoint_without_scheme_says_what_to_set(self) -> None:
        with pytest.raises(ConfigurationError, match=r"https://abc\.r2\.example"):
            storage_options(LakeSettings(uri="s3://b/x", endpoint="abc.r2.example"))
