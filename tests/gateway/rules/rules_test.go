// Package rules evaluates alarm rules with Prometheus' own engine, over series that a script makes up.
package rules

import (
	"os"
	"testing"

	"github.com/prometheus/prometheus/promql/promqltest"
)

// TestScript runs the script that BACKSTOP_RULES names: `load` makes series, `eval` compares what an expression gives.
func TestScript(t *testing.T) {
	script, err := os.ReadFile(os.Getenv("BACKSTOP_RULES"))
	if err != nil {
		t.Fatal(err)
	}
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	promqltest.RunTest(t, string(script), engine)
}
