package files

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/moby/buildkit/solver/pb"
)

// owner is a user and a group by number.
type owner struct{ uid, gid uint32 }

// owner looks up who an action names; nil is nobody. Unlike in BuildKit, which
// then takes root, a name that the base does not know is an error.
func (p *planner) owner(ctx context.Context, option *pb.ChownOpt) (*owner, error) {
	if option == nil {
		return nil, nil
	}
	var who owner
	if named := option.User.GetByName(); named != nil {
		fields, err := p.account(ctx, named, "user", "etc/passwd", 4)
		if err != nil {
			return nil, err
		}
		who = owner{fields[0], fields[1]}
	} else if option.User != nil {
		who = owner{option.User.GetByID(), option.User.GetByID()}
	}
	if named := option.Group.GetByName(); named != nil {
		fields, err := p.account(ctx, named, "group", "etc/group", 3)
		if err != nil {
			return nil, err
		}
		who.gid = fields[0]
	} else if option.Group != nil {
		who.gid = option.Group.GetByID()
	}
	return &who, nil
}

// account returns the numbers of a user or group in a file of lines
// "name:password:number:…" with at least so many fields.
func (p *planner) account(ctx context.Context, who *pb.NamedUserOpt, kind, file string, fields int) ([]uint32, error) {
	if who.Input < 0 {
		return nil, invalid("the %s %q cannot be looked up, since --link copies without a look at the image: write its number, or leave --link out", kind, who.Name)
	}
	view, err := p.view(ctx, int(who.Input))
	if err != nil {
		return nil, err
	}
	text, err := readAccounts(ctx, view, file)
	if err != nil {
		return nil, fmt.Errorf("reading /%s of the image: %w", file, err)
	}
	if text == nil {
		return nil, unknown(kind, who.Name, file)
	}
	defer text.Close()
	lines := bufio.NewScanner(io.LimitReader(text, maxKept))
	for lines.Scan() {
		line := strings.Split(lines.Text(), ":")
		if len(line) < fields || line[0] != who.Name {
			continue
		}
		numbers := make([]uint32, fields-2)
		for i := range numbers {
			n, err := strconv.ParseUint(strings.TrimSpace(line[2+i]), 10, 32)
			if err != nil {
				return nil, invalid("the %s %q has no usable number in /%s of the image: %q", kind, who.Name, file, line[2+i])
			}
			numbers[i] = uint32(n)
		}
		return numbers, nil
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading /%s of the image: %w", file, err)
	}
	return nil, unknown(kind, who.Name, file)
}

// readAccounts opens a file of users or groups; nil is none.
func readAccounts(ctx context.Context, view View, file string) (io.ReadCloser, error) {
	name, err := Resolve(ctx, view, file)
	if err != nil {
		return nil, err
	}
	e, err := view.Lstat(ctx, name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !e.Header.FileInfo().Mode().IsRegular() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return view.Open(ctx, e)
}

func unknown(kind, name, file string) error {
	if strings.Trim(name, "0123456789") == "" {
		return invalid("the %s %s is too large: numbers go up to 2147483647", kind, name)
	}
	return invalid("the image has no %s %q in /%s: make it in an instruction before, or write its number", kind, name, file)
}
