// A controller for the functions of an account, in the mode that writes nothing: `backstop controller status --state …` shows
// what it would do. `controller-arm64.zip` is of the release.
import { App, CfnOutput, Duration, Stack } from 'aws-cdk-lib';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Code } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { BackstopController, BackstopControllerMode, BackstopWantedState } from 'backstop-cdk';

const app = new App();
const stack = new Stack(app, 'Controller', { env: { account: '111122223333', region: 'eu-west-1' } });

// Buckets of the platform: of the zips of releases, of `backstop.toml`, and of what the controller did.
const releases = Bucket.fromBucketName(stack, 'Releases', 'platform-releases');
const config = Bucket.fromBucketName(stack, 'Config', 'platform-config');
const state = Bucket.fromBucketName(stack, 'State', 'platform-state');

const key = new Key(stack, 'Key', { enableKeyRotation: true });
// The topic of the alarms is under the key.
key.grantEncryptDecrypt(new ServicePrincipal('cloudwatch.amazonaws.com'));

const controller = new BackstopController(stack, 'Controller', {
  code: Code.fromBucketV2(releases, '0.1.0/controller-arm64.zip'),
  wanted: BackstopWantedState.fromBucket(config, 'backstop.toml'),
  state: { bucket: state },
  mode: BackstopControllerMode.REPORT,
  schedule: ScheduleExpression.rate(Duration.hours(1)),
  events: {},
  never: ['backstop-replay'],
  alarms: { actions: [new SnsAction(new Topic(stack, 'Alarms', { masterKey: key }))], drift: true },
});

new CfnOutput(stack, 'Runs', { value: controller.state });
new CfnOutput(stack, 'RoleArn', { value: controller.fn.role!.roleArn });

app.synth();
