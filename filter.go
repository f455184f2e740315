package cookiecharter

import (
	"io"
	"net/http"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// maxNameAndValue is how long the name and the value of a cookie may be
// together, in bytes (RFC 6265bis, section 5.6).
const maxNameAndValue = 4096

// setCookieName returns the name under which every current browser stores the
// cookie of a Set-Cookie line. It is not ok if browsers differ, or refuse the
// line, or take more from it than a name (RFC 6265bis, section 5.6, narrowed to
// what Chromium, Firefox and Safari agree on). The name is returned in any
// case as far as there is one, for the log.
func setCookieName(line string) (name string, ok bool) {
	pair, _, _ := strings.Cut(line, ";")
	name, value, hasName := cutPair(pair)
	return name, hasName && isToken(name) && len(name)+len(value) <= maxNameAndValue && !hasControls(line)
}

// cutPair splits `name=value` as browsers do, at the first "=", and trims both.
// Without a "=" or a name it is not ok, and there is no name.
func cutPair(pair string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(pair, "=")
	name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
	if !ok || name == "" {
		return "", value, false
	}
	return name, value, true
}

// isToken tells whether name is a token (RFC 9110, section 5.6.2).
func isToken(name string) bool {
	for i := range len(name) {
		if !tokenBytes[name[i]] {
			return false
		}
	}
	return name != ""
}

var tokenBytes = func() (table [256]bool) {
	for _, char := range []byte("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		table[char] = true
	}
	return table
}()

// hasControls tells whether line has a control byte other than a tab.
func hasControls(line string) bool {
	for i := range len(line) {
		if char := line[i]; char < ' ' && char != '\t' || char == 0x7f {
			return true
		}
	}
	return false
}

// isSetCookie tells whether a key of a header map is written as Set-Cookie,
// be it as a header field or as a trailer. Handlers may have put it there in
// any case.
func isSetCookie(key string) bool {
	key = strings.TrimPrefix(key, http.TrailerPrefix)
	return len(key) == len("Set-Cookie") && strings.EqualFold(key, "Set-Cookie")
}

// A filter applies the charter to one answer's headers, as the last hand on
// them before they leave: whatever the handlers below call first (WriteHeader,
// Write, ReadFrom, Flush), the Set-Cookie lines are judged before it.
type filter struct {
	caddyhttp.ResponseWriterWrapper
	handler *Handler
	visitor preference
	sent    bool // the final header is on its way
}

// withhold drops from the header map every Set-Cookie line that is not allowed.
// Lines that are kept are kept as they came, and so is the slice that holds
// them: other answers may share it.
func (f *filter) withhold() {
	header := f.Header()
	for key, lines := range header {
		if !isSetCookie(key) {
			continue
		}
		kept := lines
		for i, line := range lines {
			if f.judge(line) == allowed {
				if len(kept) < len(lines) {
					kept = append(kept, line)
				}
				continue
			}
			if len(kept) == len(lines) {
				kept = append(make([]string, 0, len(lines)-1), lines[:i]...)
			}
		}
		switch len(kept) {
		case 0:
			delete(header, key)
		case len(lines):
		default:
			header[key] = kept
		}
	}
}

// judge returns the verdict of one Set-Cookie line, and reports it.
func (f *filter) judge(line string) verdict {
	name, ok := setCookieName(line)
	judged := undeclared
	if ok {
		judged = f.handler.charter.verdict(name, &f.visitor)
	}
	if judged != allowed {
		f.handler.withheld[judged].Inc()
	}
	if judged != allowed || !f.sent { // what was kept is seen once more after it was sent
		if c := f.handler.logger.Check(zapcore.DebugLevel, "judged Set-Cookie"); c != nil {
			c.Write(zap.String("cookie", name), zap.String("verdict", string(judged)))
		}
	}
	return judged
}

// WriteHeader filters informational answers (1xx) as well as the final one.
func (f *filter) WriteHeader(status int) {
	f.withhold()
	if status < 100 || status > 199 || status == http.StatusSwitchingProtocols {
		f.sent = true
	}
	f.ResponseWriterWrapper.WriteHeader(status)
}

// Write filters if the handler has not called WriteHeader.
func (f *filter) Write(body []byte) (int, error) {
	if !f.sent {
		f.withhold()
		f.sent = true
	}
	return f.ResponseWriterWrapper.Write(body)
}

// ReadFrom is Write for a whole reader; it keeps sendfile possible.
func (f *filter) ReadFrom(body io.Reader) (int64, error) {
	if !f.sent {
		f.withhold()
		f.sent = true
	}
	return f.ResponseWriterWrapper.ReadFrom(body)
}

// FlushError filters before a flush sends the header. Whether it did is not
// known: the writer below may be unable to flush.
func (f *filter) FlushError() error {
	if !f.sent {
		f.withhold()
	}
	return http.NewResponseController(f.ResponseWriter).Flush()
}

// Interface guards
var (
	_ http.ResponseWriter = (*filter)(nil)
	_ io.ReaderFrom       = (*filter)(nil)
)
