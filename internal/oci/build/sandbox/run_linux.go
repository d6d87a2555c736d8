package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// Run runs a command and waits until it and every process that it started has
// ended. A command that does not succeed is an [*ExitError]; one that cannot be
// started is a problem or another error. When ctx ends, the command is killed
// and the error is the cause of that end.
//
// Whatever the outcome, what Run put into the root is gone then, and what was
// there is back.
func (s *Sandbox) Run(ctx context.Context, c Command) error {
	if err := checkRoot(c.Root); err != nil {
		return err
	}
	if len(c.Args) == 0 {
		return errors.New("running a command: it has no words")
	}
	if err := checkSources(c.Mounts); err != nil {
		return err
	}
	work, err := os.MkdirTemp(s.options.Work, "run-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(work)
	private := filepath.Join(work, "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	sp := spec{
		Rung: s.rung, Shared: s.shared, Root: c.Root, Work: private,
		Args: c.Args, Env: c.Env, Dir: c.Dir, User: c.User, OneUser: os.Geteuid() != 0,
		Hostname: c.Hostname, Files: networkFiles(c),
	}
	if s.rung == Swap {
		if c.Ready != nil {
			if err := c.Ready(); err != nil {
				return err
			}
		}
		return s.runSwapped(ctx, c, sp)
	}
	sp.Mounts = newMounts(c.Mounts)
	if err := copyWritable(ctx, sp.Mounts, work); err != nil {
		return err
	}
	made, err := s.launch(ctx, sp, nil, c.Ready, c.Output)
	return errors.Join(err, removeStubs(c.Root, made))
}

// checkRoot returns why nothing can run in a folder.
func checkRoot(dir string) error {
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("running a command in %q: it is no absolute path", dir)
	}
	var volume unix.Statfs_t
	if err := unix.Statfs(dir, &volume); err != nil {
		return fmt.Errorf("running a command in %q: %w", dir, err)
	}
	for flag, name := range map[int64]string{unix.ST_NOEXEC: "noexec", unix.ST_RDONLY: "ro"} {
		if int64(volume.Flags)&flag == 0 {
			continue
		}
		return &diag.Problem{
			Summary: "No command can run in the folder of the build",
			Detail: fmt.Sprintf("The image's files are in %s, on a volume that is mounted with the option %s. "+
				"Name a folder on another volume for temporary files or for cache_dir.", dir, name),
		}
	}
	return nil
}

// networkFiles are the machine's files of names, which a command sees in place
// of the image's. It may write to its copy of them.
func networkFiles(c Command) []file {
	var files []file
	if resolv, err := os.ReadFile("/etc/resolv.conf"); err == nil { // else this machine does without
		files = append(files, file{Target: "/etc/resolv.conf", Content: string(resolv), Mode: 0o644})
	}
	return append(files, file{Target: "/etc/hosts", Content: hosts(c), Mode: 0o644})
}

// hosts returns the content of /etc/hosts.
func hosts(c Command) string {
	var text strings.Builder
	if own, err := os.ReadFile("/etc/hosts"); err == nil { // else this machine does without
		text.Write(own)
		if len(own) > 0 && own[len(own)-1] != '\n' {
			text.WriteByte('\n')
		}
	} else {
		text.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost\n")
	}
	if c.Hostname != "" {
		fmt.Fprintf(&text, "127.0.0.1\t%s\n", c.Hostname)
	}
	for _, h := range c.Hosts {
		fmt.Fprintf(&text, "%s\t%s\n", h.IP, h.Name)
	}
	return text.String()
}

// checkSources returns what is missing of the mounts, by its path outside.
func checkSources(mounts []Mount) error {
	for _, m := range mounts {
		if m.Kind != Bind && m.Kind != Cache && m.Kind != Shared {
			continue
		}
		if _, err := os.Stat(m.Source); err != nil {
			return fmt.Errorf("mounting %s: %w", m.Target, err)
		}
	}
	return nil
}

// copyWritable puts a copy in the place of every source that the command may
// write to and that must not change.
func copyWritable(ctx context.Context, mounts []mount, work string) error {
	for i, m := range mounts {
		if m.Kind != Bind || m.ReadOnly {
			continue
		}
		target := filepath.Join(work, fmt.Sprintf("bind-%d", i))
		if err := copyTree(ctx, m.Source, target); err != nil {
			return fmt.Errorf("copying what is mounted at %s: %w", m.Target, err)
		}
		mounts[i].Source = target
	}
	return nil
}

// copyTree copies a file or a folder with all in it: content, modes, owners,
// links and times. Pipes, sockets and devices are left out.
func copyTree(ctx context.Context, source, target string) error {
	return filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		below, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return copyEntry(path, filepath.Join(target, below), info)
	})
}
