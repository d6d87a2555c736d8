package awslambda

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// mark is how the description of a version begins that we made.
const mark = "deploy-action.dev "

// describe returns the description of a version: whose it is.
func describe(id string, sequence int) string {
	return fmt.Sprintf("%sdeployment=%s sequence=%d", mark, id, sequence)
}

// described reads what [describe] wrote; "" where it is not ours.
func described(description string) (id string, sequence int) {
	rest, ours := strings.CutPrefix(description, mark)
	if !ours {
		return "", 0
	}
	for field := range strings.FieldsSeq(rest) {
		switch key, value, _ := strings.Cut(field, "="); key {
		case "deployment":
			id = value
		case "sequence":
			sequence, _ = strconv.Atoi(value) // 0 stands for none
		}
	}
	return id, sequence
}

// of returns the versions of a deployment, the newest first. There is more than
// one only where the answer to a call was lost.
func (f *function) of(id string) []types.FunctionConfiguration {
	if f == nil {
		return nil
	}
	var own []types.FunctionConfiguration
	for _, version := range slices.Backward(f.versions) {
		if found, _ := described(sdk.ToString(version.Description)); found == id && id != "" {
			own = append(own, version)
		}
	}
	return own
}
