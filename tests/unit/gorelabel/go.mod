module gorelabel

go 1.24

require (
	github.com/prometheus/common v0.72.1
	github.com/prometheus/prometheus v0.316.0
)
