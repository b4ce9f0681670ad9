/** Backends by their names, and the options of formats: `tests/contracts/cdk.rs` puts the same cases to the extension. */
import * as fs from 'fs';
import * as path from 'path';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { errorsOf, functionIn, layer, propertiesOf, stackOf, warningsOf } from './app';
import { Backstop, BackstopFormat, BackstopPrimary, BackstopSecret } from '../src';
import { problemsOf } from '../src/problems';
import { variablesOf } from '../src/settings';

const CASES = JSON.parse(fs.readFileSync(path.join(__dirname, 'backends.json'), 'utf8'));
const token = BackstopSecret.unsafePlainText('t0ken');

test.each<[string, any]>(CASES.accepted.map((each: any) => [each.url, each]))('%s', (_url, each) => {
  const props = { primary: { backend: each.backend, backendOptions: each.options, token } };
  expect(problemsOf(props)).toEqual([]);
  const expected = {
    BACKSTOP_PRIMARY_URL: each.url,
    BACKSTOP_PRIMARY_FORMAT: each.format,
    BACKSTOP_PRIMARY_HEADERS: each.headers,
    BACKSTOP_PRIMARY_TOKEN: each.token,
  };
  expect(variablesOf(props)).toEqual(Object.fromEntries(Object.entries(expected).filter(([, value]) => value !== null)));
});

test.each<[string, any]>(CASES.refused.map((each: any) => [each.words[0], each]))('%s', (_words, each) => {
  const told = problemsOf({ primary: { backend: each.backend, backendOptions: each.options, token } }).join('\n');
  for (const words of each.words) expect(told).toContain(words);
});

test.each<[string, any]>(CASES.options.map((each: any) => [`${each.format} ${each.name}=${each.value}`, each]))('%s', (_text, each) => {
  const told = problemsOf({ primary: { url: 'https://a.example', format: each.format, options: { [each.name]: each.value } } });
  expect(told.length === 0).toBe(each.accepted);
});

test('a secret stays a reference, wherever the backend wants it', () => {
  const stack = stackOf();
  const secret = BackstopSecret.fromSecretsManager(Secret.fromSecretNameV2(stack, 'Key', 'key'));
  const primaries: BackstopPrimary[] = [
    { backend: 'honeycomb', backendOptions: { region: 'eu' }, token: secret, headers: { 'X-Team': BackstopSecret.unsafePlainText('a') } },
    { backend: 'grafana-cloud', backendOptions: { zone: 'prod-eu-west-0', instance: '123' }, token: secret },
  ];
  const [honeycomb, grafana] = primaries.map((primary) => stack.resolve(variablesOf({ primary })));
  const text = (value: any) => JSON.stringify(value);
  expect(text(honeycomb.BACKSTOP_PRIMARY_HEADERS)).toContain('x-honeycomb-team={{resolve:secretsmanager:');
  expect(text(honeycomb.BACKSTOP_PRIMARY_HEADERS)).toContain('}},X-Team=a');
  expect(honeycomb).not.toHaveProperty('BACKSTOP_PRIMARY_TOKEN');
  expect(text(grafana.BACKSTOP_PRIMARY_TOKEN)).toContain('123:{{resolve:secretsmanager:');
});

test('a header of the backend is not set a second time', () => {
  const headers = { 'X-Axiom-Dataset': BackstopSecret.unsafePlainText('other') };
  const primary = { backend: 'axiom', backendOptions: { dataset: 'lambda' }, token, headers };
  expect(problemsOf({ primary })).toEqual(['the backend axiom sets the header x-axiom-dataset: remove it from primary.headers.']);
});

test('a header of the backend is not a secret in plain text', () => {
  const warnings = (primary: BackstopPrimary) => {
    const stack = stackOf();
    const secret = BackstopSecret.fromSecretsManager(Secret.fromSecretNameV2(stack, 'Key', 'key'));
    Backstop.attach(functionIn(stack), { layer, primary: { token: secret, ...primary } });
    return warningsOf(stack).filter((text) => text.includes('in plain text'));
  };
  const axiom = { backend: 'axiom', backendOptions: { dataset: 'lambda' } };
  expect(warnings(axiom)).toEqual([]);
  expect(warnings({ ...axiom, token })).toHaveLength(1);
  expect(warnings({ ...axiom, headers: { 'X-Key': token } })).toHaveLength(1);
  expect(warnings({ backend: 'honeycomb', token })).toHaveLength(1);
});

test('options are sorted pairs, and a site is an address', () => {
  const primary = { url: 'datadoghq.eu', format: BackstopFormat.DATADOG, options: { max_age_hours: '12' }, token };
  expect(problemsOf({ primary })).toEqual([]);
  expect(variablesOf({ primary }).BACKSTOP_PRIMARY_URL).toBe('datadoghq.eu');
  const elastic = { url: 'https://a.example', format: BackstopFormat.ELASTIC, options: { index: 'logs-x', ids: 'false' } };
  expect(variablesOf({ primary: elastic }).BACKSTOP_PRIMARY_OPTIONS).toBe('ids=false,index=logs-x');
});

test('what stops the attaching leaves the function as it was', () => {
  const stack = stackOf();
  Backstop.attach(functionIn(stack), { layer, primary: { backend: 'honeycmb', token } });
  expect(errorsOf(stack)).toEqual([expect.stringContaining('did you mean honeycomb?')]);
  expect(propertiesOf(stack)).not.toHaveProperty('Environment');
});

test.each<[string, BackstopPrimary, string]>([
  ['neither address nor backend', { token }, 'neither url nor backend, or both'],
  ['address and backend', { url: 'https://a.example', backend: 'honeycomb', token }, 'neither url nor backend, or both'],
  ['format and backend', { format: BackstopFormat.OTLP, backend: 'honeycomb', token }, 'primary.format is set, and the backend sets it too'],
  ['options and no backend', { url: 'https://a.example', backendOptions: { region: 'eu' } }, 'has backendOptions but no backend'],
  ['no token', { backend: 'honeycomb' }, 'the backend needs a token: give it in primary.token'],
  ['a token with a comma', { backend: 'honeycomb', token: BackstopSecret.unsafePlainText('hunter2,host=x') }, 'contains a comma'],
  ['a token twice', { backend: 'honeycomb', token, headers: { 'X-Honeycomb-Team': token } }, 'the header x-honeycomb-team in primary.headers set the same header'],
  ['a key twice', { url: 'eu', format: BackstopFormat.NEWRELIC, token, headers: { 'Api-Key': token } }, 'the header api-key in primary.headers set the same header'],
  ['a site of another format', { url: 'datadoghq.eu', format: BackstopFormat.OTLP }, 'does not begin with https://'],
  ['no site', { url: 'eu', format: BackstopFormat.DATADOG }, 'does not begin with https://'],
  ['no region', { url: 'mars', format: BackstopFormat.NEWRELIC }, 'does not begin with https://'],
])('%s', (_what, primary, message) => {
  const told = problemsOf({ primary }).join('\n');
  expect(told).toContain(message);
  expect(told).not.toContain('hunter2');
});
