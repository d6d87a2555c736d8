package cache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// list is the form of the records in GitHub's cache.
type list struct {
	// After is the key of the list that this one was made of. So a list never has
	// the key of an earlier one, which would stay the older of the two.
	After   string   `json:"after,omitempty"`
	Records []listed `json:"records"` // those that were used last come first
}

// listed is a record with its key.
type listed struct {
	Key string `json:"key"`
	entry
}

const (
	// maxListed is how many records a list has at most, and maxList how long what
	// claims to be one may be.
	maxListed = 500
	maxList   = 4 << 20
)

// recordKeyForm is that of the keys of steps.
var recordKeyForm = regexp.MustCompile("^[0-9a-f]{64}$")

// readLists reads the newest list of each scope that is looked in.
func (a *actions) readLists(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, listPatience)
	defer cancel()
	for _, scope := range a.Read {
		key, found, err := a.readList(ctx, a.listPrefix(scope))
		if err != nil {
			a.failReading(ctx, err)
			return
		}
		a.mu.Lock()
		if scope == a.Write {
			a.before = list{After: key, Records: found.Records}
		}
		for _, r := range found.Records {
			if _, known := a.records[r.Key]; !known {
				a.records[r.Key] = r.entry
			}
		}
		a.mu.Unlock()
	}
}

// readList reads the newest list whose key begins with prefix. One that is none,
// or was torn, is empty.
func (a *actions) readList(ctx context.Context, prefix string) (key string, found list, err error) {
	key, content, err := a.Entries.OpenNewest(ctx, prefix)
	if err != nil || content == nil {
		return "", list{}, err
	}
	defer content.Close()
	data, err := io.ReadAll(io.LimitReader(content, maxList))
	if err != nil {
		return "", list{}, fmt.Errorf("reading the list of records: %w", err)
	}
	if key != prefix+digestOf(data) || json.Unmarshal(data, &found) != nil {
		return key, list{}, nil
	}
	var good []listed
	for _, r := range found.Records {
		if recordKeyForm.MatchString(r.Key) && r.DiffID.Hex != "" && r.Descriptor.MediaType.IsLayer() && r.Descriptor.Size > 0 {
			good = append(good, listed{r.Key, plainEntry(r.entry)})
		}
	}
	return key, list{Records: good}, nil
}

// plainEntry keeps what a layer needs, and nothing else that a list may say.
func plainEntry(e entry) entry {
	d := e.Descriptor
	return entry{e.DiffID, v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}}
}

// digestOf ends the key of a list.
func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// next returns the list with what this build used and made, and what is left of
// the one before.
func (a *actions) next() list {
	a.mu.Lock()
	defer a.mu.Unlock()
	made := list{After: a.before.After}
	seen := map[string]bool{}
	add := func(key string) {
		if record, ok := a.records[key]; ok && !seen[key] && len(made.Records) < maxListed {
			seen[key] = true
			made.Records = append(made.Records, listed{key, record})
		}
	}
	for _, key := range a.used {
		add(key)
	}
	for _, r := range a.before.Records {
		add(r.Key)
	}
	return made
}

// close waits for the uploads, for as long as they may take, and writes the list
// if there is something new.
func (a *actions) close() {
	if a == nil {
		return
	}
	defer a.stop()
	slow := time.AfterFunc(uploadPatience, func() {
		a.note(fmt.Sprintf("Some layers did not get into GitHub's cache within %v", uploadPatience))
		a.stop()
	})
	a.uploads.Wait()
	slow.Stop()
	if !a.news || a.unwritable.Load() {
		return
	}
	data, err := json.Marshal(a.next())
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(a.lasting, listPatience)
	defer cancel()
	if err := a.Entries.Add(ctx, a.listPrefix(a.Write)+digestOf(data), bytes.NewReader(data), int64(len(data))); err != nil {
		a.failWriting(ctx, err)
	}
}
