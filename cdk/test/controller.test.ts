/** The controller: what it makes, what its role may do, and what is off by default. */
import * as fs from 'fs';
import * as path from 'path';
import { App, CustomResource, Duration, Fn, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Alias, IKey, Key } from 'aws-cdk-lib/aws-kms';
import { Code } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { statementsOf } from './app';
import { verdictOn } from './nag';
import { BackstopController, BackstopControllerMode, BackstopControllerProps, BackstopWantedState } from '../src';

const ACCOUNT = { account: '123456789012', region: 'eu-west-1' };
const FILE = path.join(__dirname, '../../terraform/modules/controller/tests/permissions.json');
const PERMISSIONS = JSON.parse(fs.readFileSync(FILE, 'utf8'));

const bucketIn = (stack: Stack, bucketName: string, encryptionKey?: IKey) => Bucket.fromBucketAttributes(stack, `Bucket${bucketName}`, { bucketName, encryptionKey });
const keyIn = (stack: Stack, id: string) => Key.fromKeyArn(stack, `Key${id}`, `arn:aws:kms:eu-west-1:123456789012:key/${id}`);
const parameterIn = (stack: Stack, name: string) => StringParameter.fromStringParameterName(stack, `Parameter${name}`, name);

const leastIn = (stack: Stack): BackstopControllerProps => ({
  code: Code.fromBucket(bucketIn(stack, 'artefacts'), 'controller-arm64.zip'),
  wanted: BackstopWantedState.fromParameter(parameterIn(stack, '/backstop/wanted')),
  state: { bucket: bucketIn(stack, 'state') },
});

const everythingIn = (stack: Stack): Partial<BackstopControllerProps> => ({
  mode: BackstopControllerMode.ENFORCE,
  wanted: BackstopWantedState.fromBucket(bucketIn(stack, 'config'), 'backstop.toml'),
  state: { bucket: bucketIn(stack, 'state'), prefix: 'fleet', encryptionKey: keyIn(stack, '1') },
  schedule: ScheduleExpression.rate(Duration.hours(1)),
  events: { cloudtrail: true, delay: Duration.minutes(2) },
  alarms: { actions: [new SnsAction(Topic.fromTopicArn(stack, 'Ops', 'arn:aws:sns:eu-west-1:123456789012:ops'))], drift: true },
  maxWritesPerHour: 5,
  includeManaged: true,
  never: ['backstop-replay'],
  switchParameter: parameterIn(stack, '/backstop/switch'),
  assumeRoleArns: ['arn:aws:iam::*:role/BackstopInstaller'],
  secrets: [Secret.fromSecretCompleteArn(stack, 'Token', 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-abcdef')],
  encryptionKeys: [keyIn(stack, '3')],
  environmentKeys: [keyIn(stack, '4')],
  queueKey: keyIn(stack, '2'),
});

function controllerIn(change: (stack: Stack) => Partial<BackstopControllerProps> = () => ({})) {
  const stack = new Stack(new App(), 'Platform', { env: ACCOUNT });
  const least = leastIn(stack);
  // What is only named makes nothing, whichever stack it is in.
  const changed = change(new Stack(stack.node.root, 'Names', { env: ACCOUNT }));
  const controller = new BackstopController(stack, 'Controller', { ...least, ...changed });
  return { stack, controller, template: () => Template.fromStack(stack) };
}

const variablesOf = (template: Template) => Object.values(template.findResources('AWS::Lambda::Function'))[0].Properties.Environment.Variables;

test('by default it only reports, and nothing runs', () => {
  const { template, controller } = controllerIn();
  const made = template();
  for (const type of ['AWS::Scheduler::Schedule', 'AWS::Events::Rule', 'AWS::Lambda::EventSourceMapping', 'AWS::CloudWatch::Alarm']) made.resourceCountIs(type, 0);
  expect(variablesOf(made)).toEqual({
    CONTROLLER_CONFIG: 'ssm:/backstop/wanted', CONTROLLER_STATE: 's3://state/backstop-controller', CONTROLLER_MODE: 'report', CONTROLLER_MAX_WRITES: '3',
  });
  made.hasResourceProperties('AWS::Lambda::Function', {
    FunctionName: 'backstop-controller',
    Runtime: 'provided.al2023',
    Handler: 'bootstrap',
    Architectures: ['arm64'],
    MemorySize: 512,
    Timeout: 900,
    // Two at once would write the same functions.
    ReservedConcurrentExecutions: 1,
  });
  made.hasResourceProperties('AWS::Logs::LogGroup', { LogGroupName: '/aws/lambda/backstop-controller', RetentionInDays: 30 });
  const arn = { 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':sqs:eu-west-1:123456789012:backstop-controller']] };
  made.hasResourceProperties('AWS::SQS::Queue', {
    QueueName: 'backstop-controller', SqsManagedSseEnabled: true, DelaySeconds: 60, MessageRetentionPeriod: 86400, VisibilityTimeout: 5400, RedrivePolicy: { maxReceiveCount: 5 },
  });
  made.hasResourceProperties('AWS::SQS::Queue', {
    QueueName: 'backstop-controller-dead-letters',
    SqsManagedSseEnabled: true,
    MessageRetentionPeriod: 1209600,
    RedriveAllowPolicy: { redrivePermission: 'byQueue', sourceQueueArns: [arn] },
  });
  expect(controller.state).toBe('s3://state/backstop-controller');
});

test('all there can be', () => {
  const { template, controller } = controllerIn(everythingIn);
  const made = template();
  expect(variablesOf(made)).toEqual({
    CONTROLLER_CONFIG: 's3://config/backstop.toml',
    CONTROLLER_STATE: 's3://state/fleet',
    CONTROLLER_STATE_KMS_KEY_ID: 'arn:aws:kms:eu-west-1:123456789012:key/1',
    CONTROLLER_MODE: 'enforce',
    CONTROLLER_MAX_WRITES: '5',
    CONTROLLER_INCLUDE_MANAGED: 'true',
    CONTROLLER_NEVER: 'backstop-replay',
    CONTROLLER_SWITCH: 'ssm:/backstop/switch',
  });
  made.hasResourceProperties('AWS::Scheduler::Schedule', {
    Name: 'backstop-controller-plan', ScheduleExpression: 'rate(1 hour)', Target: { Input: '{"action":"plan"}', RetryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 1800 } },
  });
  made.hasResourceProperties('AWS::Events::Rule', { Name: 'backstop-controller-state', EventPattern: { 'source': ['aws.lambda'], 'detail-type': [{ 'anything-but': 'AWS API Call via CloudTrail' }] } });
  made.hasResourceProperties('AWS::Events::Rule', {
    Name: 'backstop-controller-cloudtrail',
    EventPattern: { 'detail-type': ['AWS API Call via CloudTrail'], 'detail': { eventName: Match.arrayWith([{ prefix: 'CreateFunction' }]), errorCode: [{ exists: false }] } },
  });
  made.hasResourceProperties('AWS::Lambda::EventSourceMapping', { BatchSize: 100, MaximumBatchingWindowInSeconds: 30, ScalingConfig: { MaximumConcurrency: 2 } });
  made.hasResourceProperties('AWS::SQS::Queue', { QueueName: 'backstop-controller', DelaySeconds: 120, KmsMasterKeyId: 'arn:aws:kms:eu-west-1:123456789012:key/2' });
  expect(controller.alarms).toHaveLength(9);
  const names = Object.values(made.findResources('AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties.AlarmName.replace('backstop-controller-', ''));
  expect(names.sort()).toEqual(['dead-letters', 'drifted', 'errors', 'failed', 'invocations', 'limited', 'no-plan', 'skipped', 'stopped']);
  made.allResourcesProperties('AWS::CloudWatch::Alarm', { AlarmActions: ['arn:aws:sns:eu-west-1:123456789012:ops'], OKActions: ['arn:aws:sns:eu-west-1:123456789012:ops'] });
  made.hasResourceProperties('AWS::CloudWatch::Alarm', { AlarmName: 'backstop-controller-no-plan', TreatMissingData: 'breaching', ComparisonOperator: 'LessThanThreshold', Threshold: 1 });
});

test.each(['smallest', 'everything'])('the role of %s has the statements of the Terraform module', (name) => {
  const { stack } = controllerIn(name === 'everything' ? everythingIn : undefined);
  expect(statementsOf(stack, /ControllerPermissions/)).toEqual(PERMISSIONS[name]);
});

test('keys that CDK knows are granted without being named', () => {
  const { stack } = controllerIn((one) => ({
    state: { bucket: bucketIn(one, 'runs', keyIn(one, '1')) },
    wanted: BackstopWantedState.fromBucket(bucketIn(one, 'config', keyIn(one, '4')), 'backstop.toml'),
    secrets: [Secret.fromSecretAttributes(one, 'Token', { secretCompleteArn: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-abcdef', encryptionKey: keyIn(one, '5') })],
  }));
  const keys = statementsOf(stack, /ControllerPermissions/).filter(({ Action }: any) => /^kms:/.test(Action[0]));
  expect(keys.map(({ Sid, Resource }: any) => [Sid, ...Resource.map((arn: string) => arn.split('/')[1])])).toEqual([['EncryptState', '1'], ['Decrypt', '4', '5']]);
});

test('report grants nothing on the key of an environment but to read', () => {
  const { stack } = controllerIn((one) => ({ environmentKeys: [keyIn(one, '4')] }));
  const actions = statementsOf(stack, /ControllerPermissions/).flatMap(({ Action }: any) => Action);
  expect(actions.filter((action) => action.startsWith('kms:'))).toEqual(['kms:Decrypt']);
  expect(actions).not.toContain('lambda:UpdateFunctionConfiguration');
});

test.each<[string, ScheduleExpression, Duration | undefined, number]>([
  ['an hourly plan', ScheduleExpression.rate(Duration.hours(1)), undefined, 3],
  ['one every ten minutes', ScheduleExpression.rate(Duration.minutes(10)), undefined, 1],
  ['a daily plan', ScheduleExpression.rate(Duration.days(1)), undefined, 72],
  ['a cron expression', ScheduleExpression.cron({ hour: '4', minute: '0' }), Duration.hours(26), 26],
])('the alarm on plans follows %s', (_what, schedule, planWithin, hours) => {
  controllerIn(() => ({ schedule, alarms: { planWithin } })).template().hasResourceProperties('AWS::CloudWatch::Alarm', {
    AlarmName: 'backstop-controller-no-plan', EvaluationPeriods: hours, Period: 3600, AlarmDescription: `No plan over everything has worked for ${hours} hours.`,
  });
});

test('each rule may send to the queue, and nobody else', () => {
  const made = controllerIn(everythingIn).template();
  const policies = Object.values(made.findResources('AWS::SQS::QueuePolicy')).flatMap(({ Properties }) => Properties.PolicyDocument.Statement);
  const allowed = policies.filter(({ Effect }) => Effect === 'Allow');
  expect(allowed.map(({ Action, Principal }) => [Action, Principal])).toEqual(Array(2).fill(['sqs:SendMessage', { Service: 'events.amazonaws.com' }]));
  const rules = Object.keys(made.findResources('AWS::Events::Rule'));
  expect(allowed.map(({ Condition }) => Condition.ArnEquals['aws:SourceArn']['Fn::GetAtt'][0]).sort()).toEqual(rules.sort());
  expect(policies.filter(({ Effect }) => Effect === 'Deny')).toHaveLength(2);
});

test('a custom resource of CloudFormation names the function', () => {
  const { stack, controller, template } = controllerIn(() => ({ mode: BackstopControllerMode.ATTACH }));
  new CustomResource(stack, 'Orders', { serviceToken: controller.fn.functionArn, properties: { Functions: ['orders'] } });
  template().hasResourceProperties('AWS::CloudFormation::CustomResource', { Functions: ['orders'] });
});

test('what is known at deployment is not judged', () => {
  const { template } = controllerIn(() => ({ never: [Fn.importValue('Replay')], assumeRoleArns: [Fn.importValue('Role')] }));
  expect(variablesOf(template()).CONTROLLER_NEVER).toEqual({ 'Fn::ImportValue': 'Replay' });
});

test.each<[string, (stack: Stack) => Partial<BackstopControllerProps>]>([
  ['controllerName is not 1 to 40', () => ({ controllerName: 'n'.repeat(41) })],
  ['state.prefix is invalid', (stack) => ({ state: { bucket: bucketIn(stack, 'runs'), prefix: '/x' } })],
  ['schedule is not a rate or a cron', () => ({ schedule: ScheduleExpression.at(new Date(0)) })],
  ['alarms.planWithin is not a whole number', () => ({ alarms: { planWithin: Duration.hours(169) } })],
  ['no interval is known', () => ({ schedule: ScheduleExpression.cron({ hour: '4' }), alarms: {} })],
  ['is not longer than the interval', () => ({ schedule: ScheduleExpression.rate(Duration.days(7)), alarms: {} })],
  ['maxWritesPerHour is not', () => ({ maxWritesPerHour: 0 })],
  ['memorySize is not', () => ({ memorySize: 128 })],
  ['never has an entry', () => ({ never: ['arn:aws:lambda:eu-west-1:123456789012:function:orders'] })],
  ['assumeRoleArns has an entry', () => ({ assumeRoleArns: ['BackstopInstaller'] })],
  ['is the alias of an unknown key', (stack) => ({ encryptionKeys: [Alias.fromAliasName(stack, 'Alias', 'alias/mine')] })],
])('%s: refused', (problem, change) => {
  const { template } = controllerIn(change);
  expect(template).toThrow(problem);
});

test('CDK itself refuses a delay that SQS does not offer', () => {
  expect(() => controllerIn(() => ({ events: { delay: Duration.minutes(16) } }))).toThrow('delivery delay must be between 0 and 900');
});

test('cdk-nag has nothing to say of it', () => {
  expect(verdictOn((stack) => new BackstopController(stack, 'Controller', { ...leastIn(stack), schedule: ScheduleExpression.rate(Duration.hours(1)), events: {}, alarms: {} }))).toBe('');
});
