"""A function that posts its own telemetry with OpenTelemetry's SDK: spans, a metric of each kind, and logs.

The number of spans and of logs is the argument. The standard variables say where to and how.
"""

import sys

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode

count = int(sys.argv[1])
resource = Resource.create({"service.name": "python-shop", "deployment.environment.name": "test"})

traces = TracerProvider(resource=resource)
traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
metrics = MeterProvider(
    resource=resource,
    metric_readers=[PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=60_000)],
)
logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))

tracer = traces.get_tracer("shop", "1.2.3")
meter = metrics.get_meter("shop", "1.2.3")
logger = logs.get_logger("shop", "1.2.3")
orders = meter.create_counter("sdk.orders", unit="{order}")
duration = meter.create_histogram("sdk.duration", unit="s")
meter.create_observable_gauge("sdk.queue", [lambda _: []])
for number in range(count):
    with tracer.start_as_current_span("sdk.work", attributes={"number": number, "ratio": 0.1, "tags": ["a", "b"]}) as span:
        span.add_event("began", {"by": "python"})
        if number == 0:
            span.set_status(Status(StatusCode.ERROR, "boom"))
        orders.add(1, {"kind": "book"})
        duration.record(0.05 * number)
        logger.emit(
            LogRecord(
                timestamp=span.start_time,
                severity_number=SeverityNumber.ERROR if number == 0 else SeverityNumber.INFO,
                severity_text="ERROR" if number == 0 else "INFO",
                body=f"sdk log {number} of someone@example.com",
                attributes={"number": number, "nested": {"mail": "someone@example.com"}},
            )
        )

for provider in (traces, metrics, logs):
    if not provider.force_flush(10_000):
        sys.exit(f"{type(provider).__name__} could not export")
for provider in (traces, metrics, logs):
    provider.shutdown()
