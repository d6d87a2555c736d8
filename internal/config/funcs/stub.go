package funcs

import (
	"github.com/hashicorp/go-bexpr"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty/function"
)

func Match(selector string, labels map[string]string) (bool, error) {
	e, err := bexpr.CreateEvaluator(selector)
	if err != nil {
		return false, err
	}
	return e.Evaluate(labels)
}

func CheckSelector(selector string) error { _, err := bexpr.CreateEvaluator(selector); return err }

func (p Place) Templates(ctx *hcl.EvalContext) map[string]function.Function { return nil }
