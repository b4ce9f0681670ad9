/**
 * Attaches to one function, at the level of its CloudFormation resource: the one code path under
 * `Backstop.attach`, the Aspect and the Mixin.
 *
 * What the function has is looked at again when nobody changes it any more, so that whoever adds to its layers
 * and variables later, in any order, is taken into account. What stops the attaching becomes an error at the
 * function, and then nothing of it is changed.
 *
 * Must not: touch handler, runtime or wrapper.
 */
import { Annotations, IResolveContext, Lazy, Stack, Token } from 'aws-cdk-lib';
import { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnFunction as SamFunction } from 'aws-cdk-lib/aws-sam';
import { IConstruct } from 'constructs';
import { fallbackStatements, FunctionResource, grantFunction, isAtEdge } from './grants';
import { foundIn, plan, Plan } from './plan';
import { REGISTER } from './register';
import { BackstopProps, fallbackOf, problemsOf, variablesOf } from './settings';

// By name, so that two copies of this library know of each other.
const ATTACHMENT = Symbol.for('backstop-cdk.attachment');

const isOfAFunction = (construct: IConstruct) => CfnFunction.isCfnFunction(construct) || SamFunction.isCfnFunction(construct);

/** Whether a construct is a function's resource. */
export function isFunctionResource(construct: IConstruct): construct is FunctionResource {
  return isOfAFunction(construct) && 'layers' in construct;
}

/** Whether it is one by its type's name only, of which no property can be set: CDK's own small functions are so. */
export function isGenericResource(construct: IConstruct): boolean {
  return isOfAFunction(construct) && !isFunctionResource(construct);
}

/** Attaches to a function; once, however often it is asked. */
export function attachTo(fn: FunctionResource, props: BackstopProps): void {
  const there = (fn as { [ATTACHMENT]?: Attachment })[ATTACHMENT];
  if (!there) {
    Object.defineProperty(fn, ATTACHMENT, { value: new Attachment(fn, props) });
  } else if (!there.isAskedFor(props)) {
    Annotations.of(fn).addWarningV2('backstop-cdk:attachedTwice', `Backstop is attached to ${fn.node.path} already, with other settings: the first ones hold.`);
  }
}

/** An image as it needs to be built: layers are not laid over images. */
const imageLines = (architecture: string) =>
  `ADD extension-${architecture}.tar.gz /opt/\nRUN chmod 0755 /opt/extensions/backstop-extension`;

/** Lambda knows nothing of an environment but its variables. */
const environmentOf = (variables: Readonly<Record<string, unknown>>) =>
  Object.keys(variables).length > 0 ? { variables: variables as Record<string, string> } : undefined;

// A token may be of a class that JSON cannot write.
const textOf = (value: unknown) => JSON.stringify(value, (_key, part) => (typeof part === 'object' && Token.isUnresolved(part) ? 'token' : part));

/** A property of the function: what its owner wants there, also after something else was put in its place. */
class Owned {
  public own: unknown;
  private put?: { value: unknown; text: string };

  /** Looks at what is there now. What was not put there is the owner's. */
  public look(now: unknown): unknown {
    if (!this.put || now !== this.put.value || textOf(now) !== this.put.text) this.own = now;
    return this.own;
  }

  /** Remembers what is put there. */
  public replacedBy(value: unknown): void {
    this.put = { value, text: textOf(value) };
  }
}

/** Backstop beside one function. */
class Attachment {
  private readonly variables: Record<string, string>;
  private readonly layerArn?: string;
  private readonly architecture?: string;
  private readonly problems: string[];
  private readonly isImage: boolean;
  private readonly layers = new Owned();
  private readonly environment = new Owned();

  constructor(private readonly fn: FunctionResource, private readonly props: BackstopProps) {
    this.variables = variablesOf(props);
    this.problems = problemsOf(props);
    this.isImage = this.resolved(fn.packageType) === 'Image';

    const { architecture, problem } = this.findArchitecture();
    this.architecture = architecture;
    if (problem) this.problems.push(problem);
    if (!this.isImage && architecture) {
      const answer = props.layer?.layerFor(fn, architecture)
        ?? { problem: 'There is no layer: give one from BackstopLayer, such as BackstopLayer.fromManifest.' };
      this.layerArn = answer.arn;
      if (answer.problem) this.problems.push(answer.problem);
    }
    this.putInPlace();
    const statements = fallbackStatements(fn, fallbackOf(props));
    if (this.problems.length === 0 && !grantFunction(fn, statements)) {
      Annotations.of(fn).addWarningV2('backstop-cdk:roleNotGranted', `The role of ${fn.node.path} cannot be changed from here, and it needs: ${JSON.stringify(this.resolved(statements.map((statement) => statement.toStatementJson())))}`);
    }
    fn.node.addValidation({ validate: () => this.conclude() });
  }

  /** Whether other props say the same. */
  public isAskedFor(props: BackstopProps): boolean {
    // Resolved, as each reference to a secret is a token of its own.
    const text = (value: unknown) => JSON.stringify(this.resolved(value));
    const variables = variablesOf(props);
    const same = text(Object.entries(variables).sort()) === text(Object.entries(this.variables).sort());
    return same && (this.isImage || props.layer === this.props.layer
      || text(props.layer?.layerFor(this.fn, this.architecture ?? '').arn) === text(this.layerArn));
  }

  /**
   * Puts what the function shall have in the place of what it has. Where that is plain, so is what replaces it, as
   * others read and extend it; where it is computed, or in the end, it is a value that is computed when the
   * template is written.
   */
  private putInPlace(atTheEnd = false): void {
    const { fn, layers, environment, isImage } = this;
    const ownLayers = layers.look(fn.layers) as string[] | undefined;
    const ownEnvironment = environment.look(fn.environment) as CfnFunction.EnvironmentProperty | undefined;
    const isComputed = [ownLayers, ownEnvironment, ownEnvironment?.variables].some((value) => Token.isUnresolved(value));
    if (isComputed || atTheEnd) {
      if (!isImage) fn.layers = Lazy.uncachedList({ produce: (context) => this.merged(context).layers as string[] }, { omitEmpty: true });
      fn.environment = Lazy.uncachedAny({ produce: (context) => this.merged(context).environment });
    } else {
      const merged = this.plan(ownLayers, ownEnvironment, this.layerArn, this.variables);
      if (merged.problems.length === 0) {
        if (!isImage) fn.layers = [...merged.layers] as string[];
        fn.environment = environmentOf(merged.variables);
      }
    }
    layers.replacedBy(fn.layers);
    environment.replacedBy(fn.environment);
  }

  /** What the function shall have: with a problem what it has, as it stands. */
  private merged(context: IResolveContext): { layers: unknown; environment: unknown } {
    const { layers, variables, problems } = this.planned(context);
    if (problems.length === 0) return { layers, environment: environmentOf(variables) };
    return { layers: context.resolve(this.layers.own), environment: context.resolve(this.environment.own) };
  }

  /** With everything resolved, so that what the function has and what is brought can be compared. */
  private planned(context: IResolveContext): Plan {
    const [layers, environment, layerArn] = [this.layers.own, this.environment.own, this.layerArn].map((value) => context.resolve(value));
    return this.plan(layers, environment, layerArn, context.resolve(this.variables));
  }

  private plan(layers: unknown, environment: unknown, layerArn: unknown, variables: Record<string, string>): Plan {
    const { found, problems } = foundIn(layers, environment);
    return plan(found, { layerArn, variables }, [...this.problems, ...problems]);
  }

  /** Before the template is written, when nobody changes the function any more: says what is to be said. */
  private conclude(): string[] {
    this.problems.push(...this.lateProblems());
    this.putInPlace(true);
    const notes = Annotations.of(this.fn);
    const { problems, warnings } = this.resolved(Lazy.uncachedAny({ produce: (context) => this.planned(context) })) as Plan;
    for (const problem of problems) notes.addError(`Backstop is not attached to ${this.fn.node.path}. ${problem}`);
    if (problems.length > 0) return [];
    for (const { id, message } of [...warnings, ...this.furtherWarnings()]) notes.addWarningV2(`backstop-cdk:${id}`, message);
    return [];
  }

  /** What has become of the function since it was attached to. */
  private lateProblems(): string[] {
    const problems: string[] = [];
    if (this.problems.length === 0 && this.findArchitecture().architecture !== this.architecture) {
      problems.push('Its architecture was changed after Backstop was attached: change it before, or attach by attachAll.');
    }
    if ('Layers' in this.overrides() && !this.isImage) {
      problems.push('Its Layers are overridden by addPropertyOverride, which is written over whatever is attached: set `layers` of the resource.');
    }
    if (isAtEdge(this.fn)) problems.push('Lambda@Edge may run it by now, and takes neither layers nor variables: do not attach to it.');
    return problems;
  }

  private furtherWarnings(): { id: string; message: string }[] {
    const warnings: { id: string; message: string }[] = [];
    const warn = (id: string, message: string) => warnings.push({ id, message });
    const environment = this.resolved(this.environment.own) as { variables?: object } | undefined;
    for (const name of Object.keys(environment?.variables ?? {})) {
      if (name.startsWith('BACKSTOP_') && !REGISTER.some((variable) => variable.name === name)) {
        warn('unknownVariable', `The function sets ${name}, which this version of Backstop does not know: it reports that in each environment, and goes on.`);
      }
    }
    const { primary } = this.props;
    const fallback = fallbackOf(this.props);
    if (!fallback.firehoseStream && !fallback.s3Bucket) {
      warn('noFallback', 'There is no fallback: what the primary does not take in time waits in memory and in /tmp, and ends with the environment.');
    }
    if ([primary?.token, ...Object.values(primary?.headers ?? {})].some((secret) => secret?._isPlain())) {
      warn('plainSecret', "The primary's token or a header stands in the template: whoever may read that has it.");
    }
    if (this.fn.codeSigningConfigArn !== undefined && !this.isImage) {
      warn('codeSigning', 'The function has a code signing configuration. Where that enforces signatures, the layer has to be signed by a profile that it allows.');
    }
    if (this.isImage) {
      warn('containerImage', `Lambda gives no layers to container images: ${this.fn.node.path} has Backstop's environment, and its Dockerfile needs\n${imageLines(this.architecture ?? 'x86_64')}`);
    }
    return warnings;
  }

  /** The architecture, which is x86_64 where nothing is said. */
  private findArchitecture(): { architecture?: string; problem?: string } {
    const said = this.resolved(this.overrides().Architectures ?? this.fn.architectures) as unknown[] | undefined;
    const architecture = said?.[0] ?? 'x86_64';
    if (architecture === 'x86_64' || architecture === 'arm64') return { architecture };
    return this.isImage ? {} : { problem: 'The architecture of the function is not known before the deployment: name it, or make a function for each.' };
  }

  /** What `addPropertyOverride` has said: CDK keeps it where only it looks, and writes it over everything else. */
  private overrides(): Record<string, unknown> {
    return (this.fn as unknown as { rawOverrides?: { Properties?: Record<string, unknown> } }).rawOverrides?.Properties ?? {};
  }

  private resolved(value: unknown): unknown {
    return Stack.of(this.fn).resolve(value);
  }
}
