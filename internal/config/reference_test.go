package config_test

import (
	"testing"

	"github.com/deploy-action/deploy-action/internal/config"
)

// Whatever a file may hold is explained.
func TestReference(t *testing.T) {
	t.Parallel()
	titles := map[string]bool{}
	for _, block := range config.Reference() {
		if titles[block.Title] || len(block.Items) == 0 {
			t.Errorf("%s: there twice, or empty", block.Title)
		}
		titles[block.Title] = true
		for _, item := range block.Items {
			if item.Doc == "" {
				t.Errorf("%s: %q is not explained", block.Title, item.Name)
			}
		}
	}
}
