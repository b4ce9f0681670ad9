/**
 * What works and may surprise: no fallback, a role that cannot be granted, a secret in plain text.
 *
 * Must not: change anything, or say what is wrong with the settings; `problems.ts` does.
 */
import { Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { BackstopFallback } from './fallback';
import { architectureOf, FunctionResource, isImage } from './function';
import { isAlias } from './grants';
import { isSet } from './plan';
import { REGISTER } from './register';
import { backendOf, BackstopProps, variablesOf } from './settings';

/** A warning, by the id that acknowledges it. */
export interface Warning {
  readonly id: string;
  readonly message: string;
}

/** What was attached to a function. */
export interface Attached {
  readonly fn: FunctionResource;
  readonly props: BackstopProps;
  /** With what the function's own variables say. */
  readonly fallback: BackstopFallback;
  /** Every variable of the function as it will be. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Statements that could not be added to the role. */
  readonly refused: readonly PolicyStatement[];
}

/** An image as it needs to be built: layers are not laid over images. */
const imageLines = (architecture: string) =>
  `ADD extension-${architecture}.tar.gz /opt/\nRUN chmod 0755 /opt/extensions/backstop-extension`;

/** What a user should know of what was attached. */
export function warningsOf({ fn, props, fallback, variables, refused }: Attached): Warning[] {
  const resolved = (value: unknown): unknown => Stack.of(fn).resolve(value);
  const warnings: Warning[] = [];
  const warn = (id: string, message: string) => warnings.push({ id, message });
  for (const name of Object.keys(variables)) {
    if (name.startsWith('BACKSTOP_') && !REGISTER.some((variable) => variable.name === name)) {
      warn('unknownVariable', `The function sets ${name}, which this version of Backstop does not know: the extension reports that in each environment, and continues.`);
    }
  }
  if (!isSet(variables.BACKSTOP_FIREHOSE_STREAM) && !isSet(variables.BACKSTOP_S3_BUCKET)) {
    warn('noFallback', 'There is no fallback: records that the primary does not take in time wait in memory and in /tmp, and are lost with the environment.');
  }
  if (refused.length > 0) {
    warn('roleNotGranted', `The role of ${fn.node.path} cannot be changed from here. Grant it these statements: ${JSON.stringify(resolved(refused.map((statement) => statement.toStatementJson())))}`);
  }
  const { s3KmsKeyId, kmsKeyArns } = fallback;
  if (isAlias(s3KmsKeyId ?? '') && (kmsKeyArns ?? []).length === 0) {
    warn('aliasNotGranted', "BACKSTOP_S3_KMS_KEY_ID is an alias, and a policy cannot grant an alias: give the key's ARN in fallback.kmsKeyArns, so that the role gets kms:GenerateDataKey.");
  }
  const { primary } = props;
  const isPlain = (value: unknown) => typeof value === 'string' && value !== '' && !/\{\{(resolve|secret|ssm|kms):/.test(value);
  // Of several headers one may be a reference.
  const headers = resolved(variablesOf(props).BACKSTOP_PRIMARY_HEADERS);
  const isOurs = JSON.stringify(headers) === JSON.stringify(variables.BACKSTOP_PRIMARY_HEADERS);
  const hasPlainHeader = isOurs && Object.values(primary?.headers ?? {}).some((secret) => secret._isPlain());
  // Headers of a backend are not secret: a dataset's name.
  const isOfBackend = isOurs && Object.keys(primary?.headers ?? {}).length === 0 && backendOf(props)?.tokenHeader === undefined;
  const isHarmless = (name: string) => name === 'BACKSTOP_PRIMARY_HEADERS' && isOfBackend;
  if (hasPlainHeader || REGISTER.some(({ name, secret }) => secret && isPlain(variables[name]) && !isHarmless(name))) {
    warn('plainSecret', "The template holds the primary's token or a header in plain text: everyone who can read the template can read it. Use BackstopSecret.readFromSecretsManager.");
  }
  if (isImage(fn)) {
    warn('containerImage', `Lambda adds no layers to container images: ${fn.node.path} has Backstop's environment. Add these lines to its Dockerfile:\n${imageLines(architectureOf(fn) ?? 'x86_64')}`);
  } else if (fn.codeSigningConfigArn !== undefined) {
    warn('codeSigning', 'The function has a code signing configuration. If it enforces signatures, sign the layer with a profile that it allows.');
  }
  return warnings;
}
