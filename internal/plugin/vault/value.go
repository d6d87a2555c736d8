package vault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// The parameters of a key.
const (
	pathParam = "path"
	keyParam  = "key"
)

// checkParams says what is wrong with the parameters of a key.
func checkParams(key component.Key) error {
	params := []string{keyParam, pathParam}
	for _, name := range slices.Sorted(maps.Keys(key.Params)) {
		if !slices.Contains(params, name) {
			return &diag.Problem{
				Summary: "Unknown parameter of a Vault value",
				Detail: fmt.Sprintf("The variable %q asks with %q. The source \"vault\" knows %q and %q.%s",
					key.Var, name, pathParam, keyParam, diag.Suggest(name, params)),
			}
		}
	}
	for _, name := range []string{pathParam, keyParam} {
		if strings.Trim(key.Params[name], "/") == "" {
			return &diag.Problem{
				Summary: "Missing parameter of a Vault value",
				Detail: fmt.Sprintf("The variable %q has no %q. A value is asked for as in dynamic(\"vault\", { path = \"secret/web\", key = \"password\" }).",
					key.Var, name),
			}
		}
	}
	return nil
}

// pathOf returns the path that a key asks for.
func pathOf(key component.Key) string { return strings.Trim(key.Params[pathParam], "/") }

// answer is what Vault has at a path.
type answer struct {
	path string         // that was read, as the API has it
	data map[string]any // as the API returns it; it holds secrets

	versioned bool // data is that of the key/value engine 2, with the secret inside
	inserted  bool // "data/" was put into the path, so that a key is one of the secret

	lease     string // ID of the lease, or ""
	duration  time.Duration
	renewable bool
}

// newAnswer makes an answer of what was read at path.
func newAnswer(path string, s *api.Secret, inserted bool) *answer {
	_, inside := s.Data["data"].(map[string]any)
	metadata, _ := s.Data["metadata"].(map[string]any)
	_, version := metadata["version"]
	return &answer{
		path: path, data: s.Data,
		versioned: inside && version, inserted: inserted,
		lease: s.LeaseID, duration: seconds(s.LeaseDuration), renewable: s.Renewable,
	}
}

// secret returns the part of the answer that people call the secret.
func (a *answer) secret() map[string]any {
	if a.versioned {
		return a.data["data"].(map[string]any)
	}
	return a.data
}

// value returns the value of one key.
//
// Below a path of the API, a key is first one of the API's answer, as in
// "data/password", and then one of the secret in it, as in "password". Below a
// path without "data/" it is the other way round.
func (a *answer) value(key component.Key) (secret.Text, error) {
	name := key.Params[keyParam]
	places := []map[string]any{a.data, a.secret()}
	if a.inserted {
		slices.Reverse(places)
	}
	for _, place := range places {
		if found := lookup(place, name); found != nil {
			return text(found)
		}
	}
	names := slices.Sorted(maps.Keys(a.secret()))
	has := "It has " + quoted(names)
	if len(names) == 0 {
		has = "It is empty"
	}
	return "", &diag.Problem{
		Summary: "No such key in a secret of Vault",
		Detail: fmt.Sprintf("The variable %q asks for the key %q of %q, which has no such key or has null for it. %s.%s",
			key.Var, name, a.path, has, diag.Suggest(strings.Trim(name, "/"), names)),
	}
}

// lookup follows a name or JSON pointer (RFC 6901) into a value. What is not
// there is nil, as is null.
func lookup(in any, pointer string) any {
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		switch container := in.(type) {
		case map[string]any:
			in = container[unescape.Replace(part)]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(container) {
				return nil
			}
			in = container[i]
		default:
			return nil
		}
	}
	return in
}

// text returns a value as text: a string as it is, and what is no string as
// JSON, which for numbers and booleans is what people write.
func text(value any) (secret.Text, error) {
	if plain, ok := value.(string); ok {
		return secret.Text(plain), nil
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", fmt.Errorf("encoding a value of Vault: %w", err)
	}
	return secret.Text(bytes.TrimSpace(b.Bytes())), nil
}
