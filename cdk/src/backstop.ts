/** The ways to attach: to one function, to all that a selector chooses, as Aspect and as Mixin. */
import { Annotations, AspectPriority, Aspects, IAspect, Mixin, Stage } from 'aws-cdk-lib';
import { IFunction } from 'aws-cdk-lib/aws-lambda';
import { IConstruct } from 'constructs';
import { attachTo, FunctionResource, isFunctionResource } from './attachment';
import { BackstopProps } from './settings';

/** Chooses functions; a function has to fit all that is said. */
export interface BackstopSelector {
  /**
   * Patterns of construct paths, of which one has to fit: `*` is any text, such as `Payments/*`.
   * @default - all
   */
  readonly include?: string[];
  /**
   * Patterns of construct paths that are left out.
   * @default - none
   */
  readonly exclude?: string[];
}

// After those that change functions, before those that only look.
const PRIORITY = AspectPriority.READONLY - 100;

/** Puts Backstop beside functions. */
export class Backstop {
  /**
   * Attaches to one function: of any class of `aws-cdk-lib`, a `CfnFunction`, SAM's, an alias or a version
   * of one of these, or a construct that holds one.
   *
   * @param fn the function
   * @param props what Backstop shall do
   */
  public static attach(fn: IConstruct, props: BackstopProps): void {
    const found = resourceOf(fn);
    if (found) {
      attachTo(found, props);
    } else {
      Annotations.of(fn).addError(`Backstop is not attached to ${fn.node.path}. The function is not made by this app: attach to it where it is made, or by \`backstop attach\`.`);
    }
  }

  /** What is below a construct: an app, a stage, a stack, or less. */
  public static of(scope: IConstruct): BackstopScope {
    return new BackstopScope(scope);
  }

  private constructor() {}
}

/** Functions below a construct. */
export class BackstopScope {
  /** @internal */
  public constructor(private readonly scope: IConstruct) {}

  /**
   * Attaches to all functions that are there when the app is synthesised, or to those that are chosen. Call it
   * when the app's stages are there.
   *
   * @param props what Backstop shall do
   * @param selector which functions
   */
  public attachAll(props: BackstopProps, selector?: BackstopSelector): void {
    const aspect = new BackstopAspect(props, selector);
    const stages = () => this.scope.node.findAll().filter((node) => node !== this.scope && Stage.isStage(node));
    // A stage is synthesised for itself, before what it is in, and without the Aspects of that.
    const covered = new Set<IConstruct>([this.scope, ...stages()]);
    covered.forEach((root) => Aspects.of(root).add(aspect, { priority: PRIORITY }));
    this.scope.node.addValidation({
      validate: () => stages().filter((stage) => !covered.has(stage)).map((stage) =>
        `The stage ${stage.node.path} was made after attachAll, which does not reach it: call attachAll when all stages are there.`),
    });
  }
}

/** Attaches to each function that it visits. */
export class BackstopAspect implements IAspect {
  private readonly chooses: (path: string) => boolean;

  constructor(private readonly props: BackstopProps, selector?: BackstopSelector) {
    this.chooses = chooser(selector);
  }

  public visit(node: IConstruct): void {
    if (isFunctionResource(node)) {
      if (this.chooses(node.node.path)) attachTo(node, this.props);
    } else if (isImported(node) && this.chooses(node.node.path)) {
      Annotations.of(node).addWarningV2('backstop-cdk:imported', `Backstop is not attached to ${node.node.path}, which is not made by this app: attach to it where it is made, or by \`backstop attach\`.`);
    }
  }
}

/** Attaches to functions at once: `Mixins.of(scope).apply(new BackstopMixin(…))`, `fn.with(…)`. */
export class BackstopMixin extends Mixin {
  private readonly chooses: (path: string) => boolean;

  constructor(private readonly props: BackstopProps, selector?: BackstopSelector) {
    super();
    this.chooses = chooser(selector);
  }

  public supports(construct: IConstruct): boolean {
    return resourceOf(construct) !== undefined && this.chooses(construct.node.path);
  }

  public applyTo(construct: IConstruct): void {
    const found = resourceOf(construct);
    if (found) attachTo(found, this.props);
  }
}

/** The resource of a function, however it is wrapped. */
function resourceOf(construct: IConstruct): FunctionResource | undefined {
  if (isFunctionResource(construct)) return construct;
  // An alias or a version is of a function; a SingletonFunction's is elsewhere, where its permissions are.
  const { lambda, permissionsNode } = construct as Partial<IFunction & { lambda: IFunction }>;
  if (lambda) return resourceOf(lambda);
  const child = permissionsNode?.defaultChild ?? construct.node.defaultChild;
  return child && isFunctionResource(child) ? child : undefined;
}

/** Whether this is a function of which there is no resource in the app. */
function isImported(construct: IConstruct): boolean {
  const { functionArn, permissionsNode } = construct as Partial<IFunction>;
  return functionArn !== undefined && permissionsNode !== undefined && resourceOf(construct) === undefined;
}

function chooser({ include, exclude }: BackstopSelector = {}): (path: string) => boolean {
  const pattern = (text: string) => new RegExp(`^${text.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`);
  const included = include?.map(pattern);
  const excluded = (exclude ?? []).map(pattern);
  return (path) => (included?.some((one) => one.test(path)) ?? true) && !excluded.some((one) => one.test(path));
}
