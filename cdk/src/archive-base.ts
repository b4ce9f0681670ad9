/**
 * What an archive is to those who use it, and one that is there already.
 *
 * Must not: make any resource.
 */
import { Stack } from 'aws-cdk-lib';
import { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import { BackstopFallback, IBackstopArchive, keyBehind } from './fallback';
import { fallbackStatements, grantAll, readStatements } from './grants';

/** An existing archive: created by `BackstopArchive` elsewhere, or by Terraform's module `archive`. */
export interface BackstopArchiveAttributes {
  /** The name of the bucket, which is in the region of the functions. */
  readonly bucketName: string;
  /**
   * The ARN of the delivery stream, in the account of the functions.
   * @default - functions write only to the bucket
   */
  readonly streamArn?: string;
  /**
   * The prefix of the archive's keys.
   * @default 'backstop'
   */
  readonly prefix?: string;
  /**
   * The key that the bucket encrypts with.
   * @default - S3's own keys (SSE-S3)
   */
  readonly encryptionKey?: IKey;
  /**
   * The account that owns the bucket.
   * @default - the stack's
   */
  readonly bucketOwner?: string;
}

/** Tables for Athena, in a database of the Glue catalogue. Partitions are computed, so no crawler is needed. */
export interface BackstopTableOptions {
  /**
   * The first day that queries cover, such as 2025-01-31.
   * @default '2025-01-01'
   */
  readonly firstDay?: string;
  /**
   * The accounts of the functions that write to the bucket.
   * @default - the archive's own
   */
  readonly accounts?: string[];
  /**
   * The regions of the functions that write to the bucket.
   * @default - the archive's own
   */
  readonly regions?: string[];
}

/** One that is only named. */
export class ImportedArchive extends Construct implements IBackstopArchive {
  public readonly streamArn?: string;
  public readonly prefix: string;
  public readonly replayFrom: string;
  public readonly fallback: BackstopFallback;

  constructor(scope: Construct, id: string, attributes: BackstopArchiveAttributes) {
    super(scope, id);
    const key = keyBehind(attributes.encryptionKey);
    this.streamArn = attributes.streamArn;
    this.prefix = attributes.prefix ?? 'backstop';
    this.replayFrom = `s3://${attributes.bucketName}/${this.prefix}`;
    this.fallback = {
      firehoseStream: this.streamArn,
      s3Bucket: attributes.bucketName,
      s3Prefix: this.prefix,
      s3ExpectedBucketOwner: attributes.bucketOwner ?? Stack.of(this).account,
      kmsKeyArns: key ? [key.keyArn] : undefined,
    };
  }

  /** Lets a function, a role or another principal write to the archive, and nothing else. */
  public grantWrite(grantee: IGrantable): Grant {
    return grantAll(grantee, fallbackStatements(this, this.fallback));
  }

  /** Lets a function, a role or another principal read the archive, as `backstop replay` does, and nothing else. */
  public grantRead(grantee: IGrantable): Grant {
    return grantAll(grantee, readStatements(this, this.fallback));
  }
}

/** Whether an archive is only named here, so that nothing refers to it. */
export const isImportedArchive = (archive: IBackstopArchive): boolean => archive instanceof ImportedArchive;
