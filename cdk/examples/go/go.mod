module example/shop

go 1.25

require (
	github.com/aws/aws-cdk-go/awscdk/v2 v2.263.0
	github.com/aws/jsii-runtime-go v1.138.0
	github.com/backstop-telemetry/backstop-cdk-go/backstopcdk v0.1.0
)
