/** The dashboard and the alarms, which are those of the Terraform module. */
import * as fs from 'fs';
import * as path from 'path';
import { Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Function } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { ENV, functionIn, stackOf } from './app';
import { BackstopArchive, BackstopMonitoring, BackstopMonitoringProps } from '../src';
import { ALARMS, ON_RECORDS } from '../src/alarms';

const TERRAFORM = JSON.parse(fs.readFileSync(path.join(__dirname, '../../terraform/modules/monitoring/alarms.json'), 'utf8'));

const alarmsOf = (stack: Stack): any[] =>
  Object.values(Template.fromStack(stack).findResources('AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties);
const refused = (props: BackstopMonitoringProps) => {
  const stack = stackOf();
  new BackstopMonitoring(stack, 'Monitoring', props);
  return () => Template.fromStack(stack);
};

test('the alarms are those of the Terraform module', () => {
  expect(ALARMS).toEqual(TERRAFORM);
  const stack = stackOf();
  const archive = new BackstopArchive(stack, 'Archive', { streamName: 'records' });
  const { alarms } = new BackstopMonitoring(stack, 'Monitoring', { archive, notReplayedAfter: Duration.days(3) });
  expect(alarms).toHaveLength(5);
  const made = alarmsOf(stack);
  expect(made.map(({ AlarmName }) => AlarmName).sort()).toEqual(Object.keys(TERRAFORM).map((name) => `backstop-${name}`).sort());
  for (const alarm of made) {
    const kind = TERRAFORM[alarm.AlarmName.replace('backstop-', '')];
    expect(alarm).toMatchObject({
      Namespace: kind.namespace, MetricName: kind.metric, Statistic: kind.statistic, ComparisonOperator: kind.comparison, Threshold: kind.threshold, AlarmDescription: kind.description, TreatMissingData: 'notBreaching',
    });
    const isDaily = kind.namespace === 'AWS/S3';
    expect([alarm.Period, alarm.EvaluationPeriods]).toEqual(isDaily ? [86400, 3] : [300, 1]);
    const dimensions = (alarm.Dimensions ?? []).map(({ Name }: { Name: string }) => Name);
    expect(dimensions).toEqual({ 'Backstop': [], 'AWS/Firehose': ['DeliveryStreamName'], 'AWS/S3': ['BucketName', 'StorageType'] }[kind.namespace as string]);
  }
});

test('each function has alarms of its own, which notify', () => {
  const stack = stackOf();
  const functions = [functionIn(stack, 'Orders', { functionName: 'orders' }), functionIn(stack, 'Payments', { functionName: 'payments' })];
  const actions = [new SnsAction(new Topic(stack, 'Ops'))];
  new BackstopMonitoring(stack, 'Monitoring', {
    monitoringName: 'shop', functions, alarms: { actions, period: Duration.minutes(10), thresholds: { 'records-diverted': 100 } },
  });
  const made = alarmsOf(stack);
  expect(made).toHaveLength(2 * ON_RECORDS.length);
  for (const alarm of made) {
    expect(alarm.Dimensions).toMatchObject([{ Name: 'FunctionName' }]);
    expect(alarm.Period).toBe(600);
    expect(alarm.Threshold).toBe(alarm.MetricName === 'Diverted' ? 100 : 0);
    expect([alarm.AlarmActions.length, alarm.OKActions.length]).toEqual([1, 1]);
  }
});

test('the stream of an existing archive is named by its ARN', () => {
  const stack = stackOf();
  const streamArn = `arn:aws:firehose:eu-west-1:${ENV.account}:deliverystream/records`;
  const archive = BackstopArchive.fromArchiveAttributes(stack, 'Archive', { bucketName: 'my-archive', streamArn });
  new BackstopMonitoring(stack, 'Monitoring', { archive, hasDashboard: false });
  const [alarm] = alarmsOf(stack).filter(({ Namespace }) => Namespace === 'AWS/Firehose');
  expect(alarm.Dimensions).toEqual([{ Name: 'DeliveryStreamName', Value: 'records' }]);
  Template.fromStack(stack).resourceCountIs('AWS::CloudWatch::Dashboard', 0);
});

test.each([
  ['monitoringName', { monitoringName: 'back stop', hasDashboard: false }],
  ['alarms.thresholds names diverted', { alarms: { thresholds: { diverted: 1 } } }],
  ['not a whole number', { alarms: { thresholds: { 'dead-letters': -1 } } }],
  ['alarms.period', { alarms: { period: Duration.days(2) } }],
  ['whole days from 1 to 7', { notReplayedAfter: Duration.days(8) }],
  ['whole days from 1 to 7', { notReplayedAfter: Duration.hours(36) }],
  ['no archive with a bucket', { notReplayedAfter: Duration.days(1) }],
] as [string, BackstopMonitoringProps][])('refused: %s', (message, props) => {
  expect(refused(props)).toThrow(message);
});

test('more functions than a dashboard has room for are refused', () => {
  const stack = stackOf();
  const functions = Array.from({ length: 31 }, (_, at) => Function.fromFunctionName(stack, `Orders${at}`, `orders-${at}`));
  new BackstopMonitoring(stack, 'Monitoring', { functions });
  expect(() => Template.fromStack(stack)).toThrow('more than 30');
});

test('the searches for thirty functions with the longest names fit, and name each of them', () => {
  const stack = stackOf();
  const longest = 'x'.repeat(64);
  const functions = Array.from({ length: 30 }, (_, at) => Function.fromFunctionName(stack, `Orders${at}`, `orders-${at}`));
  new BackstopMonitoring(stack, 'Monitoring', { functions });
  const [dashboard] = Object.values(Template.fromStack(stack).findResources('AWS::CloudWatch::Dashboard'));
  // A name is known at deployment; here it is as long as one can be.
  const parts = dashboard.Properties.DashboardBody['Fn::Join'][1].map((part: any) => (typeof part === 'string' ? part : part['Fn::Select'] ? longest : 'aws'));
  const graphs = JSON.parse(parts.join('')).widgets.filter(({ type }: { type: string }) => type === 'metric');
  expect(graphs).toHaveLength(8);
  for (const { properties } of graphs) {
    const searches: string[] = properties.metrics.map(([{ expression }]: [{ expression: string }]) => expression);
    for (const search of searches) expect(search.length).toBeLessThanOrEqual(1024);
    const named = searches.join('').split(`"${longest}"`).length - 1;
    expect(named).toBe(properties.title.startsWith('Records dropped') ? 60 : 30);
  }
});
