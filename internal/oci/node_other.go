//go:build !linux

package oci

import (
	"archive/tar"
	"os"
)

// makeNode makes nothing: nodes of a Linux image are of no use here.
func makeNode(*os.Root, string, *tar.Header) (made bool, err error) { return false, nil }

// setAttributes sets nothing, for the same reason.
func setAttributes(*os.Root, string, *tar.Header) error { return nil }
