// SPDX-License-Identifier: Apache-2.0

// gorelabel applies relabel rules to label sets with Prometheus' own package; tests/unit/relabel_apply.c does the same
// with ours. Standard input and output: see tests/unit/relabel_oracle.py.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
)

func rule(f []string) (*relabel.Config, error) {
	c := relabel.DefaultRelabelConfig
	c.NameValidationScheme = model.LegacyValidation
	c.Action = relabel.Action(f[1])
	if f[2] != "-" {
		c.Separator = f[2][1:]
	}
	if f[3] != "-" {
		re, err := relabel.NewRegexp(f[3][1:])
		if err != nil {
			return nil, err
		}
		c.Regex = re
	}
	c.Modulus, _ = strconv.ParseUint(f[4], 10, 64)
	if f[5] != "-" {
		c.TargetLabel = f[5][1:]
	}
	if f[6] != "-" {
		c.Replacement = f[6][1:]
	}
	for _, s := range f[7:] {
		c.SourceLabels = append(c.SourceLabels, model.LabelName(s))
	}
	return &c, c.Validate(model.LegacyValidation)
}

func main() {
	var rules []*relabel.Config
	var set []string
	bad := false
	in := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.Scan() {
		f := strings.Split(in.Text(), "\t")
		switch f[0] {
		case "R":
			c, err := rule(f)
			bad = bad || err != nil
			rules = append(rules, c)
		case "L":
			set = append(set, f[1], f[2])
		case ".":
			b := labels.NewBuilder(labels.FromStrings(set...))
			if bad {
				fmt.Fprintln(out, "bad")
			} else if !relabel.ProcessBuilder(b, rules...) {
				fmt.Fprintln(out, "drop")
			} else {
				b.Labels().Range(func(l labels.Label) { fmt.Fprintf(out, "%s=%s\n", l.Name, l.Value) })
			}
			fmt.Fprintln(out, ".")
			rules, set, bad = nil, nil, false
		}
	}
}
