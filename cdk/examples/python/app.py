"""One function, an archive, and Backstop beside every function of the app."""

from aws_cdk import App, Environment, Stack
from aws_cdk.aws_lambda import Code, Function, Runtime
from aws_cdk.aws_secretsmanager import Secret
from backstop_cdk import (
    Backstop,
    BackstopArchive,
    BackstopFallback,
    BackstopLayer,
    BackstopPrimary,
    BackstopSecret,
)

app = App()
stack = Stack(app, "Shop", env=Environment(account="111122223333", region="eu-west-1"))

Function(
    stack,
    "Orders",
    runtime=Runtime.NODEJS_22_X,
    handler="index.handler",
    code=Code.from_inline("exports.handler = async () => ({ statusCode: 200 })"),
    environment={"TABLE": "orders"},
)

Backstop.of(app).attach_all(
    layer=BackstopLayer.from_manifest("layers.json"),
    primary=BackstopPrimary(
        url="https://logs.example.com/v1",
        token=BackstopSecret.from_secrets_manager(Secret.from_secret_name_v2(stack, "Token", "backstop/token")),
    ),
    fallback=BackstopFallback(archive=BackstopArchive(stack, "Archive")),
    tags={"team": "payments"},
    include=["Shop/Orders*"],
)

app.synth()
