// Command controlplane is a whole Kubernetes control plane in one file: its first argument says which
// part to be. One link instead of five saves minutes and several hundred megabytes.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

// Each part takes the arguments that follow its name and returns the exit code.
var parts = map[string]func(arguments []string) int{
	"kube-apiserver":          apiServer,
	"kube-controller-manager": controllerManager,
	"kube-scheduler":          scheduler,
	"kwok":                    nodes,
	"pki":                     certificates,
}

func main() {
	if len(os.Args) > 1 {
		if part, known := parts[os.Args[1]]; known {
			name, arguments := os.Args[1], os.Args[2:]
			// The parts read the command line themselves, as if each were a program of its own.
			os.Args = append([]string{name}, arguments...)
			os.Exit(part(arguments))
		}
	}
	var names []string
	for name := range parts {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Fprintf(os.Stderr, "usage: controlplane %s [flags]\n", strings.Join(names, "|"))
	os.Exit(2)
}
