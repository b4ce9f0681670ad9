/** The replay: what it makes, what it may do, and that this is what the Terraform module makes. */
import * as fs from 'fs';
import * as path from 'path';
import { Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Code } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { stackOf } from './app';
import { BackstopArchive, BackstopReplay, BackstopReplayMark, BackstopReplayProps, BackstopSecret } from '../src';

const MODULE = path.join(__dirname, '../../terraform/modules/replay');
const terraform = (name: string) => fs.readFileSync(path.join(MODULE, name), 'utf8');

function replayIn(stack: Stack, props: Partial<BackstopReplayProps> = {}): BackstopReplay {
  const archive = new BackstopArchive(stack, 'Archive', { bucketName: 'archive', hasStream: false });
  const code = Code.fromBucket(Bucket.fromBucketName(stack, 'Artefacts', 'artefacts'), 'replay-function-arm64.zip');
  return new BackstopReplay(stack, 'Replay', { code, archive, primary: { url: 'https://intake.example.com/v1/logs' }, ...props });
}

const actionsOf = (stack: Stack, id: RegExp) => {
  const policies = Object.entries(Template.fromStack(stack).findResources('AWS::IAM::Policy')).filter(([name]) => id.test(name));
  return policies.flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement.flatMap(({ Action }: any) => [Action].flat()));
};

/** The actions in a file of the module; of what is done with objects afterwards, those of tags. */
const actionsIn = (text: string) =>
  [...text.matchAll(/"((?:s3|sqs|lambda|logs|states):[A-Z]\w+)"/g)].map(([, action]) => action).filter((action) => action !== 'lambda:FunctionArn');

test('by default there are two queues, the function and its mapping, and nothing that costs', () => {
  const stack = stackOf();
  replayIn(stack);
  const template = Template.fromStack(stack);
  template.resourceCountIs('AWS::SQS::Queue', 2);
  template.resourceCountIs('AWS::Scheduler::Schedule', 0);
  template.resourceCountIs('AWS::CloudWatch::Alarm', 0);
  template.resourceCountIs('AWS::StepFunctions::StateMachine', 0);
  template.hasResourceProperties('AWS::SQS::Queue', { QueueName: 'backstop-replay', SqsManagedSseEnabled: true, VisibilityTimeout: 1800 });
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', { FunctionResponseTypes: ['ReportBatchItemFailures'], ScalingConfig: { MaximumConcurrency: 2 } });
  template.hasResourceProperties('AWS::Lambda::Function', {
    Runtime: 'provided.al2023',
    Environment: { Variables: { BACKSTOP_PRIMARY_URL: 'https://intake.example.com/v1/logs', BACKSTOP_S3_PREFIX: 'backstop', BACKSTOP_REPLAY_AFTER: 'tag' } },
  });
  template.hasResourceProperties('AWS::Logs::LogGroup', { LogGroupName: '/aws/lambda/backstop-replay', RetentionInDays: 30 });
});

test('the roles have the actions that the Terraform module gives', () => {
  const stack = stackOf();
  replayIn(stack, { distributedMap: {} });
  const text = terraform('policy.tf');
  const [marks, rest] = text.split('statements = concat(');
  const tag = marks.split('    tag = [')[1].split('\n    move = [')[0];
  expect(actionsOf(stack, /ReplayPermissions/).sort()).toEqual(actionsIn(tag + rest).sort());
  const map = terraform('map.tf').split('resource "aws_iam_role_policy" "map"')[1];
  expect(actionsOf(stack, /ReplayMapPolicy/).sort()).toEqual(actionsIn(map).sort());
});

test('the state machine is the one of the Terraform module', () => {
  const stack = stackOf();
  replayIn(stack, { distributedMap: { functions: 20, batchObjects: 50 } });
  const [machine] = Object.values(Template.fromStack(stack).findResources('AWS::StepFunctions::StateMachine'));
  const { States } = machine.Properties.Definition;
  expect(States.Replay).toMatchObject({ MaxConcurrency: 20, ToleratedFailurePercentage: 1, ItemBatcher: { MaxItemsPerBatch: 50 } });
  expect(States.Replay.ItemProcessor.ProcessorConfig.ExecutionType).toBe('STANDARD');
  // Each word of the language in the one is in the other.
  const words = (value: unknown): string[] => (typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.entries(value).flatMap(([name, inner]) => [name, ...words(inner)]) : Array.isArray(value) ? value.flatMap(words) : []);
  const known = words(machine.Properties.Definition).filter((word) => !word.startsWith('Fn::') && word !== 'Ref');
  const text = terraform('map.tf').split('definition = {')[1].split('\nresource ')[0];
  const theirs = [...text.matchAll(/(?:^|[{,]\s*|\s)"?([A-Za-z][A-Za-z.$]*)"?\s*=(?!=)/g)].map(([, word]) => word);
  expect([...new Set(known)].sort()).toEqual([...new Set(theirs)].sort());
});

test('only this account assumes the roles of the schedule and of the state machine, and a missing key is not denied', () => {
  const stack = stackOf();
  replayIn(stack, { schedule: {}, distributedMap: {} });
  const roles = Object.values(Template.fromStack(stack).findResources('AWS::IAM::Role')).map(({ Properties }) => Properties.AssumeRolePolicyDocument.Statement[0]);
  for (const service of ['scheduler', 'states']) {
    const role = roles.find(({ Principal }: any) => Principal.Service === `${service}.amazonaws.com`);
    expect(role.Condition).toEqual({ StringEquals: { 'aws:SourceAccount': stack.account } });
  }
  const policies = Template.fromStack(stack).findResources('AWS::IAM::Policy');
  expect(JSON.stringify(policies)).toContain('{"StringLikeIfExists":{"s3:prefix":["backstop/v1/*","backstop/replay/*"]}}');
});

test('batches, pauses and the age of objects can be set as in the Terraform module', () => {
  const stack = stackOf();
  replayIn(stack, { batchSize: 10, batchRecords: 500, retryAfter: Duration.minutes(2), schedule: { settleFor: Duration.minutes(5) } });
  const template = Template.fromStack(stack);
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', { BatchSize: 10 });
  template.hasResourceProperties('AWS::Lambda::Function', {
    Environment: { Variables: { BACKSTOP_REPLAY_BATCH_RECORDS: '500', BACKSTOP_REPLAY_RETRY_SECONDS: '120', BACKSTOP_REPLAY_SETTLE_SECONDS: '300' } },
  });
});

test('a schedule probes, and alarms ask for a person or stop the replay', () => {
  const stack = stackOf();
  const { alarms } = replayIn(stack, {
    schedule: { rate: Duration.minutes(1), maxObjects: 10 }, alarms: { actions: [{ bind: () => ({ alarmActionArn: 'arn:aws:sns:eu-west-1:111122223333:topic' }) }], notEmptyFor: Duration.hours(3), stopAtDeadLetters: 50 },
  });
  const template = Template.fromStack(stack);
  template.hasResourceProperties('AWS::Scheduler::Schedule', { ScheduleExpression: 'rate(1 minute)', Target: { Input: '{"mode":"probe"}' } });
  template.hasResourceProperties('AWS::Lambda::Function', { Environment: { Variables: { BACKSTOP_REPLAY_MAX_OBJECTS: '10' } } });
  expect(alarms).toHaveLength(3);
  template.allResourcesProperties('AWS::CloudWatch::Alarm', { OKActions: ['arn:aws:sns:eu-west-1:111122223333:topic'] });
  template.hasResourceProperties('AWS::CloudWatch::Alarm', { AlarmName: 'backstop-replay-archive-not-empty', EvaluationPeriods: 3, MetricName: 'UnreplayedObjects', TreatMissingData: 'breaching' });
  template.hasResourceProperties('AWS::Lambda::Permission', { Principal: 'lambda.alarms.cloudwatch.amazonaws.com' });
});

test('a token by reference is granted, and moving objects needs other permissions than tagging', () => {
  const stack = stackOf();
  const token = BackstopSecret.readFromSecretsManager(new Secret(stack, 'Token'));
  replayIn(stack, { primary: { url: 'https://intake.example.com/', token }, after: BackstopReplayMark.MOVE });
  const actions = actionsOf(stack, /ReplayPermissions/);
  expect(actions).toContain('secretsmanager:GetSecretValue');
  expect(actions.filter((action: string) => action === 's3:DeleteObject')).toHaveLength(2);
});

test.each([
  [{ functions: 1 }, 'functions is not a whole number from 2 to 1000'],
  [{ batchSize: 11 }, 'batchSize is not a whole number from 1 to 10'],
  [{ batchRecords: 0 }, 'batchRecords is not a whole number'],
  [{ retryAfter: Duration.hours(2) }, 'retryAfter is not from 0 to 3600 seconds'],
  [{ schedule: { maxObjects: 250001 } }, 'schedule.maxObjects is not a whole number'],
  [{ schedule: { settleFor: Duration.days(1) } }, 'schedule.settleFor is not from 0 seconds to 12 hours'],
  [{ objects: 65 }, 'objects is not a whole number from 1 to 64'],
  [{ maxReceives: 1001 }, 'maxReceives is not a whole number'],
  [{ rate: 'fast' }, 'rate is not a rate'],
  [{ replayName: 'n'.repeat(41) }, 'replayName is not 1 to 40'],
  [{ timeout: Duration.seconds(10) }, 'timeout is not from 60 to 900'],
  [{ alarms: { notEmptyFor: Duration.days(2) } }, 'alarms.notEmptyFor'],
  [{ primary: { url: 'http://host/' } }, 'plain http'],
] as [Partial<BackstopReplayProps>, string][])('%j is refused', (props, problem) => {
  const stack = stackOf();
  replayIn(stack, props);
  expect(() => Template.fromStack(stack)).toThrow(problem);
});
