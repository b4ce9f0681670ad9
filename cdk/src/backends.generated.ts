// Generated from crates/config/src/backends.rs by `BACKSTOP_BLESS=1 cargo test -p backstop-config`: do not edit.

/** What a format takes. */
export interface FormatFacts {
  readonly token_header: string;
  readonly options: { readonly [name: string]: string };
}

/** An option of a backend. */
export interface OptionFacts {
  readonly required: boolean;
  readonly default: string | null;
  readonly words: { readonly [word: string]: string };
  readonly pattern: string;
  readonly advice: string;
  readonly meaning: string;
}

/** A backend with a name. */
export interface BackendFacts {
  readonly title: string;
  readonly format: string;
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
  readonly token_header: string | null;
  readonly token_prefix: string;
  readonly needs_token: boolean;
  readonly options: { readonly [name: string]: OptionFacts };
}

/** The extension's own table. */
export const FACTS: {
  readonly formats: { readonly [name: string]: FormatFacts };
  readonly backends: { readonly [name: string]: BackendFacts };
} = {
"formats": {
  "ndjson": {"token_header": "authorization", "options": {}},
  "json": {"token_header": "authorization", "options": {}},
  "otlp": {"token_header": "authorization", "options": {"emf": "^(metrics|both)$", "encoding": "^(protobuf|json)$"}},
  "elastic": {"token_header": "authorization", "options": {"emf": "^(metrics|both)$", "ids": "^(true|false)$", "index": "^[a-z0-9.][a-z0-9._-]{0,254}$"}},
  "loki": {"token_header": "authorization", "options": {"emf": "^(metrics|both)$", "encoding": "^(protobuf|json)$", "labels": "^[^+,=\"'` ]+([+][^+,=\"'` ]+)*$", "max_age_hours": "^[0-9]{1,18}$"}},
  "splunk": {"token_header": "authorization", "options": {"emf": "^(metrics|both)$", "index": "^[a-z0-9.][a-z0-9._-]{0,254}$", "source": "^[^,\"'` ]([^,]*[^,\"'` ])?$", "sourcetype": "^[^,\"'` ]([^,]*[^,\"'` ])?$"}},
  "datadog": {"token_header": "dd-api-key", "options": {"emf": "^(metrics|both)$", "max_age_hours": "^[0-9]{1,18}$"}},
  "newrelic": {"token_header": "api-key", "options": {"emf": "^(metrics|both)$", "max_age_hours": "^[0-9]{1,18}$"}}
},
"backends": {
  "axiom": {
    "title": "Axiom",
    "format": "otlp",
    "url": "https://{domain}",
    "headers": {"x-axiom-dataset": "{dataset}"},
    "token_header": null,
    "token_prefix": "",
    "needs_token": true,
    "options": {
      "dataset": {"required": true, "default": null, "words": {}, "pattern": "^[A-Za-z0-9._-]+$", "advice": "use letters, digits and ._- only", "meaning": "the dataset that records go to"},
      "domain": {"required": false, "default": "api.axiom.co", "words": {}, "pattern": "^[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$", "advice": "use a domain such as example.com, without https:// and without a path", "meaning": "the domain of your edge deployment"}
    }
  },
  "better-stack": {
    "title": "Better Stack",
    "format": "ndjson",
    "url": "https://{host}",
    "headers": {},
    "token_header": null,
    "token_prefix": "",
    "needs_token": true,
    "options": {
      "host": {"required": true, "default": null, "words": {}, "pattern": "^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*(:[1-9][0-9]{0,4})?$", "advice": "use a host such as logs.example.com or logs.example.com:9200, without https:// and without a path", "meaning": "the ingesting host of the source"}
    }
  },
  "cloudwatch": {
    "title": "CloudWatch Logs",
    "format": "otlp",
    "url": "https://logs.{region}.amazonaws.com",
    "headers": {"x-aws-log-group": "{log_group}", "x-aws-log-stream": "{log_stream}"},
    "token_header": null,
    "token_prefix": "",
    "needs_token": true,
    "options": {
      "region": {"required": true, "default": null, "words": {}, "pattern": "^[A-Za-z0-9._-]+$", "advice": "use letters, digits and ._- only", "meaning": "the region of the log group"},
      "log_group": {"required": true, "default": null, "words": {}, "pattern": "^[A-Za-z0-9._/#-]+$", "advice": "use letters, digits and ._/#- only", "meaning": "an existing log group"},
      "log_stream": {"required": true, "default": null, "words": {}, "pattern": "^[A-Za-z0-9._/#-]+$", "advice": "use letters, digits and ._/#- only", "meaning": "an existing log stream in the group"}
    }
  },
  "datadog": {
    "title": "Datadog",
    "format": "datadog",
    "url": "https://http-intake.logs.{site}",
    "headers": {},
    "token_header": null,
    "token_prefix": "",
    "needs_token": true,
    "options": {
      "site": {"required": true, "default": null, "words": {}, "pattern": "^[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$", "advice": "use a domain such as example.com, without https:// and without a path", "meaning": "the site, such as `datadoghq.eu`"}
    }
  },
  "elastic": {
    "title": "Elasticsearch",
    "format": "elastic",
    "url": "https://{host}",
    "headers": {},
    "token_header": null,
    "token_prefix": "",
    "needs_token": false,
    "options": {
      "host": {"required": true, "default": null, "words": {}, "pattern": "^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*(:[1-9][0-9]{0,4})?$", "advice": "use a host such as logs.example.com or logs.example.com:9200, without https:// and without a path", "meaning": "the host of the cluster"}
    }
  },
  "gateway": {
    "title": "Backstop's gateway",
    "format": "otlp",
    "url": "https://{host}",
    "headers": {},
    "token_header": null,
    "token_prefix": "",
    "needs_token": true,
    "options": {
      "host": {"required": true, "default": null, "words": {}, "pattern": "^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*(:[1-9][0-9]{0,4})?$", "advice": "use a host such as logs.example.com or logs.example.com:9200, without https:// and without a path", "meaning": "the host of the gateway"}
    }
  },
  "grafana-cloud": {
    "title": "Grafana Cloud",
    "format": "otlp",
    "url": "https://otlp-gateway-{zone}.grafana.net/otlp",
    "headers": {},
    "token_header": null,
    "token_prefix": "{instance}:",
    "needs_token": true,
    "options": {
      "zone": {"required": true, "default": null, "words": {}, "pattern": "^[A-Za-z0-9._-]+$", "advice": "use letters, digits and ._- only", "meaning": "the zone of the stack, such as `prod-eu-west-0`"},
      "instance": {"required": true, "default": null, "words": {}, "pattern": "^[0-9]+$", "advice": "use digits only", "meaning": "the instance id of the stack's OTLP endpoint"}
    }
  },
  "honeycomb": {
    "title": "Honeycomb",
    "format": "otlp",
    "url": "https://{region}",
    "headers": {"x-honeycomb-dataset": "{dataset}"},
    "token_header": "x-honeycomb-team",
    "token_prefix": "",
    "needs_token": true,
    "options": {
      "region": {"required": false, "default": "us", "words": {"us": "api.honeycomb.io", "eu": "api.eu1.honeycomb.io"}, "pattern": "", "advice": "use us or eu", "meaning": "where your team is"},
      "dataset": {"required": false, "default": null, "words": {}, "pattern": "^[A-Za-z0-9._-]+$", "advice": "use letters, digits and ._- only", "meaning": "the dataset, for a Classic environment; other environments name it after the service"}
    }
  },
  "loki": {
    "title": "Grafana Loki",
    "format": "loki",
    "url": "https://{host}",
    "headers": {},
    "token_header": null,
    "token_prefix": "",
    "needs_token": false,
    "options": {
      "host": {"required": true, "default": null, "words": {}, "pattern": "^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*(:[1-9][0-9]{0,4})?$", "advice": "use a host such as logs.example.com or logs.example.com:9200, without https:// and without a path", "meaning": "the host of Loki"}
    }
  },
  "newrelic": {
    "title": "New Relic",
    "format": "newrelic",
    "url": "https://{region}",
    "headers": {},
    "token_header": null,
    "token_prefix": "",
    "needs_token": true,
    "options": {
      "region": {"required": false, "default": "us", "words": {"us": "log-api.newrelic.com", "eu": "log-api.eu.newrelic.com", "gov": "gov-log-api.newrelic.com"}, "pattern": "", "advice": "use us or eu or gov", "meaning": "where your account is"}
    }
  },
  "opensearch": {
    "title": "OpenSearch",
    "format": "elastic",
    "url": "https://{host}",
    "headers": {},
    "token_header": null,
    "token_prefix": "",
    "needs_token": false,
    "options": {
      "host": {"required": true, "default": null, "words": {}, "pattern": "^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*(:[1-9][0-9]{0,4})?$", "advice": "use a host such as logs.example.com or logs.example.com:9200, without https:// and without a path", "meaning": "the host of the cluster"}
    }
  },
  "splunk": {
    "title": "Splunk Enterprise",
    "format": "splunk",
    "url": "https://{host}",
    "headers": {},
    "token_header": null,
    "token_prefix": "",
    "needs_token": true,
    "options": {
      "host": {"required": true, "default": null, "words": {}, "pattern": "^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*(:[1-9][0-9]{0,4})?$", "advice": "use a host such as logs.example.com or logs.example.com:9200, without https:// and without a path", "meaning": "the host of the HTTP Event Collector, with its port"}
    }
  },
  "splunk-cloud": {
    "title": "Splunk Cloud Platform",
    "format": "splunk",
    "url": "https://http-inputs-{stack}.splunkcloud.com",
    "headers": {},
    "token_header": null,
    "token_prefix": "",
    "needs_token": true,
    "options": {
      "stack": {"required": true, "default": null, "words": {}, "pattern": "^[A-Za-z0-9._-]+$", "advice": "use letters, digits and ._- only", "meaning": "the name of the stack, on AWS"}
    }
  },
  "victorialogs": {
    "title": "VictoriaLogs",
    "format": "otlp",
    "url": "https://{host}/insert/opentelemetry",
    "headers": {},
    "token_header": null,
    "token_prefix": "",
    "needs_token": false,
    "options": {
      "host": {"required": true, "default": null, "words": {}, "pattern": "^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*(:[1-9][0-9]{0,4})?$", "advice": "use a host such as logs.example.com or logs.example.com:9200, without https:// and without a path", "meaning": "the host of VictoriaLogs"}
    }
  }
}
};
