/** What a function's role needs, and no more: to write to the fallbacks. */
import { ArnFormat, Stack, Token } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { IConstruct } from 'constructs';
import { BackstopFallback } from './settings';

const isArn = (text: string) => Token.isUnresolved(text) || text.startsWith('arn:');

/** The statements for a fallback; none where there is no fallback. */
export function fallbackStatements(scope: IConstruct, fallback: BackstopFallback): PolicyStatement[] {
  const stack = Stack.of(scope);
  const statements: PolicyStatement[] = [];
  const { firehoseStream: stream, s3Bucket: bucket, s3KmsKeyId: keyId } = fallback;
  if (stream) {
    const arn = isArn(stream) ? stream : stack.formatArn({ service: 'firehose', resource: 'deliverystream', resourceName: stream });
    statements.push(new PolicyStatement({ actions: ['firehose:PutRecordBatch'], resources: [arn] }));
  }
  if (bucket) {
    // A token is a name: an archive says its bucket so, and the extension takes both.
    const arn = bucket.startsWith('arn:') ? bucket
      : stack.formatArn({ service: 's3', account: '', region: '', resource: bucket, arnFormat: ArnFormat.NO_RESOURCE_NAME });
    const prefix = (fallback.s3Prefix ?? 'backstop').replace(/^\/+|\/+$/g, '');
    statements.push(new PolicyStatement({ actions: ['s3:PutObject'], resources: [`${arn}/${prefix}/v1/*`] }));
    // An alias grants nothing in a policy: whoever names one gives its key in kmsKeyArns.
    const named = keyId && !/(^|:)alias\//.test(keyId) ? [isArn(keyId) ? keyId : stack.formatArn({ service: 'kms', resource: 'key', resourceName: keyId })] : [];
    const keys = [...new Set([...named, ...(fallback.kmsKeyArns ?? [])])];
    if (keys.length > 0) {
      statements.push(new PolicyStatement({
        actions: ['kms:GenerateDataKey'], resources: keys, conditions: { StringLike: { 'kms:ViaService': 's3.*' } },
      }));
    }
  }
  return statements;
}
