/** Whole templates of apps as users write them: a change in any of them is to be looked at. */
import * as fs from 'fs';
import * as path from 'path';
import { App, Duration, NestedStack, Stack, Stage } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { Cluster } from 'aws-cdk-lib/aws-ecs';
import { Alias, Architecture, Code, DockerImageCode, DockerImageFunction } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { CfnFunction as SamFunction } from 'aws-cdk-lib/aws-sam';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { arnOf, ENV, functionIn, layer, MINIMUM, zips } from './app';
import {
  Backstop, BackstopArchive, BackstopController, BackstopControllerMode, BackstopGateway, BackstopLayer, BackstopMetrics, BackstopMonitoring,
  BackstopSecret, BackstopWantedState,
} from '../src';

const primary = { url: 'https://logs.example.com/v1' };

const SHAPES: Record<string, (app: App) => Stack> = {
  'one function and an archive': (app) => {
    const stack = new Stack(app, 'Shop', { env: ENV });
    Backstop.attach(functionIn(stack), { layer, primary, fallback: { archive: new BackstopArchive(stack, 'Archive') } });
    return stack;
  },
  'a layer of its own, with a secret': (app) => {
    const stack = new Stack(app, 'Shop', { env: ENV });
    functionIn(stack);
    functionIn(stack, 'Payments', { architecture: Architecture.ARM_64 });
    const token = BackstopSecret.fromSecretsManager(Secret.fromSecretNameV2(stack, 'Token', 'backstop/token'));
    Backstop.of(app).attachAll({ ...MINIMUM, layer: BackstopLayer.fromZips({ directory: zips() }), primary: { ...primary, token } });
    return stack;
  },
  'a platform team that publishes': (app) => {
    const stack = new Stack(app, 'Platform', { env: ENV });
    new BackstopLayer(stack, 'Layer', { directory: zips(), shareWith: { organizationId: 'o-abcde12345' }, parameterPrefix: '/backstop/layer' });
    new BackstopArchive(stack, 'Archive', { alarms: {}, tables: {} });
    return stack;
  },
  'no env, with a manifest': (app) => {
    const stack = new Stack(app, 'Shop');
    functionIn(stack);
    const file = path.join(zips(), 'layers.json');
    fs.writeFileSync(file, JSON.stringify({ layers: { 111122223333: { 'eu-west-1': { x86_64: { arn: arnOf('x86_64') } } } } }));
    Backstop.of(app).attachAll({ ...MINIMUM, layer: BackstopLayer.fromManifest(file) });
    return stack;
  },
  'a nested stack': (app) => {
    const stack = new Stack(app, 'Shop', { env: ENV });
    const nested = new NestedStack(stack, 'Nested');
    functionIn(nested);
    Backstop.of(stack).attachAll({ layer, primary, fallback: { archive: new BackstopArchive(stack, 'Archive') } });
    return nested;
  },
  'a dashboard and alarms for two functions': (app) => {
    const stack = new Stack(app, 'Shop', { env: ENV });
    const archive = new BackstopArchive(stack, 'Archive');
    const functions = [functionIn(stack), functionIn(stack, 'Payments')];
    Backstop.of(app).attachAll({ layer, primary, fallback: { archive }, metrics: BackstopMetrics.EMF });
    new BackstopMonitoring(stack, 'Monitoring', { functions, archive, notReplayedAfter: Duration.days(2) });
    return stack;
  },
  'a stage': (app) => {
    const stack = new Stack(new Stage(app, 'Prod'), 'Shop', { env: ENV });
    functionIn(stack);
    Backstop.of(app).attachAll(MINIMUM);
    return stack;
  },
  'an alias and a container image': (app) => {
    const stack = new Stack(app, 'Shop', { env: ENV });
    new Alias(stack, 'Live', { aliasName: 'live', version: functionIn(stack).currentVersion });
    new DockerImageFunction(stack, 'Images', { code: DockerImageCode.fromEcr(Repository.fromRepositoryName(stack, 'Repository', 'orders')) });
    Backstop.of(app).attachAll(MINIMUM);
    return stack;
  },
  'a controller': (app) => {
    const stack = new Stack(app, 'Platform', { env: ENV });
    new BackstopController(stack, 'Controller', {
      code: Code.fromBucketV2(Bucket.fromBucketName(stack, 'Artefacts', 'artefacts'), 'controller-arm64.zip'),
      wanted: BackstopWantedState.fromParameter(StringParameter.fromStringParameterName(stack, 'Wanted', '/backstop/wanted')),
      state: { bucket: Bucket.fromBucketName(stack, 'State', 'state') },
      mode: BackstopControllerMode.ATTACH,
      schedule: ScheduleExpression.rate(Duration.hours(1)),
      events: { cloudtrail: true },
      alarms: {},
    });
    return stack;
  },
  'a gateway': (app) => {
    const stack = new Stack(app, 'Platform', { env: ENV });
    const vpc = Vpc.fromVpcAttributes(stack, 'Vpc', { vpcId: 'vpc-11111111', availabilityZones: ['eu-west-1a', 'eu-west-1b'], privateSubnetIds: ['subnet-11111111', 'subnet-22222222'] });
    new BackstopGateway(stack, 'Gateway', {
      cluster: Cluster.fromClusterAttributes(stack, 'Cluster', { clusterName: 'main', vpc }),
      image: `otel/opentelemetry-collector-contrib@sha256:${'0'.repeat(64)}`,
      token: Secret.fromSecretNameV2(stack, 'Token', 'gateway/token'),
      primary: { url: 'https://otlp.example.com' },
      archive: { bucket: new BackstopArchive(stack, 'Archive', { hasStream: false }).bucket },
      loadBalancer: { certificate: Certificate.fromCertificateArn(stack, 'Certificate', `arn:aws:acm:eu-west-1:${ENV.account}:certificate/1234abcd-12ab-34cd-56ef-1234567890ab`), allowedCidrs: ['10.0.0.0/8'] },
    });
    return stack;
  },
  "SAM's function": (app) => {
    const stack = new Stack(app, 'Shop', { env: ENV });
    new SamFunction(stack, 'Orders', { codeUri: 's3://code/orders.zip', runtime: 'nodejs22.x', handler: 'index.handler' });
    Backstop.of(app).attachAll({ ...MINIMUM, fallback: { firehoseStream: 'records', s3Bucket: 'my-archive' } });
    return stack;
  },
};

test.each(Object.entries(SHAPES))('%s', (_name, build) => {
  const template = Template.fromStack(build(new App({ analyticsReporting: false }))).toJSON();
  // The same in each template, and CDK's.
  delete template.Parameters?.BootstrapVersion;
  delete template.Rules?.CheckBootstrapVersion;
  // Of a file the first line says which.
  for (const { Properties } of Object.values<any>(template.Resources)) {
    for (const variable of Properties?.ContainerDefinitions?.[0].Environment ?? []) {
      if (variable.Name.startsWith('CONFIGURATION_')) [variable.Value] = variable.Value.split('\n');
    }
  }
  expect(template).toMatchSnapshot();
});
