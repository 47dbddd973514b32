// SPDX-License-Identifier: Apache-2.0

// gocollector is OpenTelemetry's own receiver of OTLP in its own service, with an exporter "print": for each profile a line
// of JSON on standard output, with the exporter's name in it.
package main

import (
	"context"
	"encoding/json"
	"os"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/xexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry"
	"go.uber.org/zap"
)

type line struct {
	Exporter string           `json:"exporter"`
	Service  string           `json:"service"`
	Type     string           `json:"type"`
	Period   int64            `json:"period"`
	Time     uint64           `json:"time"`
	Comment  string           `json:"comment"`
	Sum      int64            `json:"sum"`
	Leaves   map[string]int64 `json:"leaves"` // the sum, by innermost function
	Deepest  int              `json:"deepest"`
}

var (
	lock sync.Mutex // all exporters write to one stream
	out  = json.NewEncoder(os.Stdout)
)

type printer struct {
	component.StartFunc
	component.ShutdownFunc
	name string
}

func (*printer) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func leaf(d pprofile.ProfilesDictionary, stack pprofile.Stack) string {
	if stack.LocationIndices().Len() == 0 {
		return ""
	}
	lines := d.LocationTable().At(int(stack.LocationIndices().At(0))).Lines()
	if lines.Len() == 0 {
		return ""
	}
	return d.StringTable().At(int(d.FunctionTable().At(int(lines.At(0).FunctionIndex())).NameStrindex()))
}

func comment(d pprofile.ProfilesDictionary, p pprofile.Profile) string {
	for _, i := range p.AttributeIndices().All() {
		a := d.AttributeTable().At(int(i))
		if d.StringTable().At(int(a.KeyStrindex())) == "pprof.profile.comment" {
			return a.Value().Slice().At(0).Str()
		}
	}
	return ""
}

func describe(d pprofile.ProfilesDictionary, p pprofile.Profile) line {
	l := line{Type: d.StringTable().At(int(p.SampleType().TypeStrindex())), Period: p.Period(), Time: uint64(p.Time()),
		Comment: comment(d, p), Leaves: map[string]int64{}}
	for _, s := range p.Samples().All() {
		stack := d.StackTable().At(int(s.StackIndex()))
		l.Deepest = max(l.Deepest, stack.LocationIndices().Len())
		for _, v := range s.Values().All() {
			l.Sum += v
			l.Leaves[leaf(d, stack)] += v
		}
	}
	return l
}

func (p *printer) ConsumeProfiles(_ context.Context, all pprofile.Profiles) error {
	lock.Lock()
	defer lock.Unlock()
	for _, rp := range all.ResourceProfiles().All() {
		service, _ := rp.Resource().Attributes().Get("service.name")
		for _, sp := range rp.ScopeProfiles().All() {
			for _, profile := range sp.Profiles().All() {
				l := describe(all.Dictionary(), profile)
				l.Exporter, l.Service = p.name, service.Str()
				if err := out.Encode(l); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func newPrinter(_ context.Context, s exporter.Settings, _ component.Config) (xexporter.Profiles, error) {
	return &printer{name: s.ID.Name()}, nil
}

func nothing() component.Config { return &struct{}{} }

// newLogger stands in for the usual telemetry: its exporters to everywhere would be a quarter of all that is compiled.
func newLogger(context.Context, telemetry.LoggerSettings, component.Config) (*zap.Logger, component.ShutdownFunc, error) {
	l, err := zap.NewProduction()
	return l, nil, err
}

func factories() (f otelcol.Factories, err error) {
	printers := xexporter.NewFactory(component.MustNewType("print"), nothing,
		xexporter.WithProfiles(newPrinter, component.StabilityLevelDevelopment))
	f.Telemetry = telemetry.NewFactory(nothing, telemetry.WithCreateLogger(newLogger))
	if f.Receivers, err = otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory()); err == nil {
		f.Exporters, err = otelcol.MakeFactoryMap[exporter.Factory](printers)
	}
	return f, err
}

func main() {
	settings := otelcol.CollectorSettings{
		BuildInfo: component.NewDefaultBuildInfo(),
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			DefaultScheme:     "file",
			ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory()}}},
	}
	if otelcol.NewCommand(settings).Execute() != nil {
		os.Exit(1)
	}
}
