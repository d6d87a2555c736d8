//go:build !linux

package sandbox

import (
	"context"
	"errors"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// Open refuses: commands of an image run on Linux.
func Open(context.Context, Options) (*Sandbox, error) {
	return nil, &diag.Problem{
		Summary: "RUN instructions cannot be carried out on this system",
		Detail: "The built-in engine runs commands on Linux only. Run this in a Linux machine or container; or build the image " +
			"elsewhere, such as with docker build, and name it with use \"docker-ref\".",
	}
}

// Run fails: no sandbox can be opened here.
func (*Sandbox) Run(context.Context, Command) error { return errors.ErrUnsupported }

// Helper is never started here.
func Helper(context.Context, []string) int { return 1 }
