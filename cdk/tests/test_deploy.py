"""The quickstart, deployed by the CDK's command line to an emulator of AWS, read back through AWS's API, and destroyed.

What is compared is what the API answers, never an exit code alone. The emulator is ministack, which unlike others holds
layers, streams and grants that CloudFormation makes. It shows the library's and the CDK's part, and not AWS's.
"""

import http.client
import os
import socket
import subprocess
import time
import urllib.request

import boto3
import pytest
from conftest import EXAMPLES, LIBRARY, run, zipped

ACCOUNT = "123456789012"
REGION = "eu-west-1"


@pytest.fixture
def endpoint(tmp_path):
    ministack = os.environ.get("BACKSTOP_MINISTACK")
    if not ministack:
        pytest.skip("ministack cannot be installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    with (tmp_path / "ministack.log").open("w") as log:
        emulator = subprocess.Popen([ministack], cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(300):
            # A connection alone tells nothing: to a port without a listener one can be connected to oneself.
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=5).close()
                break
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
        else:
            pytest.fail("the emulator does not answer")
        # By name: the command line makes host names of what is before it.
        yield f"http://localhost:{port}"
    finally:
        emulator.terminate()
        emulator.wait(timeout=20)


def test_the_quickstart_is_deployed_read_back_and_destroyed(endpoint, tmp_path):
    # The account is named by the key's id.
    environment = {
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint,
    }
    app = f"node {LIBRARY}/tests/run-typescript.js {EXAMPLES}/quickstart/app.ts"
    cdk = ["node", LIBRARY / "node_modules/aws-cdk/bin/cdk", "--app", app, "--output", tmp_path / "out", "--context", f"dist={zipped(tmp_path / 'dist')}"]
    run([*cdk[:2], "bootstrap", f"aws://{ACCOUNT}/{REGION}"], tmp_path, **environment)
    run([*cdk, "deploy", "--require-approval", "never"], tmp_path, **environment)

    def client(service: str):
        return boto3.client(
            service, region_name=REGION, endpoint_url=endpoint, aws_access_key_id=ACCOUNT, aws_secret_access_key="testing"
        )

    functions = client("lambda").list_functions()["Functions"]
    assert len(functions) == 1
    (stream,) = client("firehose").list_delivery_streams()["DeliveryStreamNames"]
    (bucket,) = [each["Name"] for each in client("s3").list_buckets()["Buckets"] if each["Name"].startswith("quickstart-")]
    layer = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:backstop-extension-x86_64-0-1-0:1"
    assert [each["Arn"] for each in functions[0]["Layers"]] == [layer]
    assert client("lambda").get_layer_version_by_arn(Arn=layer)["CompatibleArchitectures"] == ["x86_64"]
    assert functions[0]["Environment"]["Variables"] == {
        "BACKSTOP_PRIMARY_URL": "https://logs.example.com/v1",
        "BACKSTOP_FIREHOSE_STREAM": f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{stream}",
        "BACKSTOP_S3_BUCKET": bucket,
        "BACKSTOP_S3_PREFIX": "backstop",
        "BACKSTOP_S3_EXPECTED_BUCKET_OWNER": ACCOUNT,
    }
    described = client("firehose").describe_delivery_stream(DeliveryStreamName=stream)["DeliveryStreamDescription"]
    destination = described["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert destination["BucketARN"] == f"arn:aws:s3:::{bucket}"
    assert destination["Prefix"].startswith(f"backstop/v1/stream={stream}/dt=")

    role = functions[0]["Role"].split("/")[-1]
    (policy,) = client("iam").list_role_policies(RoleName=role)["PolicyNames"]
    granted = client("iam").get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]["Statement"]
    assert {each["Action"]: each["Resource"] for each in granted} == {
        "firehose:PutRecordBatch": f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{stream}",
        "s3:PutObject": f"arn:aws:s3:::{bucket}/backstop/v1/*",
    }

    run([*cdk, "destroy", "--force"], tmp_path, **environment)
    assert client("lambda").list_functions()["Functions"] == []
    # A function somewhere may name it.
    assert client("lambda").get_layer_version_by_arn(Arn=layer)["LayerVersionArn"] == layer
    assert client("firehose").list_delivery_streams()["DeliveryStreamNames"] == []
    assert bucket not in [each["Name"] for each in client("s3").list_buckets()["Buckets"]]
