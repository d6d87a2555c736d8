package vault

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// metadataTime is how long the metadata service of a cloud may take: where
	// there is none, nothing answers at all.
	metadataTime = 3 * time.Second

	// largestDocument is longer than any of its answers.
	largestDocument = 64 << 10
)

// fetch returns what the metadata service of a cloud answers.
func fetch(ctx context.Context, client *http.Client, method, address string, header http.Header) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return "", err
	}
	req.Header = header
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, largestDocument))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the metadata service answers %s", resp.Status)
	}
	return string(body), err
}
