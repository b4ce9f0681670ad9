// One function, an archive, and Backstop beside every function of the app.
package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"
	"github.com/backstop-telemetry/backstop-cdk-go/backstopcdk"
)

func main() {
	defer jsii.Close()

	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{
		Env: &awscdk.Environment{Account: jsii.String("111122223333"), Region: jsii.String("eu-west-1")},
	})

	awslambda.NewFunction(stack, jsii.String("Orders"), &awslambda.FunctionProps{
		Runtime:     awslambda.Runtime_NODEJS_22_X(),
		Handler:     jsii.String("index.handler"),
		Code:        awslambda.Code_FromInline(jsii.String("exports.handler = async () => ({ statusCode: 200 })")),
		Environment: &map[string]*string{"TABLE": jsii.String("orders")},
	})

	token := awssecretsmanager.Secret_FromSecretNameV2(stack, jsii.String("Token"), jsii.String("backstop/token"))
	backstopcdk.Backstop_Of(app).AttachAll(&backstopcdk.BackstopAttachAllProps{
		Layer: backstopcdk.BackstopLayer_FromManifest(jsii.String("layers.json"), nil),
		Primary: &backstopcdk.BackstopPrimary{
			Url:   jsii.String("https://logs.example.com/v1"),
			Token: backstopcdk.BackstopSecret_FromSecretsManager(token, nil),
		},
		Fallback: &backstopcdk.BackstopFallback{
			Archive: backstopcdk.NewBackstopArchive(stack, jsii.String("Archive"), nil),
		},
		Tags: &map[string]*string{"team": jsii.String("payments")},
		Include: jsii.Strings("Shop/Orders*"),
	})

	app.Synth(nil)
}
