package github

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
)

const (
	// blockSize is what the service's own client uploads at a time.
	blockSize = 8 << 20

	// sizeLimit is far above what we keep in artifacts. It bounds what a
	// broken one can cost us.
	sizeLimit = 256 << 20
)

// fetch reads a signed URL once and checks what it got. A failure that another
// URL may mend is marked with [retry.Transient].
func fetch(ctx context.Context, client *http.Client, address, digest string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, withoutURL(err)
	}
	response, err := client.Do(req)
	if err != nil {
		return nil, retry.Transient(withoutURL(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, storageError(response)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, sizeLimit))
	if err != nil {
		return nil, retry.Transient(err)
	}
	if digest != digestOf(content) {
		return nil, ErrDigest
	}
	return content, nil
}

// upload says how content is sent to the storage.
type upload struct {
	client    *http.Client
	mediaType string        // of the content
	patience  time.Duration // with a storage that does not answer
}

// store uploads content to a signed URL: blocks, then the list of them. Every
// implementation of the storage knows this way; not every one knows the single
// request that would do for little content.
func (u upload) store(ctx context.Context, address string, content io.ReaderAt, size int64) error {
	base, err := url.Parse(address)
	if err != nil {
		return withoutURL(err)
	}
	var list struct {
		XMLName xml.Name `xml:"BlockList"`
		Latest  []string `xml:"Latest"`
	}
	for offset := int64(0); offset < size || offset == 0; offset += blockSize {
		id := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%08d", len(list.Latest)))
		// Each its own: a broken connection may still read the one before.
		block := make([]byte, min(size-offset, blockSize))
		if _, err := io.ReadFull(io.NewSectionReader(content, offset, size-offset), block); err != nil {
			return fmt.Errorf("reading what is to be stored: %w", err)
		}
		if err := u.put(ctx, base, url.Values{"comp": {"block"}, "blockid": {id}}, block); err != nil {
			return err
		}
		list.Latest = append(list.Latest, id)
	}
	body, err := xml.Marshal(list)
	if err != nil {
		return fmt.Errorf("writing the list of blocks: %w", err)
	}
	return u.put(ctx, base, url.Values{"comp": {"blocklist"}}, append([]byte(xml.Header), body...))
}

// put sends one request of an upload, more than once where that may help.
func (u upload) put(ctx context.Context, base *url.URL, parameters url.Values, body []byte) error {
	address := *base
	address.RawQuery += "&" + parameters.Encode() // the signature stays as it was written
	return retry.Patiently(ctx, u.patience, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, address.String(), bytes.NewReader(body))
		if err != nil {
			return withoutURL(err)
		}
		req.Header.Set("Content-Type", "application/octet-stream")
		req.Header.Set("x-ms-blob-content-type", u.mediaType)
		response, err := u.client.Do(req)
		if err != nil {
			return retry.Transient(withoutURL(err))
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusCreated {
			return storageError(response)
		}
		return nil
	})
}

// storageError describes a refusal of the storage without its URL.
func storageError(response *http.Response) error {
	err := fmt.Errorf("the storage answered %s %s", response.Status, response.Header.Get("x-ms-error-code"))
	if transientStatus(response.StatusCode) {
		return retry.After(err, retryAfter(response.Header))
	}
	return err
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// pack makes the zip file that an artifact is. Equal content makes equal bytes.
func pack(file string, content []byte) ([]byte, error) {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	// Stored, not deflated: what we keep is compressed already.
	entry, err := archive.CreateHeader(&zip.FileHeader{Name: file, Method: zip.Store, Modified: time.Unix(0, 0).UTC()})
	if err == nil {
		_, err = entry.Write(content)
	}
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("packing %q: %w", file, err)
	}
	return out.Bytes(), nil
}

// unpack returns one file of a zip file, or [ErrContent].
func unpack(zipped []byte, file string) ([]byte, error) {
	archive, err := zip.NewReader(bytes.NewReader(zipped), int64(len(zipped)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrContent, err)
	}
	// Not archive.Open, which takes ../file for file.
	at := slices.IndexFunc(archive.File, func(f *zip.File) bool { return f.Name == file })
	if at < 0 {
		return nil, fmt.Errorf("%w: it holds no file %q", ErrContent, file)
	}
	entry, err := archive.File[at].Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrContent, err)
	}
	defer entry.Close()
	// What a zip file says of its sizes need not be so.
	content, err := io.ReadAll(io.LimitReader(entry, sizeLimit+1))
	if err == nil && len(content) > sizeLimit {
		err = fmt.Errorf("%q is larger than %d MiB", file, sizeLimit>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrContent, err)
	}
	return content, nil
}
