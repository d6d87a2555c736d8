package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/deploy-action/deploy-action/internal/retry"
)

// HTTP fetches files.
type HTTP struct {
	Client *http.Client
	Limit  int64 // of a file's bytes; 0 is 8 GiB
}

const defaultLimit = 8 << 30

// File is a fetched file.
type File struct {
	Name     string
	Digest   string    // of its content, "sha256:…"
	Modified time.Time // as the server says, or 1 January 1970
}

// wanted is a file and how it is to be stored.
type wanted struct {
	url      *url.URL
	name     string
	checksum digest.Digest // "" is any
	mode     fs.FileMode
	uid, gid int
	header   http.Header
}

// Fetch fetches the file of a source, as build steps name it, into the folder
// dir, where no such file is yet. What the URL holds of user and password goes
// to its host alone and into no message. After an error dir is as it was.
func (h HTTP) Fetch(ctx context.Context, identifier string, attributes map[string]string, dir string) (File, error) {
	w, err := parseHTTP(identifier, attributes)
	if err != nil {
		return File{}, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return File{}, fmt.Errorf("fetching %s: %w", w.url.Redacted(), err)
	}
	defer root.Close()
	var file File
	err = retry.Do(ctx, func(ctx context.Context) error {
		file, err = h.try(ctx, w, root)
		if err != nil {
			return errors.Join(err, ignoreMissing(root.Remove(w.name)))
		}
		return nil
	})
	if err != nil {
		return File{}, fmt.Errorf("fetching %s: %w", w.url.Redacted(), err)
	}
	return file, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// parseHTTP reads a source and its attributes.
func parseHTTP(identifier string, attributes map[string]string) (wanted, error) {
	address, err := url.Parse(identifier)
	if err != nil || address.Host == "" || address.Scheme != "https" && address.Scheme != "http" {
		// Not the error, which repeats what may hold a password.
		return wanted{}, refused("The URL cannot be read. It begins with https:// and names a host.", nil)
	}
	w := wanted{url: address, mode: 0o600, header: http.Header{}}
	for key, value := range attributes {
		var err error
		switch key {
		case pb.AttrHTTPFilename:
			w.name = value
		case pb.AttrHTTPChecksum:
			if w.checksum, err = digest.Parse(value); err != nil {
				err = refused(fmt.Sprintf("The checksum %q is not one. Write it as sha256: and 64 hexadecimal digits.", value), nil)
			}
		case pb.AttrHTTPPerm:
			var bits int64
			bits, err = strconv.ParseInt(value, 0, 32)
			w.mode = fs.FileMode(bits) & fs.ModePerm
		case pb.AttrHTTPUID:
			w.uid, err = strconv.Atoi(value)
		case pb.AttrHTTPGID:
			w.gid, err = strconv.Atoi(value)
		default:
			name, isHeader := strings.CutPrefix(key, pb.AttrHTTPHeaderPrefix)
			if name = http.CanonicalHeaderKey(name); !isHeader || name != "Accept" && name != "User-Agent" {
				err = refused(fmt.Sprintf("%q is nothing that this build engine can ask a server for.", key), nil)
			} else {
				w.header.Set(name, value)
			}
		}
		if err != nil {
			return wanted{}, fmt.Errorf("reading %q of the source: %w", key, err)
		}
	}
	w.name = path.Base(path.Clean("/" + cmp.Or(w.name, path.Base(address.Path))))
	if w.name == "/" {
		w.name = "download"
	}
	return w, nil
}

// try makes one request and stores the answer.
func (h HTTP) try(ctx context.Context, w wanted, root *os.Root) (File, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url.String(), nil)
	if err != nil {
		return File{}, refused("The URL cannot be asked for.", nil)
	}
	request.Header = w.header.Clone()
	client := *h.Client
	client.CheckRedirect = checkRedirect
	answer, err := client.Do(request)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err // the rest repeats the URL
		}
		return File{}, again(ctx, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return File{}, refusal(answer, w)
	}
	file := File{Name: w.name, Modified: time.Unix(0, 0)}
	if modified, err := http.ParseTime(answer.Header.Get("Last-Modified")); err == nil {
		file.Modified = modified
	}
	file.Digest, err = h.store(ctx, w, root, answer.Body)
	if err != nil {
		return File{}, err
	}
	return file, root.Chtimes(w.name, file.Modified, file.Modified)
}

// checkRedirect lets no redirect give up encryption. What the URL holds of user
// and password, package http gives to no other host.
func checkRedirect(request *http.Request, before []*http.Request) error {
	if len(before) >= 10 {
		return refused("The server redirects again and again. Name the URL that it should end at.", nil)
	}
	if before[0].URL.Scheme == "https" && request.URL.Scheme != "https" {
		return refused(fmt.Sprintf("The server redirects from https to %s, where anybody on the way could change the file. "+
			"Name a URL that stays with https.", request.URL.Redacted()), nil)
	}
	return nil
}

// refusal is the error of an answer that has no file.
func refusal(answer *http.Response, w wanted) error {
	detail := fmt.Sprintf("%s answered %q. ", w.url.Host, answer.Status)
	switch code := answer.StatusCode; {
	case code == http.StatusTooManyRequests || code >= 500:
		return retry.After(refused(detail+"It did so several times: run again later.", nil), pause(answer))
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		detail += "It wants somebody who is signed in: fetch the file in a hook before the build and COPY it."
	default:
		detail += fmt.Sprintf("Check that %q is still there.", w.url.Path)
	}
	return refused(detail, nil)
}

// store writes a file as it comes and compares its checksum.
func (h HTTP) store(ctx context.Context, w wanted, root *os.Root, content io.Reader) (string, error) {
	file, err := root.OpenFile(w.name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash, asked := digest.SHA256.Digester(), cmp.Or(w.checksum, digest.FromString("")).Algorithm().Digester()
	limit := cmp.Or(h.Limit, defaultLimit)
	reader := &source{Reader: io.LimitReader(content, limit+1)}
	n, err := io.Copy(io.MultiWriter(file, hash.Hash(), asked.Hash()), reader)
	switch {
	case reader.err != nil:
		return "", again(ctx, reader.err)
	case err != nil:
		return "", err
	case n > limit:
		return "", refused(fmt.Sprintf("The file is larger than %d bytes. Fetch it in a hook before the build, and COPY it.", limit), nil)
	case w.checksum != "" && asked.Digest() != w.checksum:
		return "", refused(fmt.Sprintf("The file has the checksum %s, but the Dockerfile wants %s. "+
			"If the file was changed on purpose, write the new checksum; otherwise somebody else changed it.", asked.Digest(), w.checksum), nil)
	}
	if err := file.Chmod(w.mode); err != nil {
		return "", err
	}
	if w.uid != 0 || w.gid != 0 {
		if err := file.Chown(w.uid, w.gid); err != nil {
			return "", err
		}
	}
	return hash.Digest().String(), file.Close()
}

// source notes whether it was reading that failed, not writing.
type source struct {
	io.Reader
	err error
}

// Read implements [io.Reader].
func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
