/**
 * A function's CloudFormation resource as the template will have it: its properties, and what overrides them.
 *
 * Must not: change anything.
 */
import { Reference, Resource, Stack, Tokenization } from 'aws-cdk-lib';
import { CfnRole } from 'aws-cdk-lib/aws-iam';
import { CfnFunction, IFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnFunction as SamFunction } from 'aws-cdk-lib/aws-sam';
import { IConstruct } from 'constructs';

/** A function as CloudFormation or SAM knows it. */
export type FunctionResource = CfnFunction | SamFunction;

/** The ids by which a construct's resource is known. */
export const DEFAULT_CHILDREN = ['Resource', 'Default'];

const isOfAFunction = (construct: IConstruct) => CfnFunction.isCfnFunction(construct) || SamFunction.isCfnFunction(construct);

/** Whether a construct is a function's resource. */
export function isFunctionResource(construct: IConstruct): construct is FunctionResource {
  return isOfAFunction(construct) && 'layers' in construct;
}

/** Whether it is a function by its type's name only, so that no property can be set. CDK's own small functions are. */
export function isGenericResource(construct: IConstruct): boolean {
  return isOfAFunction(construct) && !isFunctionResource(construct);
}

/** What `addPropertyOverride` set. CDK keeps it in a private member, and writes it over every property. */
export function overridesOf(fn: FunctionResource): Record<string, unknown> {
  return (fn as unknown as { rawOverrides?: { Properties?: Record<string, unknown> } }).rawOverrides?.Properties ?? {};
}

/** What the `Globals` of an included SAM template give its functions, in the template's own spelling. */
export interface Globals {
  readonly Architectures?: unknown;
  readonly Environment?: { readonly Variables?: Readonly<Record<string, unknown>> };
  readonly Layers?: readonly unknown[];
}

const GLOBALS = new WeakMap<object, Globals>();

/** The `Globals` that apply to the function; empty unless it comes from an included SAM template. */
export function globalsOf(fn: FunctionResource): Globals {
  const template = fn.node.scope as { _toCloudFormation?: () => { Globals?: { Function?: Globals } } } | undefined;
  // The scope of an included resource is its template, which renders this part as it was read. A stack would render
  // everything in it, too early.
  if (!SamFunction.isCfnFunction(fn) || Stack.isStack(template) || !template?._toCloudFormation) return {};
  const globals = GLOBALS.get(template) ?? template._toCloudFormation().Globals?.Function ?? {};
  GLOBALS.set(template, globals);
  return globals;
}

/** The architecture: x86_64 unless it is set, undefined if it is known only at deployment. */
export function architectureOf(fn: FunctionResource): string | undefined {
  const overrides = overridesOf(fn);
  const own = 'Architectures' in overrides ? overrides.Architectures : fn.architectures;
  const said: unknown = Stack.of(fn).resolve(own) ?? globalsOf(fn).Architectures ?? ['x86_64'];
  if (!Array.isArray(said) || said.length > 1) return undefined;
  const architecture = said[0] ?? 'x86_64';
  return architecture === 'x86_64' || architecture === 'arm64' ? architecture : undefined;
}

/** Whether it is a container image. */
export function isImage(fn: FunctionResource): boolean {
  return Stack.of(fn).resolve(overridesOf(fn).PackageType ?? fn.packageType) === 'Image';
}

/** The `aws-lambda` construct that made the resource. */
export function ownerOf(fn: FunctionResource): IFunction | undefined {
  const owner: unknown = fn.node.scope;
  return Resource.isResource(owner as IConstruct) && 'grantPrincipal' in (owner as object) ? owner as IFunction : undefined;
}

/** The role's resource, where the app makes it. */
export function roleOf(fn: FunctionResource): CfnRole | undefined {
  if (typeof fn.role !== 'string' || 'Role' in overridesOf(fn)) return undefined;
  const token = Tokenization.reverseString(fn.role).firstToken;
  const target = token && Reference.isReference(token) ? token.target : undefined;
  return target && CfnRole.isCfnRole(target) ? target : undefined;
}

/** Whether Lambda@Edge may run the function: CDK lets it assume the role. */
export function isAtEdge(fn: FunctionResource): boolean {
  const role = roleOf(fn);
  return role !== undefined && JSON.stringify(Stack.of(role).resolve(role.assumeRolePolicyDocument) ?? '').includes('edgelambda.amazonaws.com');
}
