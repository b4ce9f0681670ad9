/**
 * What a function shall have, decided from what it has: its layers and its environment, or why neither
 * is changed. Pure, and the same for every way of attaching.
 *
 * Invariants: the user's own variables win; the order of layers is kept; with a problem nothing changes.
 */
import { Token } from 'aws-cdk-lib';

/** Layers and variables. What is not known yet stands as it is. */
export interface Configuration {
  readonly layers: readonly unknown[];
  readonly variables: Readonly<Record<string, unknown>>;
}

/** What a function has by the end of synthesis. */
export interface Found extends Configuration {
  /** What it has by the template's `Globals`: layers before its own, and variables where it has none of that name. */
  readonly globals?: Configuration;
}

/** What Backstop brings. A container image gets no layer. */
export interface Brought {
  readonly layerArn?: unknown;
  readonly variables: Readonly<Record<string, string>>;
}

/** What comes of it: what stands at the function. */
export interface Plan extends Configuration {
  /** Every variable that is in force. */
  readonly inForce: Readonly<Record<string, unknown>>;
  readonly problems: readonly string[];
  readonly warnings: readonly { readonly id: string; readonly message: string }[];
}

const MOST_LAYERS = 5;
const MOST_ENVIRONMENT_BYTES = 4096;

/** Layers of extensions that send telemetry themselves, as their makers name them. */
const OTHER_EXTENSIONS = /:layer:(Datadog-Extension|NewRelicLambdaExtension|Dynatrace_OneAgent|elastic-apm-extension|lumigo|opentelemetry-collector|aws-otel-)/i;

/** A layer's ARN without its version; undefined for anything else. */
const withoutVersion = (arn: unknown) => (typeof arn === 'string' ? /^(arn:.*):\d+$/.exec(arn)?.[1] : undefined);

const isBackstop = (layer: unknown, own: unknown) => {
  const text = JSON.stringify(layer);
  const name = withoutVersion(layer);
  return text === JSON.stringify(own) || text.includes(':layer:backstop-extension-') || (name !== undefined && name === withoutVersion(own));
};

/** The user's layers in their order, with Backstop's: in the place of one that is there already, or last. */
function mergedLayers(layers: readonly unknown[], own: unknown): unknown[] {
  const first = layers.findIndex((layer) => isBackstop(layer, own));
  if (first < 0) return [...layers, own];
  return layers.flatMap((layer, position) => (position === first ? [own] : isBackstop(layer, own) ? [] : [layer]));
}

/** The least that Lambda will measure, which is the JSON text in bytes: what a reference becomes is not known. */
function environmentBytes(variables: Record<string, unknown>): number {
  const isKnown = (value: unknown) => typeof value === 'string' && !Token.isUnresolved(value) && !value.includes('{{resolve:');
  return Buffer.byteLength(JSON.stringify(variables, (key, value) => (key === '' || isKnown(value) ? value : '')));
}

/** Whether this is for CloudFormation to compute, such as `{ Ref: … }`. */
export const isIntrinsic = (value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 1 && /^(Ref|Fn::.*)$/.test(Object.keys(value)[0]);

/** Whether a variable has a value: one may be taken out, where it stands or by CloudFormation. */
export const isSet = (value: unknown) =>
  value !== undefined && value !== null && value !== '' && JSON.stringify(value) !== JSON.stringify({ Ref: 'AWS::NoValue' });

/** Reads what a function has from its properties; what only CloudFormation will know cannot be added to. */
export function foundIn(layers: unknown, environment: unknown): { found: Found; problems: string[] } {
  const problems: string[] = [];
  const unknown = (what: string, value: unknown) =>
    problems.push(`Its ${what} are known only at deployment, from ${JSON.stringify(value)}: write them out; single values may be computed.`);
  if (layers !== undefined && !Array.isArray(layers)) unknown('layers', layers);
  const { variables } = (environment ?? {}) as { variables?: unknown };
  if (isIntrinsic(environment)) unknown('variables', environment);
  if (isIntrinsic(variables)) unknown('variables', variables);
  return { found: { layers: Array.isArray(layers) ? layers : [], variables: (variables ?? {}) as Record<string, unknown> }, problems };
}

/** Decides; known problems are reported together with those that are found here. */
export function plan(found: Found, brought: Brought, known: readonly string[]): Plan {
  const problems = [...known];
  const warnings: { id: string; message: string }[] = [];

  const { globals } = found;
  const inherited = globals?.layers ?? [];
  const layers = brought.layerArn === undefined ? [...found.layers] : mergedLayers(found.layers, brought.layerArn);
  const count = inherited.length + layers.length;
  if (count > MOST_LAYERS) {
    problems.push(`With Backstop the function would have ${count} layers, and Lambda allows ${MOST_LAYERS}: put two of your own into one layer, or put the extension into one of them.`);
  }
  if (brought.layerArn !== undefined && inherited.some((layer) => isBackstop(layer, brought.layerArn))) {
    problems.push("The template's Globals already give it a Backstop layer: remove that one.");
  }
  for (const layer of found.layers) {
    if (brought.layerArn !== undefined && isBackstop(layer, brought.layerArn) && JSON.stringify(layer) !== JSON.stringify(brought.layerArn)) {
      warnings.push({ id: 'layerReplaced', message: `The layer ${JSON.stringify(layer)} is replaced.` });
    }
  }
  for (const layer of [...inherited, ...found.layers]) {
    const other = OTHER_EXTENSIONS.exec(JSON.stringify(layer))?.[1];
    if (other) {
      warnings.push({ id: 'otherExtension', message: `The function also has ${other}: both receive its telemetry, and an invocation ends when the slower of the two is done.` });
    }
  }

  const own = { ...globals?.variables, ...found.variables };
  const missing = Object.fromEntries(Object.entries(brought.variables).filter(([name]) => !(name in own)));
  const variables = { ...missing, ...found.variables };
  const inForce = { ...missing, ...own };
  const bytes = environmentBytes(inForce);
  if (bytes > MOST_ENVIRONMENT_BYTES) {
    problems.push(`With Backstop the environment would have ${bytes} bytes as JSON or more, and Lambda allows ${MOST_ENVIRONMENT_BYTES}: shorten it, or move values of your own to Parameter Store.`);
  }
  for (const [name, value] of Object.entries(brought.variables)) {
    if (name in own && JSON.stringify(own[name]) !== JSON.stringify(value)) {
      warnings.push({ id: 'ownVariable', message: `The function sets ${name} itself, and keeps its own value.` });
    }
  }
  if (problems.length > 0) return { layers: found.layers, variables: found.variables, inForce: own, problems, warnings };
  return { layers, variables, inForce, problems, warnings };
}
