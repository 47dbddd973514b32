// SPDX-License-Identifier: Apache-2.0

// A chart as `helm template NAME CHART --namespace NAMESPACE` prints it: gohelm CHART NAME NAMESPACE [values.yaml].
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

func render(path, name, namespace string, values map[string]interface{}) (map[string]string, error) {
	c, err := loader.Load(path)
	if err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{Name: name, Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, values, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(c, all)
}

func main() {
	values := map[string]interface{}{}
	if len(os.Args) > 4 {
		v, err := chartutil.ReadValuesFile(os.Args[4])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		values = v
	}
	files, err := render(os.Args[1], os.Args[2], os.Args[3], values)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if text := strings.TrimSpace(files[name]); text != "" {
			fmt.Printf("---\n%s\n", text)
		}
	}
}
