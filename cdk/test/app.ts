/** What the tests share: zips that stand in for the layers, and stacks with functions. */
import * as fs from 'fs';
import * as os from 'os';
import * as path from 'path';
import { App, Environment, Stack } from 'aws-cdk-lib';
import { Architecture, Code, Function, FunctionProps, Runtime } from 'aws-cdk-lib/aws-lambda';
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
export const functionIn = (stack: Stack, id = 'Orders', props: Partial<FunctionProps> = {}) => new Function(stack, id, {
  runtime: Runtime.NODEJS_22_X, handler: 'index.handler', code: Code.fromInline('exports.handler = async () => 1'), architecture: Architecture.X86_64, ...props,
});
