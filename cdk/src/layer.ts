/**
 * Where the extension's layer comes from: published by this app, by another one, or by the command line.
 *
 * A layer is of one region and one architecture. What a source cannot give it says in a sentence, which
 * becomes an error at the function; it never throws, so that all mistakes are reported together.
 */
import * as fs from 'fs';
import * as path from 'path';
import { CfnDeletionPolicy, CfnResource, Stack, Token } from 'aws-cdk-lib';
import { Architecture, CfnLayerVersion, CfnLayerVersionPermission } from 'aws-cdk-lib/aws-lambda';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { CfnParameter as CfnStringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct, IConstruct } from 'constructs';
import { ListedLayers, ManifestLayers } from './known-layers';
import { BackstopLayerAnswer, BackstopManifestOptions, IBackstopLayer } from './layer-base';
import { identityOf } from './references';

/** Who may use a layer, beyond its own account. */
export interface BackstopLayerSharing {
  /**
   * Accounts, by their 12 digits.
   * @default - none
   */
  readonly accounts?: string[];
  /**
   * An organization, by its id, `o-…`.
   * @default - none
   */
  readonly organizationId?: string;
  /**
   * Everybody.
   * @default false
   */
  readonly everybody?: boolean;
}

/** A release to publish. */
export interface BackstopLayerProps {
  /** The directory with `extension-x86_64.zip` and `extension-arm64.zip`, or one of the two. */
  readonly directory: string;
  /**
   * The release, which is in the layer's name.
   * @default - the release of this library
   */
  readonly release?: string;
  /**
   * Who may use it, beyond its own account.
   * @default - nobody
   */
  readonly shareWith?: BackstopLayerSharing;
  /**
   * Whether versions stay in AWS when they are replaced or destroyed, because a function somewhere may name them.
   * @default true
   */
  readonly retain?: boolean;
  /**
   * Also write each ARN to Parameter Store, under `PREFIX/RELEASE/ARCHITECTURE`, from where other stacks and
   * apps read it with `BackstopLayer.fromParameters`. Before you publish a release again, import or delete the
   * parameters that an earlier deployment retained.
   * @default - no parameter
   */
  readonly parameterPrefix?: string;
}

const ARCHITECTURES = [Architecture.X86_64.name, Architecture.ARM_64.name];

/** The release that this library is of: `backstop layer publish` names layers by it. */
const RELEASE = '0.1.0';

/** The stack that is deployed: a nested one is part of it. */
function outermost(scope: IConstruct): Stack {
  let stack = Stack.of(scope);
  while (stack.nestedStackParent) stack = stack.nestedStackParent;
  return stack;
}

function keep(resource: CfnResource, retain: boolean): void {
  resource.cfnOptions.deletionPolicy = retain ? CfnDeletionPolicy.RETAIN : CfnDeletionPolicy.DELETE;
  resource.cfnOptions.updateReplacePolicy = resource.cfnOptions.deletionPolicy;
}

/** A layer version and who may use it. */
function publish(scope: Construct, architecture: string, zip: string, props: BackstopLayerProps): CfnLayerVersion {
  const retain = props.retain ?? true;
  const release = props.release ?? RELEASE;
  const asset = new Asset(scope, `Zip-${architecture}`, { path: zip });
  // With the content in its id, another content is another resource: a function's text changes with it, and so
  // its `currentVersion` is published again.
  const id = `${architecture}-${asset.assetHash.slice(0, 8)}`;
  const version = new CfnLayerVersion(scope, id, {
    layerName: `backstop-extension-${architecture}-${release.replace(/\./g, '-')}`,
    description: `Backstop ${release}`,
    licenseInfo: 'Apache-2.0',
    compatibleArchitectures: [architecture],
    content: { s3Bucket: asset.s3BucketName, s3Key: asset.s3ObjectKey },
  });
  asset.addResourceMetadata(version, 'Content');
  keep(version, retain);

  const { accounts, organizationId, everybody } = props.shareWith ?? {};
  const grants: [string, string, string?][] = [...new Set(accounts)].map((account, number) => [`account-${Token.isUnresolved(account) ? number : account}`, account]);
  if (organizationId) grants.push([`organization-${Token.isUnresolved(organizationId) ? 'token' : organizationId}`, '*', organizationId]);
  if (everybody) grants.push(['everybody', '*']);
  for (const [name, principal, organization] of grants) {
    keep(new CfnLayerVersionPermission(scope, `${id}-${name}`, {
      action: 'lambda:GetLayerVersion', layerVersionArn: version.ref, principal, organizationId: organization,
    }), retain);
  }
  if (props.parameterPrefix) {
    // Of each release its own, which stays as the versions do: other apps read it until they take the next one.
    const parameter = new CfnStringParameter(scope, `Parameter-${release}-${architecture}`, {
      name: parameterName(props.parameterPrefix, release, architecture), type: 'String', value: version.ref,
    });
    keep(parameter, retain);
    // Or it would stand in the way of the next try, by its name.
    if (retain) parameter.cfnOptions.deletionPolicy = CfnDeletionPolicy.RETAIN_EXCEPT_ON_CREATE;
  }
  return version;
}

function parameterName(prefix: string, release: string, architecture: string): string {
  return `/${prefix.replace(/^\/+|\/+$/g, '')}/${release}/${architecture}`;
}

/**
 * Publishes a release in its own stack, for that stack's functions. Functions of other stacks read it with
 * `fromParameters`, because a reference between the stacks could not be updated while it is used.
 */
export class BackstopLayer extends Construct implements IBackstopLayer {
  /** One layer version, by its ARN and its architecture. */
  public static fromArn(arn: string, architecture: Architecture): IBackstopLayer {
    return new ListedLayers([{ arn, architecture: architecture.name }]);
  }

  /** Layer versions with Backstop's own names, which contain the architecture; the ARN contains the region. */
  public static fromArns(arns: string[]): IBackstopLayer {
    return new ListedLayers(arns.map((arn) => ({ arn })));
  }

  /** The manifest that `backstop layer publish --manifest FILE` wrote, as JSON or as `.tfvars.json`. */
  public static fromManifest(file: string, options: BackstopManifestOptions = {}): IBackstopLayer {
    return new ManifestLayers(file, options);
  }

  /** The layer that a `BackstopLayer` with this `parameterPrefix` published in the function's account and region. */
  public static fromParameters(prefix: string, release: string = RELEASE): IBackstopLayer {
    return {
      layerFor: (_scope, architecture) => (isPrefix(prefix) ? { arn: `{{resolve:ssm:${parameterName(prefix, release, architecture)}}}` } : { problem: PREFIX_PROBLEM }),
    };
  }

  /**
   * Publishes a release once in each stack with a function of the architecture. Use it for an app of several
   * stacks, regions or stages.
   */
  public static fromZips(props: BackstopLayerProps): IBackstopLayer {
    return new ZippedLayers(props);
  }

  private readonly versions: Record<string, CfnLayerVersion> = {};

  constructor(scope: Construct, id: string, props: BackstopLayerProps) {
    super(scope, id);
    const problems = problemsOf(props);
    this.node.addValidation({ validate: () => problems });
    for (const architecture of ARCHITECTURES) {
      const zip = zipOf(props, architecture);
      if (problems.length === 0 && fs.existsSync(zip)) this.versions[architecture] = publish(this, architecture, zip, props);
    }
    if (problems.length === 0 && Object.keys(this.versions).length === 0) {
      this.node.addValidation({ validate: () => [noZip(props, 'x86_64')] });
    }
  }

  /** The layer version for an architecture, if there is one. */
  public versionFor(architecture: Architecture): CfnLayerVersion | undefined {
    return this.versions[architecture.name];
  }

  public layerFor(scope: IConstruct, architecture: string): BackstopLayerAnswer {
    if (outermost(scope) !== outermost(this)) {
      return { problem: `The stack ${outermost(this).stackName} publishes the layer, and a reference from another stack could not be updated: use BackstopLayer.fromZips, or parameterPrefix and BackstopLayer.fromParameters.` };
    }
    const version = this.versions[architecture];
    return version ? { arn: version.ref } : { problem: `The layer at ${this.node.path} has no zip for ${architecture}.` };
  }
}

/** What is wrong with a release to publish, in sentences. */
function problemsOf({ release, shareWith, parameterPrefix }: BackstopLayerProps): string[] {
  const problems: string[] = [];
  if (release !== undefined && !/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(release)) problems.push('release is not a version: give one such as 1.2.3.');
  if ((shareWith?.accounts ?? []).some((account) => !Token.isUnresolved(account) && !/^\d{12}$/.test(account))) problems.push('shareWith.accounts has an entry that is not the id of an account: give 12 digits.');
  const { organizationId = 'o-token00000' } = shareWith ?? {};
  if (!Token.isUnresolved(organizationId) && !/^o-[a-z0-9]{10,32}$/.test(organizationId)) problems.push('shareWith.organizationId is not the id of an organization: give one of the form o-… .');
  if (parameterPrefix !== undefined && !isPrefix(parameterPrefix)) problems.push(PREFIX_PROBLEM);
  return problems;
}

// Parameter Store keeps the names that begin with aws and ssm.
const isPrefix = (prefix: string) => /^\/?(?!aws|ssm)[\w.-]+(\/[\w.-]+)*\/?$/i.test(prefix);
const PREFIX_PROBLEM = 'parameterPrefix is invalid: use letters, digits, dots, hyphens and underscores with slashes between, no token, and no name that begins with aws or ssm.';

const zipOf = (props: BackstopLayerProps, architecture: string) => path.resolve(props.directory, `extension-${architecture}.zip`);

const noZip = (props: BackstopLayerProps, architecture: string) =>
  `There is no extension-${architecture}.zip in ${props.directory}: download the release, or build it with scripts/package.`;

/** Whether two sources give the same layer to a function. Those that would publish it for that are not asked. */
export function giveTheSame(one: IBackstopLayer | undefined, other: IBackstopLayer | undefined, scope: IConstruct, architecture: string): boolean {
  if (one === other) return true;
  const zipped = [one, other].map((source) => (source instanceof ZippedLayers ? source.asText() : undefined));
  if (zipped.some((text) => text !== undefined)) return zipped[0] === zipped[1];
  const arns = [one, other].map((source) => identityOf(scope, source?.layerFor(scope, architecture).arn ?? ''));
  return arns[0] === arns[1];
}

/** Zips that are published in each stack that needs them. */
class ZippedLayers implements IBackstopLayer {
  constructor(private readonly props: BackstopLayerProps) {}

  public layerFor(scope: IConstruct, architecture: string): BackstopLayerAnswer {
    const [wrong] = problemsOf(this.props);
    if (wrong) return { problem: wrong };
    const zip = zipOf(this.props, architecture);
    if (!fs.existsSync(zip)) return { problem: noZip(this.props, architecture) };
    if (this.props.parameterPrefix) {
      return { problem: 'BackstopLayer.fromZips publishes in each stack, and two stacks cannot write one parameter: use parameterPrefix with new BackstopLayer.' };
    }
    const stack = outermost(scope);
    // A release once in a stack, however many functions ask for it.
    const release = this.props.release ?? RELEASE;
    const id = `BackstopLayer-${architecture}-${release}`;
    const there = stack.node.tryFindChild(id) as PublishedLayer | undefined;
    if (there && asText(there.props) !== this.asText()) {
      return { problem: `The stack ${stack.stackName} publishes the release ${release} from ${there.props.directory} with other settings already: use one BackstopLayer.fromZips for the app.` };
    }
    const { version } = there ?? new PublishedLayer(stack, id, architecture, zip, this.props);
    return { arn: version.ref };
  }

  public asText(): string {
    return asText(this.props);
  }
}

const asText = (props: BackstopLayerProps) => JSON.stringify({ ...props, directory: path.resolve(props.directory) });

class PublishedLayer extends Construct {
  public readonly version: CfnLayerVersion;

  constructor(scope: Construct, id: string, architecture: string, zip: string, public readonly props: BackstopLayerProps) {
    super(scope, id);
    this.version = publish(this, architecture, zip, props);
  }
}
