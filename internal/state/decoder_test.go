package state_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/state"
)

// TestDecodeOddRecords reads what other versions, and other programs, may have
// written just as encoding/json does, which older versions use.
func TestDecodeOddRecords(t *testing.T) {
	t.Parallel()
	for name, members := range map[string]string{
		"nothing else":            `"app":"web"`,
		"spaces":                  ` "app" : "web" , "config" : { "a" : [ 1 , 2 ] } `,
		"null":                    `"app":null,"sequence":null,"labels":null,"origin":null,"started":null,"ended":null`,
		"a null that is kept":     `"config":null,"result":null`,
		"null in the origin":      `"origin":{"run":null,"ref":null}`,
		"another case":            `"App":"web","ORIGIN":{"Run":7}`,
		"a name twice":            `"app":"web","app":"api"`,
		"a name twice within":     `"config":{"a":1,"a":2},"labels":{"a":"1","a":"2"}`,
		"not UTF-8":               "\"message\":\"\xff\",\"config\":\"\xff\"",
		"half a surrogate":        `"message":"\ud800","config":"\ud800"`,
		"escapes":                 `"message":"\u003c\/\ud83d\ude00\n","\u0061pp":"web"`,
		"an unknown field":        `"later":{"a":[1]}`,
		"one within":              `"origin":{"run":7,"later":[1]}`,
		"its own field":           `"Unknown":"x"`,
		"an offset":               `"started":"2026-01-02T03:04:05.123456789+01:30"`,
		"a large number":          `"config":12345678901234567890.10,"origin":{"run":9007199254740993}`,
		"a number with a point":   `"sequence":1.0`,
		"a number with exponent":  `"sequence":1e2`,
		"a number too large":      `"sequence":9223372036854775808`,
		"a number as text":        `"sequence":"1"`,
		"text as a number":        `"app":1`,
		"a time without a zone":   `"started":"2026-01-02T03:04:05"`,
		"a time with a comma":     `"started":"2026-01-02T03:04:05,5Z"`,
		"a time with short hours": `"started":"2026-01-02T3:04:05Z"`,
		"something behind":        `"app":"web"} {`,
		"no end":                  `"app":`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := `{"schema":1,"id":"A","status":"running",` + members + `}`
			var want state.Record
			wrong := json.Unmarshal([]byte(line), &want)
			_, got, err := state.Decode(bytes.NewReader(zip(t, `{"deploy-action":"state","schema":1}`+"\n"+line+"\n")))
			if wrong != nil {
				if !errors.Is(err, state.ErrDamaged) {
					t.Errorf("Decode = %v, %v; want that it is damaged: %v", got, err, wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]state.Record{want}, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}
