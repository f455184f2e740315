package document

import (
	"slices"
	"testing"
)

func TestAdmitForm(t *testing.T) {
	form := Form{Origin: "https://a.test", Action: "https://a.test/page/", Style: "https://a.test/page/notice.css"}
	for policy, want := range map[string]string{
		"":                                        "",
		"script-src 'none'; img-src b.test":       "script-src 'none'; img-src b.test",
		"default-src 'self'":                      "default-src 'self'",
		"style-src *; form-action https:":         "style-src *; form-action https:",
		"FORM-ACTION 'none'":                      "form-action https://a.test/page/",
		"form-action https://b.test":              "form-action https://b.test https://a.test/page/",
		"form-action":                             "form-action https://a.test/page/",
		"default-src 'none'; form-action":         "default-src 'none'; form-action https://a.test/page/; style-src https://a.test/page/notice.css",
		"default-src b.test; style-src 'self'":    "default-src b.test; style-src 'self'",
		"style-src 'sha256-a' 'unsafe-hashes'":    "style-src 'sha256-a' 'unsafe-hashes' https://a.test/page/notice.css",
		"style-src 'none',form-action 'none'":     "style-src https://a.test/page/notice.css,form-action https://a.test/page/",
		"style-src 'none'; style-src-attr 'self'": "style-src https://a.test/page/notice.css; style-src-attr 'self'",
	} {
		lines := []string{"object-src 'none'", policy}
		got, ok := AdmitForm(lines, form)
		if !ok || !slices.Equal(got, []string{"object-src 'none'", want}) || lines[1] != policy {
			t.Errorf("%s: %q, %v, %q", policy, got, ok, lines)
		}
	}
	if got, ok := AdmitForm(nil, form); got != nil || !ok {
		t.Errorf("without any: %q, %v", got, ok)
	}
	if _, ok := AdmitForm([]string{"a, Sandbox allow-forms"}, form); ok {
		t.Error("a form in a sandbox")
	}
}
