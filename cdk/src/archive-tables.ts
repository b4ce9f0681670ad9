/** Tables over the archive, one for each of its two layouts. Both hold the same lines. */
import { Names, Stack } from 'aws-cdk-lib';
import { CfnDatabase, CfnTable } from 'aws-cdk-lib/aws-glue';
import { Construct } from 'constructs';
import type { BackstopTableOptions } from './archive-base';

interface ArchiveTablesProps {
  readonly bucketName: string;
  readonly prefix: string;
  readonly streamName?: string;
  readonly options: BackstopTableOptions;
}

// `record` is JSON as it was received, text or object: read as text, json_extract takes it apart.
const COLUMNS = [
  { name: 'id', type: 'string', comment: "The record's id, the same at the primary: a record may be here twice." },
  { name: 'time', type: 'string', comment: 'When the platform made it, in RFC 3339.' },
  { name: 'type', type: 'string', comment: 'function, extension, platform.report and so on.' },
  { name: 'record', type: 'string', comment: 'The record as it was received.' },
  { name: 'request_id', type: 'string', comment: 'The invocation that a line of text belongs to, where that is known.' },
  { name: 'resource', type: 'map<string,string>', comment: 'faas.name, cloud.region and so on, and the tags.' },
  { name: 'diverted', type: 'struct<reason:string,sink:string,status:int>', comment: 'Why it is here and not at the primary.' },
  { name: 'route', type: 'string', comment: 'mirrored or archived, where the route put it here beside the primary.' },
  { name: 'original', type: 'string', comment: 'The record before it was redacted, where BACKSTOP_REDACT_ARCHIVE is false.' },
];

/** The database and its tables. */
export class ArchiveTables extends Construct {
  constructor(scope: Construct, id: string, props: ArchiveTablesProps) {
    super(scope, id);
    const { account, region } = Stack.of(this);
    const { options } = props;
    // Athena wants lowercase letters, digits and underscores.
    const databaseName = Names.uniqueResourceName(scope, { maxLength: 64, separator: '_', allowedSpecialCharacters: '_' }).toLowerCase();
    const database = new CfnDatabase(this, 'Database', {
      catalogId: account, databaseInput: { name: databaseName, description: "Backstop's archive." },
    });
    const root = `s3://${props.bucketName}/${props.prefix}/v1`;
    const table = (name: string, description: string, partitions: string[], parameters: Record<string, string>) => {
      const made = new CfnTable(this, name, {
        catalogId: account,
        databaseName,
        tableInput: {
          name,
          description,
          tableType: 'EXTERNAL_TABLE',
          partitionKeys: partitions.map((key) => ({ name: key, type: key === 'hour' ? 'int' : 'string' })),
          parameters: {
            'EXTERNAL': 'TRUE',
            'classification': 'json',
            'compressionType': 'gzip',
            'projection.enabled': 'true',
            'projection.dt.type': 'date',
            'projection.dt.format': 'yyyy-MM-dd',
            'projection.dt.range': `${options.firstDay ?? '2025-01-01'},NOW+1DAY`,
            'projection.dt.interval': '1',
            'projection.dt.interval.unit': 'DAYS',
            'projection.hour.type': 'integer',
            'projection.hour.range': '0,23',
            'projection.hour.digits': '2',
            ...parameters,
          },
          storageDescriptor: {
            location: `${root}/`,
            inputFormat: 'org.apache.hadoop.mapred.TextInputFormat',
            outputFormat: 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat',
            // Records are others' JSON. In lowercase two of their keys may be one, which makes the whole row NULL; the
            // columns' own keys are in lowercase already.
            serdeInfo: {
              serializationLibrary: 'org.openx.data.jsonserde.JsonSerDe', parameters: { 'ignore.malformed.json': 'true', 'case.insensitive': 'false' },
            },
            columns: COLUMNS,
          },
        },
      });
      made.addResourceDependency(database);
    };
    if (props.streamName) {
      table('streamed', 'What delivery streams have written.', ['stream', 'dt', 'hour'], {
        'projection.stream.type': 'enum',
        'projection.stream.values': props.streamName,
        'storage.location.template': `${root}/stream=\${stream}/dt=\${dt}/hour=\${hour}/`,
      });
    }
    table('direct', "What functions have written themselves. A query names the function: where function = '…'.",
      ['account', 'region', 'function', 'dt', 'hour'], {
        'projection.account.type': 'enum',
        'projection.account.values': (options.accounts ?? [account]).join(','),
        'projection.region.type': 'enum',
        'projection.region.values': (options.regions ?? [region]).join(','),
        'projection.function.type': 'injected',
        'storage.location.template': `${root}/account=\${account}/region=\${region}/function=\${function}/dt=\${dt}/hour=\${hour}/`,
      });
  }
}
