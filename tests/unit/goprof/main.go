// SPDX-License-Identifier: Apache-2.0

// goprof reads pprof files with google/pprof's own reader, checks them, and prints a canonical dump,
// the same as tests/unit/pprof_dump.c prints from ours. With -merge it merges all files first.
package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/google/pprof/profile"
)

func dump(p *profile.Profile) {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, t := range p.SampleType {
		fmt.Fprintf(out, "type %s %s\n", t.Type, t.Unit)
	}
	if p.PeriodType != nil {
		fmt.Fprintf(out, "period %s %s %d\n", p.PeriodType.Type, p.PeriodType.Unit, p.Period)
	}
	fmt.Fprintf(out, "time %d %d default %q\n", p.TimeNanos, p.DurationNanos, p.DefaultSampleType)
	for _, c := range p.Comments {
		fmt.Fprintf(out, "comment %s\n", c)
	}
	for _, m := range p.Mapping {
		fmt.Fprintf(out, "mapping %#x-%#x %#x %s %s %v %v %v %v\n", m.Start, m.Limit, m.Offset, m.File, m.BuildID,
			m.HasFunctions, m.HasFilenames, m.HasLineNumbers, m.HasInlineFrames)
	}
	for _, s := range p.Sample {
		fmt.Fprintf(out, "sample %v", s.Value)
		var labels []string
		for k, vs := range s.Label {
			labels = append(labels, k+"="+strings.Join(vs, ","))
		}
		for k, vs := range s.NumLabel {
			unit := ""
			if u := s.NumUnit[k]; len(u) > 0 {
				unit = u[0]
			}
			labels = append(labels, fmt.Sprintf("%s=%d %s", k, vs[0], unit))
		}
		sort.Strings(labels)
		fmt.Fprintf(out, " {%s}", strings.Join(labels, "; "))
		for _, l := range s.Location {
			file := ""
			if l.Mapping != nil {
				file = l.Mapping.File
			}
			fmt.Fprintf(out, " [%s %#x %v", file, l.Address, l.IsFolded)
			for _, n := range l.Line {
				fmt.Fprintf(out, " (%s|%s|%s:%d:%d:%d)", n.Function.Name, n.Function.SystemName, n.Function.Filename,
					n.Line, n.Column, n.Function.StartLine)
			}
			fmt.Fprint(out, "]")
		}
		fmt.Fprintln(out)
	}
}

func main() {
	files, merge := os.Args[1:], false
	if len(files) > 0 && files[0] == "-merge" {
		files, merge = files[1:], true
	}
	var all []*profile.Profile
	for _, name := range files {
		f, err := os.Open(name)
		if err == nil {
			var p *profile.Profile
			if p, err = profile.Parse(f); err == nil {
				err = p.CheckValid()
				all = append(all, p)
			}
			f.Close()
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
	}
	if merge {
		p, err := profile.Merge(all)
		if err == nil {
			err = p.CheckValid()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		all = []*profile.Profile{p}
	}
	for _, p := range all {
		dump(p)
	}
}
