"""The real provider against an emulator of AWS: what is applied is there, is stable, and goes away again.

What is compared is what the AWS API answers, never an exit code alone. The emulator is moto, on loopback; it keeps
what it is told and checks little of it, so that this shows the modules' and the provider's part, and not AWS's.
"""

import base64
import hashlib
import http.server
import json
import shutil
import threading
import urllib.request
from functools import partial
from pathlib import Path

import boto3
import pytest
from conftest import OVERRIDE, Applied, a_zip, as_environment, copied, initialised, is_opentofu
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"
ACCOUNT = "123456789012"
VOLATILE = {"LastModified", "RevisionId", "ResponseMetadata", "LastUpdateStatus", "State"}

# In the resource of a role that is a function's.
LAMBDA_ROLE = """
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }] })
"""


class Aws:
    """The emulator, and what is in it."""

    def __init__(self, endpoint: str):
        self.endpoint = endpoint

    def client(self, service: str, region: str = REGION):
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def inventory(self, region: str = REGION) -> dict[str, list[str]]:
        """The names of everything that the modules can make."""
        lambda_ = self.client("lambda", region)
        glue = self.client("glue", region)
        found = {
            "functions": [each["FunctionName"] for each in lambda_.list_functions()["Functions"]],
            "layers": [each["LayerName"] for each in lambda_.list_layers()["Layers"]],
            "buckets": [each["Name"] for each in self.client("s3", region).list_buckets()["Buckets"]],
            "streams": self.client("firehose", region).list_delivery_streams()["DeliveryStreamNames"],
            "roles": [each["RoleName"] for each in self.client("iam", region).list_roles()["Roles"]],
            "log groups": [each["logGroupName"] for each in self.client("logs", region).describe_log_groups()["logGroups"]],
            "alarms": [each["AlarmName"] for each in self.client("cloudwatch", region).describe_alarms()["MetricAlarms"]],
            "databases": [each["Name"] for each in glue.get_databases()["DatabaseList"]],
        }
        return {kind: sorted(names) for kind, names in found.items()}

    def function(self, name: str) -> dict:
        """A function and its role, without what changes with every write."""
        configuration = self.client("lambda").get_function_configuration(FunctionName=name)
        role = configuration["Role"].rsplit("/", 1)[1]
        iam = self.client("iam")
        policies = {
            policy: iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
        }
        kept = {key: value for key, value in configuration.items() if key not in VOLATILE}
        return {**kept, "policies": policies, "tags": self.client("lambda").list_tags(Resource=configuration["FunctionArn"])["Tags"]}


    def allowed(self, layer: str, version: int) -> dict[str, str]:
        """Who may attach a version of a layer, by statement."""
        policy = self.client("lambda").get_layer_version_policy(LayerName=layer, VersionNumber=version)["Policy"]
        return {each["Sid"]: each["Principal"] for each in json.loads(policy)["Statement"]}


@pytest.fixture
def aws():
    """An empty account."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    reset = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset).close()
    yield Aws(endpoint)
    server.stop()


@pytest.fixture
def folder(aws, tmp_path, record_property):
    """A module or example, initialised, and with the emulator as its AWS."""

    def with_variables(where: str, /, providers: str = OVERRIDE, **variables) -> Applied:
        copy = copied(tmp_path)
        (copy / where / "emulator_override.tf").write_text(providers)
        environment = {"AWS_ENDPOINT_URL": aws.endpoint, "AWS_REGION": REGION, **as_environment(variables)}
        return Applied(initialised(copy, where, environment), record_property)

    return with_variables


def sha256_of(path: str) -> bytes:
    return hashlib.sha256(Path(path).read_bytes()).digest()


@pytest.fixture
def layer_zip(tmp_path) -> str:
    return a_zip(tmp_path / "extension.zip", "extensions/backstop-extension", "#!/bin/sh\n")


@pytest.fixture
def function_zip(tmp_path) -> str:
    return a_zip(tmp_path / "function.zip", "index.mjs", "export const handler = async () => {};\n")


def test_the_quickstart_is_applied_is_stable_and_goes_away(folder, aws, layer_zip, function_zip):
    before = aws.inventory()
    quickstart = folder("examples/quickstart", primary_url="https://logs.example.com/v1", layer_zip=layer_zip, function_zip=function_zip)
    quickstart.apply()
    quickstart.has_no_changes()

    name = "backstop-quickstart"
    bucket = f"{name}-{ACCOUNT}-{REGION}"
    stream_arn = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{name}"
    state = quickstart.state()

    # The layer: these bytes, under the name of the release.
    layer_name = "backstop-extension-x86_64-0-1-0"
    layer = aws.client("lambda").get_layer_version(LayerName=layer_name, VersionNumber=1)
    assert base64.b64decode(layer["Content"]["CodeSha256"]) == sha256_of(layer_zip)
    assert layer["CompatibleArchitectures"] == ["x86_64"]
    assert layer["LayerVersionArn"] == state["module.layer.aws_lambda_layer_version.this"]["arn"]

    # The function: that layer, where records go, and leave to write there.
    function = aws.function(name)
    in_state = state["module.function.aws_lambda_function.this"]
    assert [each["Arn"] for each in function["Layers"]] == [layer["LayerVersionArn"]] == in_state["layers"]
    assert function["Environment"]["Variables"] == in_state["environment"][0]["variables"]
    assert function["Environment"]["Variables"] == {
        "BACKSTOP_PRIMARY_URL": "https://logs.example.com/v1",
        "BACKSTOP_FIREHOSE_STREAM": stream_arn,
        "BACKSTOP_S3_BUCKET": bucket,
        "BACKSTOP_S3_PREFIX": "backstop",
        "BACKSTOP_S3_EXPECTED_BUCKET_OWNER": ACCOUNT,
    }
    statements = {each["Sid"]: (each["Action"], each["Resource"]) for each in function["policies"]["function"]["Statement"]}
    assert statements == {
        "Logs": (["logs:CreateLogStream", "logs:PutLogEvents"], [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{name}:*"]),
        "BackstopFirehose": (["firehose:PutRecordBatch"], [stream_arn]),
        "BackstopArchive": (["s3:PutObject"], [f"arn:aws:s3:::{bucket}/backstop/v1/*"]),
    }

    # The bucket.
    s3 = aws.client("s3")
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    denied = {each["Sid"] for each in json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"] if each["Effect"] == "Deny"}
    assert denied == {"TlsOnly", "NoOtherEncryption", "NoKeysOfCallers"}
    rule = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]
    assert rule["Transitions"] == [{"Days": 30, "StorageClass": "STANDARD_IA"}]
    assert rule["Expiration"]["Days"] == 365

    # The stream, and that it is the one the function writes to.
    stream = aws.client("firehose").describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
    assert stream["DeliveryStreamARN"] == stream_arn
    destination = stream["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert destination["BucketARN"] == f"arn:aws:s3:::{bucket}"
    assert destination["Prefix"] == f"backstop/v1/stream={name}/dt=!{{timestamp:yyyy-MM-dd}}/hour=!{{timestamp:HH}}/"
    assert destination["CompressionFormat"] == "GZIP"
    assert destination["RoleARN"] == state["module.archive.aws_iam_role.firehose[0]"]["arn"]

    quickstart.destroy()
    assert aws.inventory() == before


def test_functions_that_were_there_are_as_they_were_when_backstop_is_gone(folder, aws, layer_zip, function_zip):
    lambda_ = aws.client("lambda")
    layers = {
        architecture: lambda_.publish_layer_version(
            LayerName=f"backstop-extension-{architecture}-0-1-0",
            Content={"ZipFile": Path(layer_zip).read_bytes()},
        )["LayerVersionArn"]
        for architecture in ("x86_64", "arm64")
    }
    before = aws.inventory()
    functions = folder(
        "examples/existing-functions", primary_url="https://logs.example.com/v1", function_zip=function_zip, layer_arns=layers
    )
    names = ("orders", "returns", "reports")
    functions.apply(select={})
    without = {name: aws.function(name) for name in names}
    assert not any("BACKSTOP" in json.dumps(function) for function in without.values())

    functions.apply()
    functions.has_no_changes()
    attached = {name: aws.function(name) for name in names}
    own = [each["Arn"] for each in without["orders"]["Layers"]]
    assert [each["Arn"] for each in attached["orders"]["Layers"]] == [*own, layers["x86_64"]]
    assert [each["Arn"] for each in attached["returns"]["Layers"]] == [layers["arm64"]]
    assert attached["reports"] == without["reports"], "it was not chosen"
    for name in ("orders", "returns"):
        variables = attached[name]["Environment"]["Variables"]
        old = without[name].get("Environment", {}).get("Variables", {})
        assert old.items() <= variables.items(), "a variable of the function's own is lost"
        assert {key for key in variables if key not in old} == {
            "BACKSTOP_PRIMARY_URL",
            "BACKSTOP_FIREHOSE_STREAM",
            "BACKSTOP_S3_BUCKET",
            "BACKSTOP_S3_PREFIX",
            "BACKSTOP_S3_EXPECTED_BUCKET_OWNER",
            "BACKSTOP_TAGS",
        }
        assert attached[name]["policies"].keys() == {"backstop"}
    state = functions.state()
    for name in names:
        in_state = state[f'aws_lambda_function.this["{name}"]']
        assert [each["Arn"] for each in attached[name].get("Layers", [])] == (in_state["layers"] or [])

    functions.apply(select={})
    assert {name: aws.function(name) for name in names} == without
    functions.has_no_changes(select={})

    functions.destroy(select={})
    assert aws.inventory() == before


def test_an_archive_under_a_key_with_alarms_and_tables_is_applied_is_stable_and_goes_away(folder, aws):
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    before = aws.inventory()
    # Without the alarm on direct writes: the emulator has no request metrics of buckets.
    archive = folder(
        "modules/archive",
        name="telemetry",
        prefix="team/backstop",
        encryption={"kms_key_arn": key},
        versioning=True,
        alarms={"actions": [f"arn:aws:sns:{REGION}:{ACCOUNT}:ops"]},
        athena={"first_day": "2026-01-01"},
        tags={"team": "shop"},
    )
    archive.apply()
    archive.has_no_changes()

    bucket = f"telemetry-{ACCOUNT}-{REGION}"
    s3 = aws.client("s3")
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "team", "Value": "shop"}]
    assert aws.inventory()["alarms"] == ["telemetry-delivery-failed", "telemetry-fallback-used"]
    tables = aws.client("glue").get_tables(DatabaseName="telemetry")["TableList"]
    assert {table["Name"]: [key["Name"] for key in table["PartitionKeys"]] for table in tables} == {
        "streamed": ["stream", "dt", "hour"],
        "direct": ["account", "region", "function", "dt", "hour"],
    }
    # What the extension and Firehose write lies where the tables look.
    locations = {table["Name"]: table["Parameters"]["storage.location.template"] for table in tables}
    root = f"s3://{bucket}/team/backstop/v1"
    assert locations["direct"] == f"{root}/account=${{account}}/region=${{region}}/function=${{function}}/dt=${{dt}}/hour=${{hour}}/"
    assert locations["streamed"] == f"{root}/stream=${{stream}}/dt=${{dt}}/hour=${{hour}}/"

    archive.destroy()
    assert aws.inventory() == before


@pytest.fixture
def release(tmp_path, layer_zip):
    """A place to download the layer's zip from, over http on loopback."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(Path(layer_zip).parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{Path(layer_zip).name}"
        server.shutdown()


def test_a_downloaded_release_is_published_for_others_and_stays(folder, aws, layer_zip, release):
    package = {"url": release, "sha256": sha256_of(layer_zip).hex()}
    share_with = {"accounts": ["111111111111", "222222222222"], "organization_id": "o-abcdefghij"}
    layer = folder("modules/layer", release="0.1.0", architecture="arm64", package=package, share_with=share_with)

    wrong = {**package, "sha256": "0" * 64}
    assert "nothing is published" in layer.apply(expect=1, package=wrong)
    assert aws.inventory()["layers"] == []

    layer.apply()
    layer.has_no_changes()
    name = "backstop-extension-arm64-0-1-0"
    lambda_ = aws.client("lambda")
    published = lambda_.get_layer_version(LayerName=name, VersionNumber=1)
    assert base64.b64decode(published["Content"]["CodeSha256"]) == sha256_of(layer_zip)
    principals = {"account-111111111111": "111111111111", "account-222222222222": "222222222222", "organization-o-abcdefghij": "*"}
    assert aws.allowed(name, 1) == principals

    # A new description is a new version, and a machine that has downloaded nothing can publish it.
    shutil.rmtree(layer.terraform.folder / ".terraform" / "backstop")
    layer.apply(description="another")
    assert [each["Version"] for each in lambda_.list_layer_versions(LayerName=name)["LayerVersions"]] == [2, 1]
    assert aws.allowed(name, 2) == aws.allowed(name, 1) == principals
    layer.has_no_changes(description="another")

    layer.destroy(description="another")
    assert [each["Version"] for each in lambda_.list_layer_versions(LayerName=name)["LayerVersions"]] == [2, 1]


def test_an_object_of_s3_is_published_only_if_it_is_the_one_that_was_named(folder, aws, layer_zip):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="releases", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.upload_file(layer_zip, "releases", "extension.zip")
    package = {"s3": {"bucket": "releases", "key": "extension.zip"}, "sha256": sha256_of(layer_zip).hex()}
    layer = folder("modules/layer", release="0.1.0", architecture="x86_64", package=package, retain=False)

    assert "is not package.sha256" in layer.apply(expect=1, package={**package, "sha256": "0" * 64})
    layer.apply()
    layer.has_no_changes()
    assert len(aws.client("lambda").list_layers()["Layers"]) == 1
    layer.destroy()
    assert aws.inventory()["layers"] == []


@pytest.mark.skipif(not is_opentofu(), reason="for_each on a provider is OpenTofu's: scripts/terraform --tofu")
def test_opentofu_publishes_to_each_region_and_takes_one_out(folder, aws, layer_zip):
    # An override cannot name a provider that has for_each: the emulator needs none, as no bucket is made.
    layers = folder("examples/many-regions/opentofu", providers="", layer_zip=layer_zip, regions=["eu-west-1", "us-east-1"])
    layers.apply()
    layers.has_no_changes()
    name = "backstop-extension-arm64-0-1-0"
    for region in ("eu-west-1", "us-east-1"):
        published = aws.client("lambda", region).get_layer_version(LayerName=name, VersionNumber=1)
        assert published["LayerVersionArn"] == f"arn:aws:lambda:{region}:{ACCOUNT}:layer:{name}:1"
        assert base64.b64decode(published["Content"]["CodeSha256"]) == sha256_of(layer_zip)

    layers.apply(regions=["eu-west-1"], regions_to_leave=["us-east-1"])
    layers.has_no_changes(regions=["eu-west-1"])
    assert list(json.loads(layers.terraform.run("output", "-json", "arns"))) == ["eu-west-1"]
    layers.destroy(regions=["eu-west-1"])
