package example;

import dev.backstop_telemetry.cdk.Backstop;
import dev.backstop_telemetry.cdk.BackstopArchive;
import dev.backstop_telemetry.cdk.BackstopAttachAllProps;
import dev.backstop_telemetry.cdk.BackstopFallback;
import dev.backstop_telemetry.cdk.BackstopLayer;
import dev.backstop_telemetry.cdk.BackstopPrimary;
import dev.backstop_telemetry.cdk.BackstopSecret;
import java.util.List;
import java.util.Map;
import software.amazon.awscdk.App;
import software.amazon.awscdk.Environment;
import software.amazon.awscdk.Stack;
import software.amazon.awscdk.StackProps;
import software.amazon.awscdk.services.lambda.Code;
import software.amazon.awscdk.services.lambda.Function;
import software.amazon.awscdk.services.lambda.Runtime;
import software.amazon.awscdk.services.secretsmanager.Secret;

/** One function, an archive, and Backstop beside every function of the app. */
public final class ShopApp {
    private ShopApp() {}

    public static void main(final String[] arguments) {
        App app = new App();
        Stack stack = new Stack(app, "Shop", StackProps.builder()
                .env(Environment.builder().account("111122223333").region("eu-west-1").build())
                .build());

        Function.Builder.create(stack, "Orders")
                .runtime(Runtime.NODEJS_22_X)
                .handler("index.handler")
                .code(Code.fromInline("exports.handler = async () => ({ statusCode: 200 })"))
                .environment(Map.of("TABLE", "orders"))
                .build();

        Backstop.of(app).attachAll(BackstopAttachAllProps.builder()
                .layer(BackstopLayer.fromManifest("layers.json"))
                .primary(BackstopPrimary.builder()
                        .url("https://logs.example.com/v1")
                        .token(BackstopSecret.fromSecretsManager(
                                Secret.fromSecretNameV2(stack, "Token", "backstop/token")))
                        .build())
                .fallback(BackstopFallback.builder().archive(new BackstopArchive(stack, "Archive")).build())
                .tags(Map.of("team", "payments"))
                .include(List.of("Shop/Orders*"))
                .build());

        app.synth();
    }
}
