/** What the library takes and refuses is what the extension does: `tests/contracts/cdk.rs` puts the same cases to that. */
import * as fs from 'fs';
import * as path from 'path';
import { BackstopProps, BackstopSecret } from '../src';
import { problemsOf } from '../src/problems';

const CASES = JSON.parse(fs.readFileSync(path.join(__dirname, 'cases.json'), 'utf8'));
const url = 'https://logs.example.com';
const plain = (value: string) => BackstopSecret.unsafePlainText(value);

const PROPS: Record<string, (value: any) => BackstopProps> = {
  url: (value) => ({ primary: { url: value } }),
  token: (value) => ({ primary: { url, token: plain(value) } }),
  header: ([name, value]) => ({ primary: { url, headers: { [name]: plain(value) } } }),
  stream: (value) => ({ fallback: { firehoseStream: value } }),
  bucket: (value) => ({ fallback: { s3Bucket: value } }),
  prefix: (value) => ({ fallback: { s3Bucket: 'my-archive', s3Prefix: value } }),
  region: (value) => ({ fallback: { s3Bucket: 'my-archive', s3Region: value } }),
  key: (value) => ({ fallback: { s3Bucket: 'my-archive', s3KmsKeyId: value } }),
  owner: (value) => ({ fallback: { s3Bucket: 'my-archive', s3ExpectedBucketOwner: value } }),
  tag: ([key, value]) => ({ primary: { url }, tags: { [key]: value } }),
};

test.each(Object.keys(PROPS))('%s', (kind) => {
  const { accepted, refused } = CASES[kind];
  const isTaken = (value: unknown) => problemsOf(PROPS[kind](value)).length === 0;
  expect(accepted.filter((value: unknown) => !isTaken(value))).toEqual([]);
  expect(refused.filter(isTaken)).toEqual([]);
});
