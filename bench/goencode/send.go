// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	gzipped "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/encoding/protowire"
)

// One connection for each of the requests that are under way at a time, as libcurl has them.
var client = http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}

func post(url, kind, coding string, body []byte) {
	r := must(http.NewRequest("POST", url, bytes.NewReader(body)))
	r.Header.Set("Content-Type", kind)
	if coding != "" {
		r.Header.Set("Content-Encoding", coding)
	}
	answer := must(client.Do(r))
	said := must(io.ReadAll(answer.Body))
	answer.Body.Close()
	if answer.StatusCode != 200 {
		log.Fatal(answer.Status, string(said))
	}
}

func field(to []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), value)
}

// push.v1.PushRequest: see exporter/pyroscope.h.
func request(s service) []byte {
	var pprof bytes.Buffer
	if err := s.p.Write(&pprof); err != nil {
		log.Fatal(err)
	}
	var series []byte
	for _, l := range [][2]string{{"__name__", "process_cpu"}, {"instance", "bench"}, {"service_name", s.name}} {
		series = field(series, 1, field(field(nil, 1, []byte(l[0])), 2, []byte(l[1])))
	}
	sample := field(field(nil, 1, pprof.Bytes()), 2, []byte("0bd64d46-9a2c-4d2f-8f6e-5a3c1b2d4e6f"))
	return field(nil, 1, field(series, 2, sample))
}

// While one is on its way the next one is encoded.
func push(url string, services []service) (sent int64) {
	var all sync.WaitGroup
	for _, s := range services {
		body := request(s)
		sent += int64(len(body))
		all.Add(1)
		go func() {
			defer all.Done()
			post(url+"/push.v1.PusherService/Push", "application/proto", "", body)
		}()
	}
	all.Wait()
	return sent
}

func compress(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	must(w.Write(b))
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	return out.Bytes()
}

// Counts what messages are on the wire.
type payload struct{ n int64 }

func (*payload) TagRPC(c context.Context, _ *stats.RPCTagInfo) context.Context   { return c }
func (*payload) TagConn(c context.Context, _ *stats.ConnTagInfo) context.Context { return c }
func (*payload) HandleConn(context.Context, stats.ConnStats)                     {}
func (p *payload) HandleRPC(_ context.Context, s stats.RPCStats) {
	if out, ok := s.(*stats.OutPayload); ok {
		p.n += int64(out.WireLength)
	}
}

// Receivers as for bench_send.c. Of OTLP the request is ours, in OpenTelemetry's own structs: it is marshalled, not put together.
func send(services []service) {
	if url := os.Getenv("HOTSPAN_BENCH_PYROSCOPE"); url != "" {
		measure("send_pyroscope_go", services, func() int64 { return push(url, services) })
	}
	file, url, target := os.Getenv("HOTSPAN_BENCH_OTLP_FILE"), os.Getenv("HOTSPAN_BENCH_OTLP_HTTP"), os.Getenv("HOTSPAN_BENCH_OTLP_GRPC")
	if file == "" || url == "" || target == "" {
		return
	}
	all := pprofileotlp.NewExportRequest()
	if err := all.UnmarshalProto(must(os.ReadFile(file))); err != nil {
		log.Fatal(err)
	}
	measure("send_otlp_http_gzip_go", services, func() int64 {
		body := compress(must(all.MarshalProto()))
		post(url+"/v1development/profiles", "application/x-protobuf", "gzip", body)
		return int64(len(body))
	})
	var wire payload
	conn := must(grpc.NewClient(strings.TrimPrefix(target, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStatsHandler(&wire), grpc.WithDefaultCallOptions(grpc.UseCompressor(gzipped.Name))))
	exporter := pprofileotlp.NewGRPCClient(conn)
	measure("send_otlp_grpc_gzip_go", services, func() int64 {
		wire.n = 0
		must(exporter.Export(context.Background(), all))
		return wire.n
	})
}
