// Command bench measures what the module costs, as ratios to the same Caddy
// without it, and writes docs/benchmark.md and docs/benchmark.svg. It runs on
// Linux, from the root of the repository:
//
//	apt-get install curl nginx-light libnginx-mod-http-lua wrk nghttp2-client haproxy varnish varnish-modules
//	go run ./bench
//
// The servers run side by side and are loaded in turns, a second each: plain
// Caddy, the same once more, Caddy with the module, and so on, round after round.
// Of each turn, the processes' own CPU time per request counts. Ratios are taken
// within a round, so that what changes slowly on the machine does not matter; how
// far two identical servers are apart is printed beside, and tells what of the
// rest is noise. Two processes of one program differ, too, by where its memory
// happens to lie, so the Caddys that are compared are sites of one process. All
// traffic stays on the loopback interface.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cookie-charter/cookie_charter/internal/ascii"
)

// A server is one of those that are compared.
type server struct {
	name    string
	address string // of the site
	*process
}

// A process serves one or several of them.
type process struct {
	command []string
	admin   string // Caddy's admin endpoint
	running *exec.Cmd
}

// A scenario is one kind of load.
type scenario struct {
	name, path string
	cookies    string
	header     []string // fields that are sent besides
	encrypted  bool     // HTTP/2 over TLS, loaded by h2load
	benchmark  string   // the same in process: what BenchmarkHandler calls it
	goal       float64  // of the last of the servers: at most that of plain
	rounds     int      // if fewer than otherwise do
	servers    []string
}

// A measure is one server's turn.
type measure struct {
	cpu      float64 // microseconds per request
	requests float64 // per second
	p99      float64 // milliseconds
}

// A result is what the rounds of a scenario say of one server, beside the first.
type result struct {
	scenario, server string
	cpu              float64    // microseconds per request, the median
	ratio            [3]float64 // of CPU time to plain: lower quartile, median, upper quartile
	p99              float64    // milliseconds, the median
	requests         float64    // per second, the median
	lines            int        // Set-Cookie lines in an answer
}

var errorLog = log.New(os.Stderr, "", 0)

func main() {
	rounds := flag.Int("rounds", 40, "of each scenario, at most")
	only := flag.String("only", "", "a regular expression of the scenarios to run, or memory; nothing is written then")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *rounds, *only); err != nil {
		errorLog.Fatal(err)
	}
}

func run(ctx context.Context, rounds int, only string) (err error) {
	for _, tool := range []string{"nginx", "wrk", "h2load", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w; see the head of bench/main.go for what to install", err)
		}
	}
	chosen, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "cookie_charter-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := os.Chmod(folder, 0o755); err != nil { //nolint:gosec // Varnish and nginx work as other users
		return err
	}
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(folder, "caddy"), "./cmd/caddy").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	servers, missing, err := configure(folder)
	if err != nil {
		return err
	}
	for _, server := range servers {
		if server.running == nil {
			if err := server.start(ctx); err != nil {
				return err
			}
			defer server.stop()
		}
		if err := server.wait(); err != nil {
			return err
		}
	}
	var results []result
	for _, scenario := range scenarios {
		if !chosen.MatchString(scenario.name) {
			continue
		}
		measured, err := measureScenario(ctx, scenario, servers, min(rounds, cmp.Or(scenario.rounds, rounds)))
		if err != nil {
			return err
		}
		results = append(results, measured...)
	}
	var footprints []footprint
	if chosen.MatchString("memory") {
		if footprints, err = measureMemory(ctx, servers); err != nil {
			return err
		}
	}
	if only != "" {
		return nil
	}
	inProcess, err := measureInProcess(ctx, folder)
	if err != nil {
		return err
	}
	return write(results, inProcess, footprints, missing, rounds)
}

func (p *process) start(ctx context.Context) error {
	p.running = exec.CommandContext(ctx, p.command[0], p.command[1:]...) //nolint:gosec // our own commands
	p.running.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}          // so that its children can be found
	p.running.Stderr = new(strings.Builder)
	return p.running.Start()
}

// wait waits until a server listens.
func (s *server) wait() error {
	host := regexp.MustCompile(`//([^/]+)`).FindStringSubmatch(s.address)[1]
	for range 300 {
		if connection, err := net.DialTimeout("tcp", host, time.Second); err == nil {
			return connection.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%s does not listen: %s", s.name, s.running.Stderr)
}

func (p *process) stop() {
	_ = syscall.Kill(-p.running.Process.Pid, syscall.SIGTERM)
	late := time.AfterFunc(5*time.Second, func() { _ = syscall.Kill(-p.running.Process.Pid, syscall.SIGKILL) })
	defer late.Stop()
	_ = p.running.Wait()
}

// cpu returns the CPU time that a process and its children have used, in
// nanoseconds.
func (p *process) cpu() (total float64) {
	processes, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range processes {
		content, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended
		}
		_, fields, _ := strings.Cut(string(content), ") ")
		if group := strings.Fields(fields)[2]; group != strconv.Itoa(p.running.Process.Pid) {
			continue
		}
		threads, _ := filepath.Glob(filepath.Dir(stat) + "/task/*/schedstat")
		for _, thread := range threads {
			if content, err := os.ReadFile(thread); err == nil {
				ran, _ := strconv.ParseFloat(strings.Fields(string(content))[0], 64)
				total += ran
			}
		}
	}
	return total
}

// lines returns how many Set-Cookie lines are in an answer.
func (s *server) lines(ctx context.Context, what scenario) (int, error) {
	command := slices.Concat([]string{"-sk", "-o", "/dev/null", "-D", "-", s.address + what.path}, what.fields())
	out, err := exec.CommandContext(ctx, "curl", command...).Output() //nolint:gosec // our own commands
	return strings.Count(ascii.ToLower(string(out)), "\nset-cookie:"), err
}

// fields returns the header fields of a request, as the tools that make it take them.
func (s scenario) fields() (arguments []string) {
	for _, field := range s.header {
		arguments = append(arguments, "-H", field)
	}
	if s.cookies != "" {
		arguments = append(arguments, "-H", "Cookie: "+s.cookies)
	}
	return arguments
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in ([\d.]+)(ms|s)`)
	wrkLatency  = regexp.MustCompile(`99%\s+([\d.]+)(us|ms|s)`)
	wrkFailures = regexp.MustCompile(`(?m)(Socket errors|Non-2xx).*$`)
	h2Requests  = regexp.MustCompile(`requests: (\d+) total.* (\d+) succeeded, (\d+) failed`)
	h2Rate      = regexp.MustCompile(`finished in .*, ([\d.]+) req/s`)
)

// load gives a server its turn.
func (s *server) load(ctx context.Context, what scenario) (measure, error) {
	command := []string{"wrk", "--latency", "-t1", "-c8", "-d1s"}
	if what.encrypted {
		command = []string{"h2load", "-t1", "-c4", "-m2", "-D1"}
	}
	command = append(slices.Concat(command, what.fields()), s.address+what.path)
	before := s.cpu()
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput() //nolint:gosec // our own commands
	used := s.cpu() - before
	if err != nil {
		return measure{}, fmt.Errorf("%s: %w\n%s", s.name, err, out)
	}
	text := string(out)
	if what.encrypted {
		counts, rate := h2Requests.FindStringSubmatch(text), h2Rate.FindStringSubmatch(text)
		if counts == nil || rate == nil || counts[3] != "0" || counts[2] == "0" {
			return measure{}, fmt.Errorf("%s: %s", s.name, text)
		}
		return measure{cpu: used / 1000 / number(counts[2]), requests: number(rate[1])}, nil
	}
	counts, latency := wrkRequests.FindStringSubmatch(text), wrkLatency.FindStringSubmatch(text)
	if counts == nil || latency == nil || wrkFailures.MatchString(text) {
		return measure{}, fmt.Errorf("%s: %s", s.name, text)
	}
	unit := map[string]float64{"us": 0.001, "ms": 1, "s": 1000}
	return measure{used / 1000 / number(counts[1]), number(counts[1]) / number(counts[2]) / unit[counts[3]] * 1000, number(latency[1]) * unit[latency[2]]}, nil
}

func number(text string) float64 {
	parsed, _ := strconv.ParseFloat(text, 64)
	return parsed
}

// measureScenario runs a scenario's rounds.
func measureScenario(ctx context.Context, what scenario, all []*server, rounds int) ([]result, error) {
	var servers []*server
	for _, name := range what.servers {
		if i := slices.IndexFunc(all, func(s *server) bool { return s.name == name }); i >= 0 {
			servers = append(servers, all[i])
		}
	}
	measures := make([][]measure, len(servers))
	for round := -1; round < rounds; round++ { // the first warms up
		for turn := range servers {
			i := (turn + max(round, 0)) % len(servers) // nobody always follows the same
			measured, err := servers[i].load(ctx, what)
			if err != nil {
				return nil, err
			}
			if round >= 0 {
				measures[i] = append(measures[i], measured)
			}
		}
	}
	var results []result
	for i, loaded := range servers {
		base := measures[slices.IndexFunc(servers, func(s *server) bool { return s.name == plainOf(loaded.name) })]
		column := func(value func(round int) float64) []float64 {
			values := make([]float64, rounds)
			for round := range values {
				values[round] = value(round)
			}
			slices.Sort(values)
			return values
		}
		ratios := column(func(round int) float64 { return measures[i][round].cpu / base[round].cpu })
		lines, err := loaded.lines(ctx, what)
		if err != nil {
			return nil, err
		}
		measured := result{
			lines: lines, scenario: what.name, server: loaded.name,
			cpu:      median(column(func(round int) float64 { return measures[i][round].cpu })),
			ratio:    [3]float64{ratios[len(ratios)/4], median(ratios), ratios[len(ratios)*3/4]},
			p99:      median(column(func(round int) float64 { return measures[i][round].p99 })),
			requests: median(column(func(round int) float64 { return measures[i][round].requests })),
		}
		fmt.Printf("%-34s %-28s %2d lines %8.1f us/request  %.3f (%.3f to %.3f)  p99 %.2f ms  %.0f/s\n", what.name, loaded.name, measured.lines, measured.cpu, measured.ratio[1], measured.ratio[0], measured.ratio[2], measured.p99, measured.requests)
		results = append(results, measured)
	}
	return results, nil
}

// plainOf returns the server with which another is compared: the same product
// without its filter.
func plainOf(name string) string {
	product, _, _ := strings.Cut(name, ":")
	return product + ": plain"
}

func median(sorted []float64) float64 {
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

var benchmarkLine = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op\s+\d+ B/op\s+(\d+) allocs/op`)

// inProcessRounds is how often all of Go's benchmarks run, one after the other.
const inProcessRounds = 7

// A benchmarked is what a Go benchmark says.
type benchmarked struct {
	name        string
	ns          []float64 // by round
	allocations float64
}

// measureInProcess runs the Go benchmarks.
func measureInProcess(ctx context.Context, folder string) (measured []*benchmarked, err error) {
	binary := filepath.Join(folder, "benchmarks")
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, ".").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	for range inProcessRounds {
		out, err := exec.CommandContext(ctx, binary, "-test.run", "^$", "-test.bench", "Verdict|SetCookie|Cookie$|Preference|Handler", "-test.benchtime", "0.3s").Output()
		if err != nil {
			return nil, fmt.Errorf("%w\n%s", err, out)
		}
		for _, line := range benchmarkLine.FindAllStringSubmatch(string(out), -1) {
			i := slices.IndexFunc(measured, func(m *benchmarked) bool { return m.name == line[1] })
			if i < 0 {
				i = len(measured)
				measured = append(measured, &benchmarked{name: line[1], allocations: number(line[3])})
			}
			measured[i].ns = append(measured[i].ns, number(line[2]))
		}
	}
	for _, m := range measured {
		if len(m.ns) != inProcessRounds {
			return nil, fmt.Errorf("the benchmark %s has %d results", m.name, len(m.ns))
		}
		fmt.Printf("%-46s %10.1f ns %4.0f allocations\n", m.name, median(slices.Sorted(slices.Values(m.ns))), m.allocations)
	}
	return measured, nil
}

// more returns how many nanoseconds one benchmark takes more than another, within
// a round, in the median.
func (m *benchmarked) more(than *benchmarked) float64 {
	differences := make([]float64, inProcessRounds)
	for round := range differences {
		differences[round] = m.ns[round] - than.ns[round]
	}
	slices.Sort(differences)
	return median(differences)
}

// connections is how many are held open to measure memory.
const connections = 4000

var memoryInUse = regexp.MustCompile(`# (HeapAlloc|StackInuse) = (\d+)`)

// A footprint is how many bytes a server holds for an idle connection.
type footprint struct {
	server string
	bytes  float64
}

// measureMemory returns what Caddy holds for idle connections: the heap and the
// stacks in use, before and after there are many. The first connections only warm
// it up.
func measureMemory(ctx context.Context, servers []*server) (measured []footprint, err error) {
	for _, s := range servers {
		if !strings.HasPrefix(s.name, alone) {
			continue
		}
		for _, counts := range []bool{false, true} {
			before, err := s.memory(ctx)
			if err != nil {
				return nil, err
			}
			open, err := s.connect()
			if err != nil {
				return nil, err
			}
			time.Sleep(time.Second)
			after, err := s.memory(ctx)
			if err != nil {
				return nil, err
			}
			for _, connection := range open {
				if err := connection.Close(); err != nil {
					return nil, err
				}
			}
			time.Sleep(time.Second)
			if counts {
				measured = append(measured, footprint{s.name, (after - before) / connections})
				fmt.Printf("%-34s %8.0f bytes a connection\n", s.name, (after-before)/connections)
			}
		}
	}
	return measured, nil
}

// memory returns how many bytes of heap and stacks are in use.
func (p *process) memory(ctx context.Context) (total float64, err error) {
	var out []byte
	for range 2 { // of what is pooled, one collection leaves a part
		if out, err = exec.CommandContext(ctx, "curl", "-s", "http://"+p.admin+"/debug/pprof/heap?gc=1&debug=1").Output(); err != nil { //nolint:gosec // our own
			return 0, err
		}
	}
	for _, found := range memoryInUse.FindAllStringSubmatch(string(out), -1) {
		total += number(found[2])
	}
	return total, nil
}

// connect opens connections, on each of which a request is answered.
func (s *server) connect() (open []net.Conn, err error) {
	host := strings.TrimPrefix(s.address, "http://")
	for range connections {
		connection, err := net.Dial("tcp", host)
		if err != nil {
			return nil, err
		}
		open = append(open, connection)
		if _, err := fmt.Fprintf(connection, "GET /five HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n\r\n", host, fiveCookies); err != nil {
			return nil, err
		}
		if _, err := connection.Read(make([]byte, 64<<10)); err != nil {
			return nil, err
		}
	}
	return open, nil
}

// machine tells what the figures were measured on.
func machine() string {
	first := func(pattern, path string) string {
		content, _ := os.ReadFile(path)
		if found := regexp.MustCompile(pattern).FindStringSubmatch(string(content)); found != nil {
			return strings.TrimSpace(found[1])
		}
		return "?"
	}
	version := func(command ...string) string {
		out, _ := exec.Command(command[0], command[1:]...).CombinedOutput() //nolint:gosec,noctx // our own commands
		return cmp.Or(regexp.MustCompile(`\d+\.\d+(\.\d+)?(-\d+)?`).FindString(string(out)), "?")
	}
	cores, _ := filepath.Glob("/sys/devices/system/cpu/cpu[0-9]*")
	return fmt.Sprintf("%s, %d cores, Linux %s; Caddy %s, Go %s, nginx %s, HAProxy %s, Varnish %s, wrk %s, h2load %s",
		first(`model name\s*: (.*)`, "/proc/cpuinfo"), len(cores), first(`^(\S+)`, "/proc/sys/kernel/osrelease"),
		version("go", "list", "-m", "github.com/caddyserver/caddy/v2"), version("go", "version"), version("nginx", "-v"), version("haproxy", "-v"), version("varnishd", "-V"), version("wrk", "-v"), version("h2load", "--version"))
}
