module goencode

go 1.26.0

require (
	github.com/google/pprof v0.0.0-20240727154555-813a5fbdbec8
	go.opentelemetry.io/collector/pdata/pprofile v0.165.0
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
)
