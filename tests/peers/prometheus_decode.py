# SPDX-License-Identifier: Apache-2.0
"""A page of Prometheus metrics on standard input, read by Prometheus' own Python client, as JSON: [[name, type, help, [[sample name, labels, value]]]]."""
import json
import sys

from prometheus_client.parser import text_string_to_metric_families

json.dump([[f.name, f.type, f.documentation, [[s.name, s.labels, repr(s.value)] for s in f.samples]]
           for f in text_string_to_metric_families(sys.stdin.buffer.read().decode())], sys.stdout)
