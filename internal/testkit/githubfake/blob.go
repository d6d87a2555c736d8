package githubfake

import (
	"crypto/hmac"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// What a signed URL allows.
const (
	mayRead  = "r"
	mayWrite = "cw"
)

func (f *Fake) routeBlobs() {
	f.mux.HandleFunc("PUT /blob/{name}", f.signed(mayWrite, f.putBlob))
	f.mux.HandleFunc("GET /blob/{name}", f.signed(mayRead, f.getBlob))
}

// signedURL returns the only way to a blob. The signature is hex: clients
// strip the padding that base64 may have.
func (f *Fake) signedURL(r *http.Request, name, permission string, life time.Duration) string {
	expires := strconv.FormatInt(f.options.Now().Add(life).Unix(), 10)
	query := url.Values{"se": {expires}, "sp": {permission}, "sig": {f.signature(name, permission, expires)}}
	return fmt.Sprintf("%s/blob/%s?%s", origin(r), name, query.Encode())
}

func (f *Fake) signature(name, permission, expires string) string {
	return hex.EncodeToString(f.mac("blob " + name + " " + permission + " " + expires))
}

// signed refuses what the storage refuses: another signature, another
// permission, a URL that is too old, and a second way of signing in.
func (f *Fake) signed(permission string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		want := f.signature(r.PathValue("name"), query.Get("sp"), query.Get("se"))
		switch {
		case r.Header.Get("Authorization") != "":
			refuseBlob(w, http.StatusBadRequest, "InvalidAuthenticationInfo")
		case !hmac.Equal([]byte(want), []byte(query.Get("sig"))), f.options.Now().Unix() > number(query.Get("se")):
			refuseBlob(w, http.StatusForbidden, "AuthenticationFailed")
		case query.Get("sp") != permission:
			refuseBlob(w, http.StatusForbidden, "AuthorizationPermissionMismatch")
		case f.data.Blobs[r.PathValue("name")] == nil:
			refuseBlob(w, http.StatusNotFound, "BlobNotFound")
		default:
			next(w, r)
		}
	}
}

func (f *Fake) putBlob(w http.ResponseWriter, r *http.Request) {
	target := f.data.Blobs[r.PathValue("name")]
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuseBlob(w, http.StatusBadRequest, "IncompleteBody")
		return
	}
	switch comp := r.URL.Query().Get("comp"); comp {
	case "block":
		id := r.URL.Query().Get("blockid")
		if id == "" {
			refuseBlob(w, http.StatusBadRequest, "InvalidQueryParameterValue")
			return
		}
		if target.Blocks == nil {
			target.Blocks = map[string][]byte{}
		}
		target.Blocks[id] = body
	case "blocklist":
		content, ok := target.assemble(body)
		if !ok {
			refuseBlob(w, http.StatusBadRequest, "InvalidBlockList")
			return
		}
		*target = blob{Content: content, Committed: true}
	case "":
		if r.Header.Get("x-ms-blob-type") != "BlockBlob" {
			refuseBlob(w, http.StatusBadRequest, "InvalidHeaderValue")
			return
		}
		*target = blob{Content: body, Committed: true}
	default:
		refuseBlob(w, http.StatusBadRequest, "InvalidQueryParameterValue")
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// assemble joins the blocks that a block list names, in its order.
func (b *blob) assemble(list []byte) ([]byte, bool) {
	var names struct {
		Latest []string `xml:"Latest"`
	}
	if err := xml.Unmarshal(list, &names); err != nil {
		return nil, false
	}
	content := []byte{}
	for _, id := range names.Latest {
		block, ok := b.Blocks[id]
		if !ok {
			return nil, false
		}
		content = append(content, block...)
	}
	return content, true
}

func (f *Fake) getBlob(w http.ResponseWriter, r *http.Request) {
	target := f.data.Blobs[r.PathValue("name")]
	w.Header().Set("Content-Type", "application/zip")
	// The recorder takes all.
	_, _ = w.Write(target.Content)
}

func refuseBlob(w http.ResponseWriter, status int, code string) {
	w.Header().Set("x-ms-error-code", code)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="utf-8"?><Error><Code>%s</Code></Error>`, code)
}
