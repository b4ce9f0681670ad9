/** What the tests share: zips that stand in for the layers, and stacks with functions. */
import * as fs from 'fs';
import * as os from 'os';
import * as path from 'path';
import { App, Environment, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Architecture, Code, Function, FunctionProps, Runtime } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { BackstopLayer, BackstopProps } from '../src';

export const ENV: Environment = { account: '111122223333', region: 'eu-west-1' };

export const arnOf = (architecture: string, version = 1, region = 'eu-west-1') =>
  `arn:aws:lambda:${region}:111122223333:layer:backstop-extension-${architecture}-0-1-0:${version}`;

export const layer = BackstopLayer.fromArns([arnOf('x86_64'), arnOf('arm64')]);

/** The least that is whole. */
export const MINIMUM: BackstopProps = {
  layer, primary: { url: 'https://logs.example.com/v1' }, fallback: { s3Bucket: 'my-archive' },
};

/** A directory with stand-ins for the zips; each content makes another one. */
export function zips(content = 'one'): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'backstop-cdk-'));
  for (const architecture of ['x86_64', 'arm64']) {
    fs.writeFileSync(path.join(directory, `extension-${architecture}.zip`), `${content} ${architecture}`);
  }
  return directory;
}

/** A stack of an app of its own. */
export const stackOf = (env: Environment | undefined = ENV) => new Stack(new App(), 'Shop', { env });

/** A function. */
export const functionIn = (stack: Construct, id = 'Orders', props: Partial<FunctionProps> = {}) => new Function(stack, id, {
  runtime: Runtime.NODEJS_22_X, handler: 'index.handler', code: Code.fromInline('exports.handler = async () => 1'), architecture: Architecture.X86_64, ...props,
});

/** The only function's properties. */
export function propertiesOf(stack: Stack, type = 'AWS::Lambda::Function'): any {
  const found = Object.values(Template.fromStack(stack).findResources(type));
  expect(found).toHaveLength(1);
  return found[0].Properties;
}

export const errorsOf = (stack: Stack) => Annotations.fromStack(stack).findError('*', Match.anyValue()).map((message) => String(message.entry.data));
export const warningsOf = (stack: Stack) => Annotations.fromStack(stack).findWarning('*', Match.anyValue()).map((message) => String(message.entry.data));

/** What `MINIMUM` comes to. */
export const MERGED = {
  BACKSTOP_PRIMARY_URL: 'https://logs.example.com/v1', BACKSTOP_S3_BUCKET: 'my-archive',
};
