package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// user is who a command runs as.
type user struct {
	uid, gid int
	groups   []int // supplementary
	home     string
}

// maxTable is how much of a passwd or group file is read.
const maxTable = 16 << 20

// lookupUser finds the user that an instruction names, in the passwd and group
// files below root, as container engines do: a name counts before a number; a
// number that is in no file is in group 0; only without a group of its own does
// a user have those that list it.
func lookupUser(root, name string) (user, error) {
	name, group, hasGroup := strings.Cut(name, ":")
	if name == "" {
		name = "0"
	}
	passwd, err := readTable(filepath.Join(root, "etc/passwd"), 6)
	if err != nil {
		return user{}, err
	}
	groups, err := readTable(filepath.Join(root, "etc/group"), 4)
	if err != nil {
		return user{}, err
	}
	u, login, err := findUser(passwd, name)
	if err != nil {
		return user{}, err
	}
	if !hasGroup || group == "" {
		u.groups = append([]int{u.gid}, memberOf(groups, login)...)
		return u, nil
	}
	if u.gid, err = number(groups, group); err != nil {
		return user{}, unknown("group", group, "/etc/group")
	}
	u.groups = []int{u.gid}
	return u, nil
}

// findUser returns a user without its groups, and the name by which groups list
// it.
func findUser(passwd [][]string, name string) (u user, login string, err error) {
	entry := slices.IndexFunc(passwd, func(f []string) bool { return f[0] == name })
	if entry < 0 {
		entry = slices.IndexFunc(passwd, func(f []string) bool { return f[2] == name })
	}
	if entry < 0 {
		uid, err := parseID(name)
		if err != nil {
			return user{}, "", unknown("user", name, "/etc/passwd")
		}
		return user{uid: uid, home: "/"}, name, nil
	}
	fields := passwd[entry]
	uid, uidErr := parseID(fields[2])
	gid, gidErr := parseID(fields[3])
	if errors.Join(uidErr, gidErr) != nil {
		return user{}, "", unknown("user", name, "/etc/passwd")
	}
	return user{uid: uid, gid: gid, home: fields[5]}, fields[0], nil
}

// number returns the number of a group.
func number(groups [][]string, name string) (int, error) {
	for _, fields := range groups {
		if fields[0] == name {
			return parseID(fields[2])
		}
	}
	return parseID(name)
}

// parseID reads the number of a user or group.
func parseID(text string) (int, error) {
	id, err := strconv.ParseInt(text, 10, 32)
	if err == nil && id < 0 {
		err = strconv.ErrRange
	}
	return int(id), err
}

// memberOf returns the groups that list login as a member.
func memberOf(groups [][]string, login string) []int {
	var member []int
	for _, fields := range groups {
		id, err := parseID(fields[2])
		if err == nil && slices.Contains(strings.Split(fields[3], ","), login) {
			member = append(member, id)
		}
	}
	return member
}

// readTable reads a file of lines with fields between colons, and leaves out
// lines with fewer than that many. A file that does not exist is empty.
func readTable(path string, fields int) ([][]string, error) {
	// An image can have a pipe there, which nobody writes to.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the image's users: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxTable))
	if err != nil {
		return nil, fmt.Errorf("reading the image's users: %w", err)
	}
	var table [][]string
	for line := range strings.Lines(string(data)) {
		if entry := strings.Split(strings.TrimSpace(line), ":"); len(entry) >= fields {
			table = append(table, entry)
		}
	}
	return table, nil
}

func unknown(kind, name, table string) error {
	return &diag.Problem{
		Summary: fmt.Sprintf("Unknown %s %q in the image", kind, name),
		Detail: fmt.Sprintf("The command is to run as %s %q, which %s of the image does not have. "+
			"Add it in an earlier RUN instruction, or name it by its number.", kind, name, table),
	}
}
