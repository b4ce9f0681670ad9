/**
 * Where records go when the primary does not take them: the settings of a fallback, and an archive as a fallback.
 */
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IDeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose';
import { Alias, IKey } from 'aws-cdk-lib/aws-kms';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { IConstruct } from 'constructs';

/** A fallback. */
export enum BackstopSink {
  /** A delivery stream of Firehose. */
  FIREHOSE = 'firehose',
  /** A bucket of S3. */
  S3 = 's3',
}

/** Where records go when the primary does not take them. */
export interface BackstopFallback {
  /**
   * An archive of this library: stream, bucket, prefix and owner at once. Functions get permission to write
   * to it. You can combine it only with `order`.
   * @default - none
   */
  readonly archive?: IBackstopArchive;
  /**
   * A delivery stream. Not together with `firehoseStream`.
   * @default - none
   */
  readonly stream?: IDeliveryStream;
  /**
   * A bucket; functions may use the key that it encrypts with, if CDK knows the key. Not together with `s3Bucket`.
   * @default - none
   */
  readonly bucket?: IBucket;
  /**
   * The key to encrypt objects with, if it is not the bucket's default. Not together with `s3KmsKeyId`.
   * @default - the bucket's own encryption
   */
  readonly encryptionKey?: IKey;
  /**
   * A delivery stream, by name or ARN; a token that CDK cannot resolve counts as an ARN
   * (`BACKSTOP_FIREHOSE_STREAM`).
   * @default - none
   */
  readonly firehoseStream?: string;
  /**
   * A bucket, by name or ARN; a token that CDK cannot resolve counts as a name
   * (`BACKSTOP_S3_BUCKET`).
   * @default - none
   */
  readonly s3Bucket?: string;
  /**
   * The prefix of the keys (`BACKSTOP_S3_PREFIX`).
   * @default - the extension's own, `backstop`
   */
  readonly s3Prefix?: string;
  /**
   * The region of the bucket (`BACKSTOP_S3_REGION`).
   * @default - the function's
   */
  readonly s3Region?: string;
  /**
   * The key to encrypt objects with, if it is not the bucket's default; a token that CDK cannot resolve counts as an
   * ARN (`BACKSTOP_S3_KMS_KEY_ID`).
   * @default - the bucket's own encryption
   */
  readonly s3KmsKeyId?: string;
  /**
   * The account that owns the bucket (`BACKSTOP_S3_EXPECTED_BUCKET_OWNER`).
   * @default - any
   */
  readonly s3ExpectedBucketOwner?: string;
  /**
   * The fallbacks to try, in this order (`BACKSTOP_FALLBACK`).
   * @default - the extension's own, the stream and then the bucket
   */
  readonly order?: BackstopSink[];
  /**
   * ARNs of the keys that the bucket encrypts with by default, for the function's policy.
   * @default - none
   */
  readonly kmsKeyArns?: string[];
}

/** An archive, made here or elsewhere. */
export interface IBackstopArchive extends IConstruct {
  /** The ARN of the delivery stream, if there is one. */
  readonly streamArn?: string;
  /** The prefix of the archive's keys. */
  readonly prefix: string;
  /** The value for `backstop replay --from`. */
  readonly replayFrom: string;
  /** The settings and the permissions that functions get for this archive. */
  readonly fallback: BackstopFallback;

  /**
   * Lets a function, a role or another principal write to the archive, and nothing else.
   * @param grantee the principal that gets the permission
   */
  grantWrite(grantee: IGrantable): Grant;

  /**
   * Lets a function, a role or another principal read the archive, as `backstop replay` does, and nothing else.
   * @param grantee the principal that gets the permission
   */
  grantRead(grantee: IGrantable): Grant;
}

/** The key behind an alias, where that is known: in a policy an alias grants nothing. */
export function keyBehind(key: IKey | undefined): IKey | undefined {
  return key instanceof Alias ? key.aliasTargetKey : key;
}
