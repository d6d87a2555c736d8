package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/secret"
)

const value = "hunter2-hunter2"

func TestTextIsNeverShown(t *testing.T) {
	t.Parallel()
	text := secret.Text(value)
	holder := struct {
		Name     string
		Password secret.Text
		Pointer  *secret.Text
		More     []secret.Text
		ByName   map[string]secret.Text
	}{"n", text, &text, []secret.Text{text}, map[string]secret.Text{"k": text}}

	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%5.2f", "%c", "%U", "%T", "%10s"} {
		shown["text with "+verb] = fmt.Errorf(verb, text).Error()
		shown["struct with "+verb] = fmt.Errorf(verb, holder).Error()
		shown["extra argument after "+verb] = fmt.Errorf(verb, 1, text).Error()
	}
	shown["Sprint"] = fmt.Sprint(text, holder)
	shown["concatenated error"] = errors.Join(fmt.Errorf("login with %v", text)).Error()

	encodedJSON, err := json.Marshal(map[string]any{"text": text, "struct": holder})
	if err != nil {
		t.Fatal(err)
	}
	shown["JSON"] = string(encodedJSON)
	encodedXML, err := xml.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	shown["XML"] = string(encodedXML)

	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("login", "password", text, "all", holder)
	}
	shown["log"] = log.String()

	var page bytes.Buffer
	if err := template.Must(template.New("").Parse("{{.}} {{.Password}} {{printf \"%d\" .Password}}")).Execute(&page, holder); err != nil {
		t.Fatal(err)
	}
	shown["template"] = page.String()

	for where, text := range shown {
		for _, leak := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value)} {
			if strings.Contains(text, leak) {
				t.Errorf("%s shows the secret: %s", where, text)
			}
		}
	}
	if got := text.Reveal(); got != value {
		t.Errorf("Reveal = %q, want %q", got, value)
	}
}

func TestTextDecodes(t *testing.T) {
	t.Parallel()
	var got struct{ Password secret.Text }
	if err := json.Unmarshal([]byte(`{"Password":"`+value+`"}`), &got); err != nil {
		t.Fatal(err)
	}
	if got.Password.Reveal() != value {
		t.Errorf("decoded %q, want %q", got.Password.Reveal(), value)
	}
}

func setOf(texts ...secret.Text) *secret.Set {
	s := &secret.Set{}
	for _, t := range texts {
		s.Add(t)
	}
	return s
}

func TestRedact(t *testing.T) {
	t.Parallel()
	const odd = `p"a/ss+w&ö<r>d `
	quoted, err := json.Marshal(odd)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		secrets  []secret.Text
		in, want string
	}{
		"plain":                      {[]secret.Text{value}, "a " + value + " b " + value, "a *** b ***"},
		"none":                       {[]secret.Text{value}, "nothing here", "nothing here"},
		"empty set":                  {nil, value, value},
		"too short":                  {[]secret.Text{"short12"}, "short12", "short12"},
		"just long enough":           {[]secret.Text{"12345678"}, "x12345678x", "x***x"},
		"longer one first":           {[]secret.Text{"password", "password-long"}, "password-long password", "*** ***"},
		"overlapping":                {[]secret.Text{"abcdefgh", "ghijklmn"}, "-abcdefghijklmn-", "-***-"},
		"overlapping itself":         {[]secret.Text{"abababab"}, "abababababX", "***X"},
		"one after the other":        {[]secret.Text{"abcdefgh", "ijklmnop"}, "abcdefghijklmnop", "***"},
		"inside another":             {[]secret.Text{"abcdefghijkl", "cdefghij"}, "abcdefghijkl", "***"},
		"in a query":                 {[]secret.Text{odd}, "?p=" + url.QueryEscape(odd), "?p=***"},
		"in a path":                  {[]secret.Text{odd}, "/" + url.PathEscape(odd) + "/", "/***/"},
		"in JSON":                    {[]secret.Text{odd}, `{"p":` + string(quoted) + `}`, `{"p":"***"}`},
		"in JSON without HTML":       {[]secret.Text{`a"b<c>d"`}, `{"p":"a\"b<c>d\""}`, `{"p":"***"}`},
		"a line of many":             {[]secret.Text{"first-line\r\n  second-line\n"}, "got second-line.", "got ***."},
		"many lines as one":          {[]secret.Text{"abcdefgh\n12\nabcdefgh"}, "abcdefgh\n12\nabcdefgh", "***"},
		"many lines in JSON":         {[]secret.Text{"abcdefgh\n12"}, `"abcdefgh\n12"`, `"***"`},
		"with space around it":       {[]secret.Text{" " + value + "\n"}, value, "***"},
		"text that looks like masks": {[]secret.Text{"********"}, "*********", "***"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setOf(c.secrets...)
			got, found := s.Redact([]byte(c.in))
			if string(got) != c.want || found != (c.want != c.in) {
				t.Errorf("Redact(%q) = %q, %t, want %q", c.in, got, found, c.want)
			}
			if got := s.RedactString(c.in); got != c.want {
				t.Errorf("RedactString(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

// TestRedactBase64 puts a secret at each offset of a longer text: base64 gives
// it other characters at each.
func TestRedactBase64(t *testing.T) {
	t.Parallel()
	const password = "\xff\xfehunter2?>~" // has + and / in base64
	s := setOf(password)
	for before := range 7 {
		for after := range 4 {
			text := strings.Repeat("u", before) + password + strings.Repeat("v", after)
			for name, encoding := range map[string]*base64.Encoding{
				"standard": base64.StdEncoding, "raw standard": base64.RawStdEncoding,
				"URL": base64.URLEncoding, "raw URL": base64.RawURLEncoding,
			} {
				got, found := s.Redact([]byte(encoding.EncodeToString([]byte(text))))
				if !found {
					t.Errorf("%s base64 of %q is not redacted: %s", name, text, got)
				}
				// What is left of the value are the bits it shares with its neighbours.
				rest := len(got) - len("***")
				if most := base64.StdEncoding.EncodedLen(before) + base64.StdEncoding.EncodedLen(after) + 4; rest > most {
					t.Errorf("%s base64 of %q leaves %d characters: %s", name, text, rest, got)
				}
			}
		}
	}
}

func TestRedactLeavesItsInputAlone(t *testing.T) {
	t.Parallel()
	in := []byte("a " + value + " b")
	before := bytes.Clone(in)
	setOf(value).Redact(in)
	if diff := cmp.Diff(before, in); diff != "" {
		t.Errorf("Redact changed its input (-want +got):\n%s", diff)
	}
	clean := []byte("nothing here")
	if got, _ := setOf(value).Redact(clean); &got[0] != &clean[0] {
		t.Error("Redact copied a text without secrets")
	}
}

func TestNilSetKnowsNothing(t *testing.T) {
	t.Parallel()
	var s *secret.Set
	s.Add(value)
	if got := s.RedactString(value); got != value {
		t.Errorf("RedactString = %q, want it unchanged", got)
	}
}

func TestSetIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s := setOf(value)
	done := make(chan bool)
	for i := range 8 {
		go func() {
			s.Add(secret.Text(fmt.Sprintf("secret-number-%d", i)))
			done <- s.RedactString("a "+value) == "a ***"
		}()
	}
	for range 8 {
		if !<-done {
			t.Error("a secret that was known was not redacted")
		}
	}
	if got := s.RedactString("secret-number-7"); got != "***" {
		t.Errorf("RedactString = %q, want what was added meanwhile masked", got)
	}
}
