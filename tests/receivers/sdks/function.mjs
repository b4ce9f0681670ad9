// A function that posts its own telemetry with OpenTelemetry's SDK: spans, a metric of each kind, and logs.
//
// The number of spans and of logs is the first argument, the encoding (`proto` or `http`, which is JSON) the second.
// The standard variables say where to and how.

import { SpanStatusCode } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

const count = Number(process.argv[2]);
const exporter = async (signal, name) => {
  const module = await import(`@opentelemetry/exporter-${signal}-otlp-${process.argv[3]}`);
  return new module[name]();
};

const resource = resourceFromAttributes({ 'service.name': 'node-shop' });
const traces = new BasicTracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor(await exporter('trace', 'OTLPTraceExporter'))],
});
const metrics = new MeterProvider({
  resource,
  readers: [new PeriodicExportingMetricReader({ exporter: await exporter('metrics', 'OTLPMetricExporter') })],
});
const logExporter = await exporter('logs', 'OTLPLogExporter');
const logs = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter: logExporter })] });

const tracer = traces.getTracer('shop', '1.2.3');
const meter = metrics.getMeter('shop', '1.2.3');
const logger = logs.getLogger('shop', '1.2.3');
const orders = meter.createCounter('sdk.orders', { unit: '{order}' });
const duration = meter.createHistogram('sdk.duration', { unit: 's' });
for (let number = 0; number < count; number += 1) {
  const span = tracer.startSpan('sdk.work', { attributes: { number, ratio: 0.1, tags: ['a', 'b'] } });
  span.addEvent('began', { by: 'node' });
  if (number === 0) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: 'boom' });
  }
  orders.add(1, { kind: 'book' });
  duration.record(0.05 * number);
  logger.emit({
    severityNumber: number === 0 ? SeverityNumber.ERROR : SeverityNumber.INFO,
    severityText: number === 0 ? 'ERROR' : 'INFO',
    body: `sdk log ${number} of someone@example.com`,
    attributes: { number, nested: { mail: 'someone@example.com' } },
  });
  span.end();
}

for (const provider of [traces, metrics, logs]) {
  await provider.forceFlush();
  await provider.shutdown();
}
