/** What a role is given is what `crates/archive/permissions.json` says, as everywhere else in this repository. */
import * as fs from 'fs';
import * as path from 'path';
import { Template } from 'aws-cdk-lib/assertions';
import { ENV, functionIn, layer, stackOf } from './app';
import { Backstop, BackstopFallback, BackstopSink } from '../src';

interface Case {
  readonly case: string;
  readonly environment: Record<string, string>;
  readonly statements: object[];
}

const FILE: { account: string; region: string; cases: Case[] } =
  JSON.parse(fs.readFileSync(path.join(__dirname, '..', '..', 'crates', 'archive', 'permissions.json'), 'utf8'));

const KEY_BEHIND = 'arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000';
const primary = { url: 'https://logs.example.com/v1' };

/** The same fallback by properties. */
function fallbackOf(environment: Record<string, string>): BackstopFallback {
  const { BACKSTOP_FALLBACK: order } = environment;
  return {
    order: order?.split(',') as BackstopSink[] | undefined,
    firehoseStream: environment.BACKSTOP_FIREHOSE_STREAM,
    s3Bucket: environment.BACKSTOP_S3_BUCKET,
    s3Prefix: environment.BACKSTOP_S3_PREFIX,
    s3Region: environment.BACKSTOP_S3_REGION,
    s3KmsKeyId: environment.BACKSTOP_S3_KMS_KEY_ID,
    // An alias is refused without the key behind it.
    kmsKeyArns: environment.BACKSTOP_S3_KMS_KEY_ID?.startsWith('alias/') ? [KEY_BEHIND] : undefined,
  };
}

/** An ARN without CloudFormation's functions, for the partition `aws`. */
function flat(value: any): string {
  if (typeof value === 'string') return value;
  if (value.Ref === 'AWS::Partition') return 'aws';
  const [glue, parts] = value['Fn::Join'];
  return parts.map(flat).join(glue);
}

function granted(props: { fallback?: BackstopFallback; environment?: Record<string, string> }) {
  const stack = stackOf();
  const { environment, fallback } = props;
  Backstop.attach(functionIn(stack, 'Orders', { environment }), { layer, primary, fallback });
  const policies = Object.entries(Template.fromStack(stack).findResources('AWS::IAM::Policy'));
  const statements = policies.filter(([id]) => id.startsWith('BackstopPolicy')).flatMap(([, policy]) => policy.Properties.PolicyDocument.Statement);
  return statements.map((statement: any) => ({ ...statement, Resource: flat(statement.Resource) })).filter(({ Resource }) => Resource !== KEY_BEHIND);
}

test('the file is about the account and region of these tests', () => {
  expect({ account: FILE.account, region: FILE.region }).toEqual(ENV);
  expect(FILE.cases.length).toBeGreaterThan(5);
});

test.each(FILE.cases.map((each): [string, Case] => [each.case, each]))('%s: by properties, and by the function\'s own variables', (_name, { environment, statements }) => {
  expect(granted({ fallback: fallbackOf(environment) })).toEqual(statements);
  expect(granted({ environment })).toEqual(statements);
});
