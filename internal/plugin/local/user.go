package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// user is who a process runs as, by the numbers of its own root.
type user struct {
	UID    int    `json:"uid"`
	GID    int    `json:"gid"`
	Groups []int  `json:"groups,omitempty"` // supplementary
	Home   string `json:"home"`
}

// lookupUser finds the user that an image names as NAME, UID, NAME:GROUP or
// UID:GID, in the passwd and group files of its root. The empty name is root.
func lookupUser(root *os.Root, name string) (user, error) {
	name, group, hasGroup := strings.Cut(name, ":")
	if name == "" {
		name = "0"
	}
	passwd, err := readTable(root, "etc/passwd", 6)
	if err != nil {
		return user{}, err
	}
	groups, err := readTable(root, "etc/group", 4)
	if err != nil {
		return user{}, err
	}

	u := user{Home: "/"}
	login := name // by which groups list their members
	entry := slices.IndexFunc(passwd, func(f []string) bool { return f[0] == name })
	if entry < 0 {
		entry = slices.IndexFunc(passwd, func(f []string) bool { return f[2] == name })
	}
	if entry >= 0 {
		fields := passwd[entry]
		login, u.Home = fields[0], fields[5]
		u.UID, err = strconv.Atoi(fields[2])
		if err == nil {
			u.GID, err = strconv.Atoi(fields[3])
		}
	} else {
		u.UID, err = strconv.Atoi(name)
	}
	if err != nil {
		return user{}, unknownUser("user", name, "/etc/passwd")
	}
	if !hasGroup {
		u.Groups = memberOf(groups, login)
		return u, nil
	}
	if u.GID, err = lookupGroup(groups, group); err != nil {
		return user{}, unknownUser("group", group, "/etc/group")
	}
	return u, nil
}

func lookupGroup(groups [][]string, name string) (int, error) {
	for _, fields := range groups {
		if fields[0] == name {
			return strconv.Atoi(fields[2])
		}
	}
	return strconv.Atoi(name)
}

// memberOf returns the groups that list login as a member.
func memberOf(groups [][]string, login string) []int {
	var member []int
	for _, fields := range groups {
		id, err := strconv.Atoi(fields[2])
		if err == nil && slices.Contains(strings.Split(fields[3], ","), login) {
			member = append(member, id)
		}
	}
	return member
}

// readTable reads a file of lines with fields between colons, and leaves out
// lines with fewer than min. A file that does not exist is empty.
func readTable(root *os.Root, path string, atLeast int) ([][]string, error) {
	data, err := root.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the image's users: %w", err)
	}
	var table [][]string
	for line := range strings.Lines(string(data)) {
		if fields := strings.Split(strings.TrimSpace(line), ":"); len(fields) >= atLeast {
			table = append(table, fields)
		}
	}
	return table, nil
}

func unknownUser(kind, name, file string) error {
	return &diag.Problem{
		Summary: "Unknown " + kind + " in the image",
		Detail:  fmt.Sprintf("The image is to run as %s %q, which its %s does not have. Add it in the Dockerfile, or give a number to USER.", kind, name, file),
	}
}
