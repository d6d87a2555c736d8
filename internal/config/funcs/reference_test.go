package funcs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

// language lists the functions of Waypoint, without those that only some values
// of configuration can call.
const language = `abs ceil floor log max min parseint pow signum
chomp format formatlist indent join lower upper title regex regexall replace split strrev substr trim trimprefix trimsuffix trimspace
chunklist coalescelist compact concat contains distinct element flatten keys merge range reverse setintersection setproduct setsubtract setunion slice sort values zipmap
base64decode base64encode base64gzip urlencode csvdecode jsondecode jsonencode yamldecode yamlencode
timestamp formatdate timeadd file filebase64 fileexists fileset basename dirname abspath pathexpand
gitrefpretty gitrefhash gitreftag gitremoteurl templatefile templatedir templatestring jsonnetfile jsonnetdir
selectormatch selectorlookup`

// more lists those of Terraform.
const more = `endswith startswith strcontains alltrue anytrue coalesce index length lookup matchkeys one sum transpose
base64gunzip textdecodebase64 textencodebase64 urldecode timecmp base64sha256 base64sha512 bcrypt filebase64sha256 filebase64sha512
filemd5 filesha1 filesha256 filesha512 md5 rsadecrypt sha1 sha256 sha512 uuid uuidv5 cidrhost cidrnetmask cidrsubnet cidrsubnets
can issensitive nonsensitive sensitive tobool tolist tomap tonumber toset tostring try`

func TestReferenceIsComplete(t *testing.T) {
	t.Parallel()
	want := strings.Fields(language + " " + more)
	slices.Sort(want)
	var got []string
	for _, s := range funcs.Reference() {
		got = append(got, s.Name)
		if s.Group == "" || s.Returns == "" || !strings.HasSuffix(s.Summary, ".") {
			t.Errorf("the reference of %s is not complete: %+v", s.Name, s)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
}

func TestReferenceOfOne(t *testing.T) {
	t.Parallel()
	all := funcs.Reference()
	i := slices.IndexFunc(all, func(s funcs.Signature) bool { return s.Name == "formatlist" })
	want := funcs.Signature{
		Name: "formatlist", Group: "Text", Returns: "list of string",
		Params:  []funcs.Param{{Name: "format", Type: "string"}, {Name: "args", Type: "any value", Variadic: true}},
		Summary: "Does what format does, once for each element of its lists.",
	}
	if diff := cmp.Diff(want, all[i]); diff != "" {
		t.Errorf("the reference of formatlist (-want +got):\n%s", diff)
	}
}
