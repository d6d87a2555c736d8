package sbom

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// Subject is the image that a document is about.
type Subject struct {
	Name   string // of its repository
	Digest string // sha256:…
}

// covered says what a document holds, and what not, for those who rely on it.
const covered = "This document lists only what is certain: packages that the databases of dpkg and apk in the image name as installed, " +
	"and the modules that Go programs (ELF files) say that they were built of. " +
	"It does not cover: programs and libraries that were copied or downloaded into the image without a package manager; " +
	"packages of other managers and languages, such as rpm, npm, pip, gem, Maven, Cargo; libraries linked into programs that are not of Go, or whose build information was removed; " +
	"packages whose database was removed from the image; licences, which are not looked at. " +
	"That a package is not listed does not mean that the image is without it."

const unasserted = "NOASSERTION"

// Document writes a list as SPDX 2.3 in JSON. The tool is what made it, with its
// version: NAME-VERSION.
func (l List) Document(subject Subject, tool string, created time.Time) ([]byte, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, subject, tool, created.Unix())
	doc := &v2_3.Document{
		SPDXVersion: v2_3.Version, DataLicense: v2_3.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName:      subject.Name + "@" + subject.Digest,
		DocumentNamespace: "https://deploy-action.dev/spdx/" + strings.TrimPrefix(subject.Digest, "sha256:") + "-" + hex.EncodeToString(sum.Sum(nil)[:8]),
		DocumentComment:   l.comment(),
		CreationInfo: &v2_3.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: tool}},
			Created:  created.UTC().Format(time.RFC3339),
		},
	}
	image := newPackage("image", Package{Name: subject.Name, Version: subject.Digest, PURL: ImageURL(subject)})
	image.PrimaryPackagePurpose = "CONTAINER"
	doc.Packages = append(doc.Packages, image)
	relate(doc, "DOCUMENT", common.TypeRelationshipDescribe, "image")
	for i, p := range l.Packages {
		id := common.ElementID(fmt.Sprintf("package-%d", i+1))
		doc.Packages = append(doc.Packages, newPackage(id, p))
		relate(doc, "image", common.TypeRelationshipContains, id)
	}
	var written bytes.Buffer
	if err := spdxjson.Write(doc, &written); err != nil {
		return nil, fmt.Errorf("writing the list of packages: %w", err)
	}
	return written.Bytes(), nil
}

// comment says what the document covers, and what went wrong.
func (l List) comment() string {
	if len(l.Notes) == 0 {
		return covered
	}
	return covered + " Of this image could not be read: " + strings.Join(l.Notes, "; ") + "."
}

// ImageURL returns the package URL of an image.
func ImageURL(subject Subject) string {
	name := subject.Name[strings.LastIndex(subject.Name, "/")+1:]
	return PURL("oci", "", strings.ToLower(name), subject.Digest, map[string]string{"repository_url": subject.Name})
}

func newPackage(id common.ElementID, p Package) *v2_3.Package {
	made := &v2_3.Package{
		PackageName: p.Name, PackageSPDXIdentifier: id, PackageVersion: p.Version,
		PackageDownloadLocation: unasserted, PackageLicenseConcluded: unasserted, PackageLicenseDeclared: unasserted,
		PackageCopyrightText: unasserted, IsFilesAnalyzedTagPresent: true,
		PackageExternalReferences: []*v2_3.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: p.PURL,
		}},
	}
	if len(p.Where) > 0 {
		made.PackageSourceInfo = "named in " + strings.Join(p.Where, ", ")
	}
	return made
}

func relate(doc *v2_3.Document, from common.ElementID, how string, to common.ElementID) {
	doc.Relationships = append(doc.Relationships, &v2_3.Relationship{
		RefA: common.DocElementID{ElementRefID: from}, RefB: common.DocElementID{ElementRefID: to}, Relationship: how,
	})
}
