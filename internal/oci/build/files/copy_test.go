package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"
)

// debian has /bin as a link, accounts, and a folder with rights of its own.
var debian = []string{
	"755 0:0 ./", "755 0:0 etc/", "644 0:0 etc/passwd=root:x:0:0\napp:x:7:8:App\n", "644 0:0 etc/group=root:x:0:\nstaff:x:50:app\n",
	"777 0:0 bin→usr/bin", "755 0:0 usr/", "755 0:0 usr/bin/", "755 0:0 usr/bin/tool=T", "1777 0:0 tmp/",
	"777 0:0 loop→loop", "777 0:0 far→/nowhere/at", "777 0:0 out→../../../../etc", "644 0:0 file=F",
}

// sources is what most tests copy from.
var sources = map[string]string{
	"a.txt": "A", "b.txt": "B", "c.md": "C", "link.txt": "→a.txt", "dangling": "→none",
	"dir/x": "X", "dir/link": "→x", "dir/sub/y.md": "Y", "dir/sub/deep/z": "Z", "dir/empty/": "",
	"root/bin/prog": "P", "root/tmp/t": "t",
}

func TestCopy(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		source, target string
		change         func(*pb.FileActionCopy)
		want           []string
	}{
		"file to a name":     {"a.txt", "/etc/conf", nil, []string{"755 0:0 etc/", "644 0:0 etc/conf=A"}},
		"file into a folder": {"a.txt", "/new/", nil, []string{"755 0:0 new/", "644 0:0 new/a.txt=A"}},
		"into one there is":  {"a.txt", "/tmp", nil, []string{"1777 0:0 tmp/", "644 0:0 tmp/a.txt=A"}},
		"through a link":     {"a.txt", "/bin/", nil, []string{"755 0:0 usr/", "755 0:0 usr/bin/", "644 0:0 usr/bin/a.txt=A"}},
		"to a link":          {"a.txt", "/bin", nil, []string{"755 0:0 usr/", "755 0:0 usr/bin/", "644 0:0 usr/bin/a.txt=A"}},
		"over a file":        {"a.txt", "/usr/bin/tool", nil, []string{"755 0:0 usr/", "755 0:0 usr/bin/", "644 0:0 usr/bin/tool=A"}},
		"link to nowhere":    {"a.txt", "/far/", nil, []string{"755 0:0 nowhere/", "755 0:0 nowhere/at/", "644 0:0 nowhere/at/a.txt=A"}},
		"link that climbs":   {"a.txt", "/out/", nil, []string{"755 0:0 etc/", "644 0:0 etc/a.txt=A"}},
		"name that climbs":   {"../../a.txt", "/../../x", nil, []string{"644 0:0 x=A"}},
		"link as a source":   {"link.txt", "/l", nil, []string{"644 0:0 l=A"}},
		"links that are not followed": {
			"link.txt", "/l", func(a *pb.FileActionCopy) { a.FollowSymlink = false },
			[]string{"777 0:0 l→a.txt"},
		},
		"pattern":            {"[ab].txt", "/", nil, []string{"644 0:0 a.txt=A", "644 0:0 b.txt=B"}},
		"pattern of a link":  {"li*", "/x", nil, []string{"644 0:0 x=A"}},
		"pattern of nothing": {"*.none", "/x/", nil, []string{}},
		"pattern in folders": {"*/sub/*", "/x/", nil, []string{"755 0:0 x/", "644 0:0 x/y.md=Y", "644 0:0 x/z=Z"}},
		"folder": {"dir", "/d", nil, []string{
			"755 0:0 d/", "755 0:0 d/empty/", "777 0:0 d/link→x", "755 0:0 d/sub/", "755 0:0 d/sub/deep/",
			"644 0:0 d/sub/deep/z=Z", "644 0:0 d/sub/y.md=Y", "644 0:0 d/x=X",
		}},
		"folder itself": {
			"dir/empty", "/tmp", func(a *pb.FileActionCopy) { a.DirCopyContents = false },
			[]string{"1777 0:0 tmp/", "755 0:0 tmp/empty/"},
		},
		"folder that is there": {"dir/sub", "/tmp", nil, []string{
			"1777 0:0 tmp/", "755 0:0 tmp/deep/", "644 0:0 tmp/deep/z=Z", "644 0:0 tmp/y.md=Y",
		}},
		"folders in it get other rights": {"root/tmp/..", "/", func(a *pb.FileActionCopy) { a.ExcludePatterns = []string{"bin"} }, []string{
			"755 0:0 tmp/", "644 0:0 tmp/t=t",
		}},
		"owner by number": {"a.txt", "/n/f", func(a *pb.FileActionCopy) { a.Owner = byID(5, 6) }, []string{"755 5:6 n/", "644 5:6 n/f=A"}},
		"owner by name":   {"a.txt", "/n/f", func(a *pb.FileActionCopy) { a.Owner = byName("app", "") }, []string{"755 7:8 n/", "644 7:8 n/f=A"}},
		"group by name":   {"dir/sub/deep", "/n", func(a *pb.FileActionCopy) { a.Owner = byName("app", "staff") }, []string{"755 7:50 n/", "644 7:50 n/z=Z"}},
		"mode":            {"a.txt", "/n/f", func(a *pb.FileActionCopy) { a.Mode = 0o4750 }, []string{"750 0:0 n/", "4750 0:0 n/f=A"}},
		"mode of letters": {"dir/sub", "/n", func(a *pb.FileActionCopy) { a.ModeStr = "go-rwx,u+X" }, []string{
			"755 0:0 n/", "700 0:0 n/deep/", "600 0:0 n/deep/z=Z", "600 0:0 n/y.md=Y",
		}},
		"exclude": {"dir", "/d", func(a *pb.FileActionCopy) { a.ExcludePatterns = []string{"**/*.md", "sub/deep", "empty", "link"} }, []string{
			"755 0:0 d/", "755 0:0 d/sub/", "644 0:0 d/x=X",
		}},
		"exclude with an exception": {"dir", "/d", func(a *pb.FileActionCopy) { a.ExcludePatterns = []string{"*", "!sub/deep"} }, []string{
			"755 0:0 d/", "755 0:0 d/sub/", "755 0:0 d/sub/deep/", "644 0:0 d/sub/deep/z=Z",
		}},
		"parents": {"/", "/d", func(a *pb.FileActionCopy) {
			a.IncludePatterns, a.RequiredPaths = []string{"dir/sub/deep"}, []string{"/dir/sub/deep"}
		}, []string{"755 0:0 d/", "755 0:0 d/dir/", "755 0:0 d/dir/sub/", "755 0:0 d/dir/sub/deep/", "644 0:0 d/dir/sub/deep/z=Z"}},
		"parents of a pattern": {"/", "/d", func(a *pb.FileActionCopy) {
			a.IncludePatterns, a.ExcludePatterns = []string{"dir/*/*"}, []string{"**/*.md"}
		}, []string{"755 0:0 d/", "755 0:0 d/dir/", "755 0:0 d/dir/sub/", "755 0:0 d/dir/sub/deep/", "644 0:0 d/dir/sub/deep/z=Z"}},
		"replacing what is there": {"root", "/", func(a *pb.FileActionCopy) { a.AlwaysReplaceExistingDestPaths = true }, []string{
			"755 0:0 bin/", "644 0:0 bin/prog=P", "755 0:0 tmp/", "644 0:0 tmp/t=t",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			action := copyAction(test.source, test.target)
			if test.change != nil {
				test.change(action)
			}
			got := planned(t, step(action), layers(t, debian...), contextOf(t, sources))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("layer (-want +got):\n%s", diff)
			}
		})
	}
}

// byID is --chown of numbers, and byName of names in input 0.
func byID(uid, gid uint32) *pb.ChownOpt {
	return &pb.ChownOpt{
		User: &pb.UserOpt{User: &pb.UserOpt_ByID{ByID: uid}}, Group: &pb.UserOpt{User: &pb.UserOpt_ByID{ByID: gid}},
	}
}

func byName(user, group string) *pb.ChownOpt {
	o := &pb.ChownOpt{User: &pb.UserOpt{User: &pb.UserOpt_ByName{ByName: &pb.NamedUserOpt{Name: user}}}}
	if group != "" {
		o.Group = &pb.UserOpt{User: &pb.UserOpt_ByName{ByName: &pb.NamedUserOpt{Name: group}}}
	}
	return o
}

func TestCopyProblems(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "secret")
	content := map[string]string{
		"apple": "A", "hidden": "H", "escape": "→" + outside, "climb": "→../../x", "bin/x": "", ".wh.apple": "",
		"file/x": "",
	}
	tests := map[string]struct {
		source, target string
		change         func(*pb.FileActionCopy)
		want           string
	}{
		"missing":             {"aple", "/", nil, `Invalid instruction: COPY "aple": the build context has no such file; the nearest name is "apple".`},
		"missing for ADD":     {"aple", "/", func(a *pb.FileActionCopy) { a.AttemptUnpackDockerCompatibility = true }, `ADD "aple": the build context`},
		"missing folder":      {"no/*.x", "/", nil, `COPY "no/*.x": the build context has no such file.`},
		"ignored":             {"hidden", "/", nil, `COPY "hidden": the build context has no such file, since .dockerignore leaves it out.`},
		"absolute link":       {"escape", "/", nil, `Path outside the repository: "escape" is not in the repository`},
		"climbing link":       {"climb", "/", nil, `Path outside the repository: "climb"`},
		"bad pattern":         {"a[", "/", nil, `the pattern "a[" cannot be read`},
		"nothing matches":     {"*.none", "/", func(a *pb.FileActionCopy) { a.AllowEmptyWildcard = false }, `COPY "*.none": nothing matches it.`},
		"file over a folder":  {"apple", "/usr/x/", nil, `the file "apple" cannot replace the folder "/usr/x/apple" of the image`},
		"folder over a link":  {".", "/", func(a *pb.FileActionCopy) { a.ExcludePatterns = []string{"*", "!bin"} }, `the folder "bin" cannot replace "/bin", which is a symbolic link to "usr/bin" in the image`},
		"folder over a file":  {".", "/", func(a *pb.FileActionCopy) { a.ExcludePatterns = []string{"*", "!file"} }, `the folder "file" cannot replace the file "/file" of the image`},
		"below a file":        {"apple", "/file/x", nil, `"/file" is not a folder, so nothing can be in it.`},
		"loop of links":       {"apple", "/loop/x", nil, `"/loop" leads through more than 40 symbolic links`},
		"unknown user":        {"apple", "/", func(a *pb.FileActionCopy) { a.Owner = byName("nobody", "") }, `the image has no user "nobody" in /etc/passwd`},
		"large number":        {"apple", "/", func(a *pb.FileActionCopy) { a.Owner = byName("4000000000", "") }, "the user 4000000000 is too large: numbers go up to 2147483647"},
		"unknown group":       {"apple", "/", func(a *pb.FileActionCopy) { a.Owner = byName("app", "wheel") }, `the image has no group "wheel" in /etc/group`},
		"name of a whiteout":  {".wh.apple", "/", nil, `the name "/.wh.apple" cannot be in an image`},
		"required path":       {"/", "/d", func(a *pb.FileActionCopy) { a.IncludePatterns, a.RequiredPaths = []string{"aple"}, []string{"/aple"} }, `COPY "aple": the build context has no such file; the nearest name is "apple".`},
		"no folder to go to":  {"apple", "/q/x", func(a *pb.FileActionCopy) { a.CreateDestPath = false }, `there is no folder "/q"`},
		"owner without image": {"apple", "/", func(a *pb.FileActionCopy) { a.Owner = byName("app", ""); a.Owner.User.GetByName().Input = -1 }, `the user "app" cannot be looked up, since --link`},
	}
	base := append([]string{"755 0:0 usr/x/apple/"}, debian...)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			action := copyAction(test.source, test.target)
			if test.change != nil {
				test.change(action)
			}
			got := problem(t, step(action), layers(t, base...), contextOf(t, content, "hidden"))
			if !strings.Contains(got, test.want) {
				t.Errorf("problem is %s\nwant …%s…", got, test.want)
			}
		})
	}
}

// TestCopySeveral has one step copy several sources, the later over the
// earlier, and then one layer over another.
func TestCopySeveral(t *testing.T) {
	t.Parallel()
	files := contextOf(t, sources)
	base := layers(t, debian...)
	first, err := Plan(t.Context(), step(copyAction("a.txt", "/w/"), copyAction("b.txt", "/w/a.txt"), copyAction("dir", "/w")), []View{base, files})
	if err != nil {
		t.Fatal(err)
	}
	got := lines(t, archived(t, first, Times{}))
	want := []string{
		"755 0:0 w/", "644 0:0 w/a.txt=B", "755 0:0 w/empty/", "777 0:0 w/link→x", "755 0:0 w/sub/", "755 0:0 w/sub/deep/",
		"644 0:0 w/sub/deep/z=Z", "644 0:0 w/sub/y.md=Y", "644 0:0 w/x=X",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("first layer (-want +got):\n%s", diff)
	}
	got = planned(t, step(copyAction("c.md", "/w/link")), Overlay(base, first), files)
	if diff := cmp.Diff([]string{"755 0:0 w/", "644 0:0 w/x=C"}, got); diff != "" {
		t.Errorf("second layer (-want +got):\n%s", diff)
	}
}

// TestHardLinks copies a file with two names, replaces the first, and copies
// the result again.
func TestHardLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/a": "same", "other/a": "new"})
	if err := os.Link(filepath.Join(dir, "src/a"), filepath.Join(dir, "src/b")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	view := Context(root, nil)
	got := planned(t, step(copyAction("src", "/d")), layers(t), view)
	if diff := cmp.Diff([]string{"755 0:0 d/", "644 0:0 d/a=same", "644 0:0 d/b⇒d/a"}, got); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	replaced, err := Plan(t.Context(), step(copyAction("src", "/d"), copyAction("other", "/d")), []View{layers(t), view})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"755 0:0 d/", "644 0:0 d/a=new", "644 0:0 d/b=same"}
	if diff := cmp.Diff(want, lines(t, archived(t, replaced, Times{}))); diff != "" {
		t.Errorf("first name replaced (-want +got):\n%s", diff)
	}
	linked, err := Plan(t.Context(), step(copyAction("src", "/d")), []View{layers(t), view})
	if err != nil {
		t.Fatal(err)
	}
	got = planned(t, step(copyAction("d", "/e")), layers(t), Overlay(layers(t), linked))
	if diff := cmp.Diff([]string{"755 0:0 e/", "644 0:0 e/a=same", "644 0:0 e/b⇒e/a"}, got); diff != "" {
		t.Errorf("links of an overlay (-want +got):\n%s", diff)
	}
}

// TestTimes writes one time for all, or each file's own.
func TestTimes(t *testing.T) {
	t.Parallel()
	view := contextOf(t, map[string]string{"a": "A"})
	c := view.(*contextView)
	own := time.Date(2001, 2, 3, 4, 5, 6, 7000, time.UTC)
	if err := c.disk.root.Chtimes("a", own, own); err != nil {
		t.Fatal(err)
	}
	entries, err := Plan(t.Context(), step(copyAction("a", "/")), []View{layers(t), view})
	if err != nil {
		t.Fatal(err)
	}
	fixed := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	for when, want := range map[Times]time.Time{{Fixed: fixed}: fixed, {Fixed: fixed, Keep: true}: own.Truncate(time.Second)} {
		if got := timeOf(t, archived(t, entries, when)); !got.Equal(want) {
			t.Errorf("time with %+v is %v, want %v", when, got, want)
		}
	}
}
