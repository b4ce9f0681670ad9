# Each recipe is one call of a script or of cargo. `just` lists them; nothing needs just itself.

set shell := ["bash", "-euo", "pipefail", "-c"]

[private]
default:
    @just --list --unsorted

# Exactly what continuous integration runs
ci:
    .ci/run

# Everything that must hold before a change goes in
test:
    scripts/test

# Formatting, clippy and the tests that run no real binary
fast:
    scripts/test --fast

# The tests of one crate, such as `just test-crate backstop-config`
test-crate crate *arguments:
    cargo test --locked -p {{ crate }} {{ arguments }}

# The demo, on this machine alone
demo *arguments:
    scripts/demo {{ arguments }}

# The layers, in dist/
package *arguments:
    scripts/package {{ arguments }}

# What the extension costs: start, memory, CPU per record, added latency
bench *arguments:
    scripts/bench {{ arguments }}

# Ten thousand invocations with random faults, watched for losses and growth
soak *arguments:
    scripts/soak {{ arguments }}

# The Terraform modules
terraform *arguments:
    scripts/terraform {{ arguments }}

# The CDK library
cdk *arguments:
    scripts/cdk {{ arguments }}

# Made-up input for what reads bytes from outside
fuzz *arguments:
    scripts/fuzz {{ arguments }}

# Whether the tests of the promise can fail
mutations *arguments:
    scripts/mutations {{ arguments }}

# What the tests of the delivery policy do not notice
mutants *arguments:
    scripts/mutants {{ arguments }}

fmt:
    cargo fmt --all

check:
    cargo check --workspace --all-targets --locked

clippy:
    cargo clippy --workspace --all-targets --locked -- -D warnings

docs:
    cargo doc --workspace --no-deps --locked --open

# Write register.json and docs/configuration.md from the register
bless:
    BACKSTOP_BLESS=1 cargo test --locked -p backstop-config

# Licences, bans and sources of the dependencies (needs cargo-deny)
deny:
    cargo deny --locked check --hide-inclusion-graph licenses bans sources
