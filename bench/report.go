package main

import (
	"fmt"
	"html"
	"os"
	"slices"
	"strings"
	"time"
)

// write writes the results into the documentation.
func write(results []result, inProcess []*benchmarked, footprints []footprint, missing []string, rounds int) error {
	var text strings.Builder
	fmt.Fprintf(&text, "# What it costs\n\nMade by `go run ./bench` (see the head of [`bench/main.go`](../bench/main.go)) on %s: %s. %d rounds of one second each, 15 of what has no narrow goal.\n", time.Now().Format(time.DateOnly), machine(), rounds)
	text.WriteString("\nThe figure that counts is CPU time per request over the same of the plain server, within a round: median, and quartiles. Plain Caddy stands against itself in the same rounds: what lies within that is noise. The Caddys of one heading are sites of one process, but for those with 10,000 rows, which have a process of their own: its heap is larger, so that Go's collector runs less often there, for the plain site as well. How much of a ratio is the price of any handler, `header -X-Nothing` shows: it wraps the answer and does nothing.\n\n![](benchmark.svg)\n")
	writeGoals(&text, results)
	scenarioName := ""
	for _, measured := range results {
		if measured.scenario != scenarioName {
			scenarioName = measured.scenario
			fmt.Fprintf(&text, "\n## %s\n\n| server | `Set-Cookie` lines | CPU per request | over plain | quartiles | p99 | requests per second |\n|---|---|---|---|---|---|---|\n", scenarioName)
		}
		p99 := "–"
		if measured.p99 > 0 {
			p99 = fmt.Sprintf("%.2f ms", measured.p99)
		}
		fmt.Fprintf(&text, "| %s | %d | %.1f µs | %.3f | %.3f to %.3f | %s | %.0f |\n", measured.server, measured.lines, measured.cpu, measured.ratio[1], measured.ratio[0], measured.ratio[2], p99, measured.requests)
	}
	if len(missing) > 0 {
		fmt.Fprintf(&text, "\nNot installed, so not measured: %s.\n", strings.Join(missing, ", "))
	}

	fmt.Fprintf(&text, "\n## In process\n\nWhat end to end is under the noise, Go's benchmarks settle (`go test -run '^$' -bench .`): medians of %d rounds.\n\n| benchmark | time | allocations |\n|---|---|---|\n", inProcessRounds)
	for _, measured := range inProcess {
		fmt.Fprintf(&text, "| %s | %.0f ns | %.0f |\n", measured.name, median(slices.Sorted(slices.Values(measured.ns))), measured.allocations)
	}
	text.WriteString("\nWhat the whole handler adds to a request, within a round, over the CPU time that plain Caddy takes for it:\n\n| load | added | allocations | plain Caddy | share |\n|---|---|---|---|---|\n")
	find := func(name string) int {
		return slices.IndexFunc(inProcess, func(measured *benchmarked) bool { return measured.name == name })
	}
	for _, what := range scenarios {
		for _, measured := range results {
			without, with := find("Handler/cookies="+what.benchmark+"/plain"), find("Handler/cookies="+what.benchmark+"/rows=5")
			if without >= 0 && with >= 0 && measured.scenario == what.name && measured.server == plain {
				added := inProcess[with].more(inProcess[without])
				fmt.Fprintf(&text, "| %s | %.0f ns | %.0f | %.1f µs | %.1f %% |\n", what.name, added, inProcess[with].allocations-inProcess[without].allocations, measured.cpu, added/10/measured.cpu)
			}
		}
	}
	fmt.Fprintf(&text, "\n## Memory\n\nHeap and stacks in use for each of %d idle connections, each after one request:\n\n| server | bytes |\n|---|---|\n", connections)
	for _, measured := range footprints {
		fmt.Fprintf(&text, "| %s | %.0f |\n", measured.server, measured.bytes)
	}
	if err := os.WriteFile("docs/benchmark.md", []byte(text.String()), 0o644); err != nil { //nolint:gosec // for everybody to read
		return err
	}
	return os.WriteFile("docs/benchmark.svg", []byte(plot(results)), 0o644) //nolint:gosec // as above
}

// writeGoals writes what was to be reached, and whether it is.
func writeGoals(text *strings.Builder, results []result) {
	text.WriteString("\n## Goals\n\n| load | over plain, at most | measured | quartiles | plain, once more | reached |\n|---|---|---|---|---|---|\n")
	for _, what := range scenarios {
		if what.goal == 0 {
			continue
		}
		find := func(server string) *result {
			i := slices.IndexFunc(results, func(measured result) bool { return measured.scenario == what.name && measured.server == server })
			if i < 0 {
				return nil
			}
			return &results[i]
		}
		last := what.servers[len(what.servers)-1]
		measured, again := find(last), "–"
		if same := find(plainOf(last) + ", once more"); same != nil {
			again = fmt.Sprintf("%.3f", same.ratio[1])
		}
		if measured != nil {
			reached := map[bool]string{true: "yes", false: "no"}[measured.ratio[1] <= what.goal]
			fmt.Fprintf(text, "| %s | %.2f | %.3f | %.3f to %.3f | %s | %s |\n", what.name, what.goal, measured.ratio[1], measured.ratio[0], measured.ratio[2], again, reached)
		}
	}
}

// plot draws the ratios as points with their quartiles.
func plot(results []result) string {
	const left, width, rowHeight, longest = 430, 420, 22, 2.5
	x := func(ratio float64) float64 { return left + (min(ratio, longest)-0.5)/(longest-0.5)*width }
	var rows strings.Builder
	y, scenarioName := 30, ""
	for _, measured := range results {
		if measured.scenario == "the charter page" || measured.server == plainOf(measured.server) {
			continue
		}
		if measured.scenario != scenarioName {
			scenarioName = measured.scenario
			y += 12
			fmt.Fprintf(&rows, "<text x=\"10\" y=\"%d\" font-weight=\"bold\">%s</text>\n", y, html.EscapeString(scenarioName))
			y += rowHeight
		}
		colour := "#5a5a78"
		if measured.server == module || strings.HasSuffix(measured.server, "cookie_charter") || strings.HasSuffix(measured.server, "hosts and guard") || measured.server == oneRow {
			colour = "#1a4d8f"
		}
		fmt.Fprintf(&rows, "<text x=\"30\" y=\"%d\">%s</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.3f</text>\n", y, html.EscapeString(measured.server), left-15, y, measured.ratio[1])
		fmt.Fprintf(&rows, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"%s\" stroke-width=\"3\"/><circle cx=\"%.1f\" cy=\"%d\" r=\"5\" fill=\"%s\"/>\n", x(measured.ratio[0]), x(measured.ratio[2]), y-4, y-4, colour, x(measured.ratio[1]), y-4, colour)
		y += rowHeight
	}
	var grid strings.Builder
	for ratio := 0.5; ratio <= longest; ratio += 0.5 {
		fmt.Fprintf(&grid, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"24\" y2=\"%d\" stroke=\"%s\"/><text x=\"%.1f\" y=\"18\" text-anchor=\"middle\">%.1f</text>\n", x(ratio), x(ratio), y, map[bool]string{true: "#1b1b35", false: "#d5d5e2"}[ratio == 1], x(ratio), ratio)
	}
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 880 %d\" font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#1b1b35\">\n<title>CPU time per request over the plain server's</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n%s%s</svg>\n", y+10, grid.String(), rows.String())
}
