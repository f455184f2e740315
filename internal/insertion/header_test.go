package insertion

import (
	"net/http"
	"reflect"
	"testing"
)

func TestFormOf(t *testing.T) {
	html := func(more ...string) http.Header {
		header := http.Header{"Content-Type": {"text/html; charset=utf-8"}}
		for i := 0; i < len(more); i += 2 {
			header[more[i]] = []string{more[i+1]}
		}
		return header
	}
	for _, one := range []struct {
		status   int
		header   http.Header
		want     Form
		obstacle Obstacle
	}{
		{200, html(), Plain, ""},
		{404, html(), Plain, ""},
		{503, html("Content-Encoding", "gzip"), Gzip, ""},
		{200, html("Content-Encoding", " X-GZIP "), Gzip, ""},
		{200, html("Content-Encoding", "identity"), Plain, ""},
		{200, html("Content-Encoding", "br"), Closed, Encoding},
		{200, html("Content-Encoding", "gzip, gzip"), Closed, Encoding},
		{200, html("Content-Disposition", "inline"), Plain, ""},
		{200, html("Content-Disposition", "Attachment; filename=a.html"), Closed, ""},
		{200, html("Content-Disposition", "attachment"), Closed, ""},
		{200, html("Content-Type", "TEXT/HTML"), Plain, ""},
		{200, html("Content-Type", "text/html ;"), Plain, ""},
		{200, html("Content-Type", "text/html; charset: utf-8"), Plain, ""},
		{200, html("Content-Type", "text/html; charset=utf-8; charset=utf-8"), Plain, ""},
		{200, html("Content-Type", "text/html; title=\"é\""), Plain, ""},
		{200, html("Content-Type", "text/html; charset=UTF-16LE"), Closed, Charset},
		{200, html("Content-Type", "text/html; charset=utf-16; charset=utf-8"), Closed, Charset},
		{200, html("Content-Type", "text/html; charset=csUnicode"), Closed, Charset},
		{200, html("Content-Type", "text/html;charset=ISO-10646-UCS-2"), Closed, Charset},
		{200, html("Content-Type", `text/html; charset="utf\-16le"`), Closed, Charset},
		{200, html("Content-Type", `text/html; charset="\u\c\s\-2"`), Closed, Charset},
		{200, html("Content-Type", `text/html; charset="utf\-8"`), Plain, ""},
		{200, html("Content-Type", "text/htmlſ"), Closed, Type},
		{200, html("Content-Type", "text/html, text/html"), Closed, Type},
		{200, html("Content-Type", "text/html; a=b, text/html"), Closed, Type},
		{200, html("Content-Type", "text"), Closed, Type},
		{200, html("Content-Type", "text/javascript"), Closed, ""},
		{200, html("Content-Type", ""), Closed, Type},
		{200, html("Content-Type", "application/xhtml+xml"), Plain, ""},
		{200, html("Content-Type", "Application/XHTML+xml; charset=utf-8", "Content-Encoding", "gzip"), Gzip, ""},
		{200, html("Content-Type", "application/xhtml+xml; charset=utf-16"), Closed, Charset},
		{200, html("Content-Type", "application/xhtml"), Closed, XML},
		{200, html("Content-Type", "image/svg+xml"), Closed, XML},
		{200, html("Content-Type", "text/xml; charset=utf-16"), Closed, XML},
		{200, html("Content-Type", "text/xsl"), Closed, XML},
		{200, http.Header{"Content-Type": {"text/html", "text/plain"}}, Closed, Type},
		{200, http.Header{}, Closed, ""},
		{200, http.Header{"Content-Encoding": {"gzip"}}, Closed, Type},
		{101, html(), Closed, ""},
		{204, html(), Closed, ""},
		{205, html(), Closed, ""},
		{206, html(), Closed, ""},
		{300, html(), Plain, ""}, // which browsers show, as all that leads nowhere
		{302, html(), Plain, ""},
		{304, html(), Closed, ""},
	} {
		if got, obstacle := FormOf(one.status, one.header), ObstacleOf(one.status, one.header); got != one.want || obstacle != one.obstacle {
			t.Errorf("%d %v: %v %q, not %v %q", one.status, one.header, got, obstacle, one.want, one.obstacle)
		}
	}
}

func TestPrepareRequest(t *testing.T) {
	for _, one := range []struct{ got, want http.Header }{
		{http.Header{}, http.Header{"Accept-Encoding": {"identity"}}},
		{http.Header{"Accept-Encoding": {"br, GZIP;q=0.5"}}, http.Header{"Accept-Encoding": {"gzip"}}},
		{http.Header{"Accept-Encoding": {"br", "zstd,gzip;Q=0.000"}}, http.Header{"Accept-Encoding": {"identity"}}},
		{
			http.Header{"Accept-Encoding": {"gzip"}, "Range": {"bytes=0-"}, "If-Range": {`"a"`}, "If-Modified-Since": {"x"}, "If-None-Match": {`"a"`}, "Accept": {"*/*"}},
			http.Header{"Accept-Encoding": {"gzip"}, "Accept": {"*/*"}},
		},
	} {
		if PrepareRequest(one.got); !reflect.DeepEqual(one.got, one.want) {
			t.Errorf("%v, not %v", one.got, one.want)
		}
	}
}

func TestPrepareHeader(t *testing.T) {
	got := http.Header{"Content-Length": {"1"}, "Accept-Ranges": {"bytes"}, "Etag": {`"a"`}, "Last-Modified": {"x"}, "Content-Md5": {"x"}, "Digest": {"x"}, "Content-Digest": {"x"}, "Repr-Digest": {"x"}, "Content-Type": {"text/html"}}
	if PrepareHeader(got); !reflect.DeepEqual(got, http.Header{"Content-Type": {"text/html"}}) {
		t.Errorf("%v", got)
	}
}
