//! Loggers that write a line of text.

use backstop_telemetry::Severity::{Debug, Error, Info, Warn};

use super::loggers::{Logger, PYTHON, UPPER};

/// Loggers that write a line of text.
pub(crate) const TEXT: &[Logger] = &[
    Logger {
        name: "console on Lambda, text",
        line: "2026-01-01T00:00:00.000Z\t8a5f6a7e-0e6c-4b1c-8a0e-1f2d3c4b5a69\t{}\tno Error: and no ERROR\n",
        levels: UPPER,
    },
    Logger {
        name: "console on Lambda during init",
        line: "2026-01-01T00:00:00.000Z\tundefined\t{}\tplaced",
        levels: UPPER,
    },
    Logger {
        name: "logging on Lambda (Python), text",
        line: "[{}]\t2026-01-01T00:00:00.000Z\t8a5f6a7e-0e6c-4b1c-8a0e-1f2d3c4b5a69\tplaced\n",
        levels: PYTHON,
    },
    Logger {
        name: "logging.basicConfig",
        line: "{}:root:placed",
        levels: PYTHON,
    },
    Logger {
        name: "logback's pattern",
        line: "00:00:00.000 [main-thread-of-orders] {}  com.example.orders.Handler - placed",
        levels: UPPER,
    },
    Logger {
        name: "slog, default",
        line: "2026/01/01 00:00:00 {} placed order=7",
        levels: UPPER,
    },
    Logger {
        name: "slog, text",
        line: "time=2026-01-01T00:00:00.000Z level={} msg=placed",
        levels: UPPER,
    },
    Logger {
        name: "logrus, logfmt",
        line: r#"time="2026-01-01T00:00:00Z" level={} msg="placed" error="the ERROR that was handled""#,
        levels: &[("debug", Debug), ("error", Error), ("fatal", Error)],
    },
    Logger {
        name: "logfmt of other names",
        line: "ts=1 caller=a.go:1 lvl={} msg=placed",
        levels: &[
            ("dbug", Debug),
            ("info", Info),
            ("warn", Warn),
            ("eror", Error),
            ("\"error\"", Error),
        ],
    },
    Logger {
        name: "winston, simple",
        line: "{}: placed",
        levels: &[
            ("debug", Debug),
            ("info", Info),
            ("warn", Warn),
            ("error", Error),
        ],
    },
    Logger {
        name: "tracing-subscriber, coloured",
        line: "\u{1b}[2m2026-01-01T00:00:00.000000Z\u{1b}[0m \u{1b}[31m{}\u{1b}[0m \u{1b}[2morders\u{1b}[0m: placed",
        levels: UPPER,
    },
    Logger {
        name: "Serilog, console",
        line: "[00:00:00 {}] Placed",
        levels: &[
            ("VRB", Debug),
            ("DBG", Debug),
            ("INF", Info),
            ("WRN", Warn),
            ("ERR", Error),
            ("FTL", Error),
        ],
    },
    Logger {
        name: "Microsoft.Extensions.Logging, console",
        line: "{}: Orders.Handler[0]\n      Placed",
        levels: &[
            ("trce", Debug),
            ("dbug", Debug),
            ("info", Info),
            ("warn", Warn),
            ("fail", Error),
            ("crit", Error),
        ],
    },
    Logger {
        name: "nginx",
        line: "2026/01/01 00:00:00 [{}] 7#7: *1 placed",
        levels: &[
            ("debug", Debug),
            ("notice", Info),
            ("warn", Warn),
            ("error", Error),
            ("crit", Error),
            ("emerg", Error),
        ],
    },
    Logger {
        name: "syslog",
        line: "<{}>1 2026-01-01T00:00:00Z host app - - - placed",
        levels: &[
            ("15", Debug),
            ("14", Info),
            ("13", Info),
            ("12", Warn),
            ("11", Error),
            ("8", Error),
            ("191", Debug),
        ],
    },
    Logger {
        name: "klog",
        line: "{}0101 00:00:00.000000       1 main.go:7] placed",
        levels: &[("I", Info), ("W", Warn), ("E", Error), ("F", Error)],
    },
    Logger {
        name: "Ruby",
        line: "{}, [2026-01-01T00:00:00.000000 #7]  -- : placed",
        levels: &[
            ("D", Debug),
            ("I", Info),
            ("W", Warn),
            ("E", Error),
            ("F", Error),
        ],
    },
    Logger {
        name: "JSON behind Lambda's own words",
        line: "2026-01-01T00:00:00.000Z\tundefined\tINFO\t{\"level\":{},\"msg\":\"placed\"}",
        levels: &[
            ("30", Info),
            ("40", Warn),
            ("50", Error),
            ("\"warn\"", Warn),
            ("\"error\"", Error),
        ],
    },
    Logger {
        name: "an object, printed by Node",
        line: "{ message: 'placed', level: '{}' }",
        levels: &[("info", Info), ("warn", Warn), ("error", Error)],
    },
    Logger {
        name: "a dictionary, printed",
        line: "{'message': 'placed', 'level': '{}'}",
        levels: &[("info", Info), ("warning", Warn), ("error", Error)],
    },
];
