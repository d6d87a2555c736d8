package starter

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// configuration writes waypoint.hcl.
func configuration(o Options, apps []*app) string {
	var b strings.Builder
	b.WriteString("# What is built and deployed, and how. `deploy-action plan` shows what it would do.\n\n")
	fmt.Fprintf(&b, "project = %s\n", quote(validName(first(o.Git.Name, o.Name))))
	said := map[string]bool{} // of what several apps would repeat
	once := func(text string) string {
		if said[text] {
			return ""
		}
		said[text] = true
		return text
	}
	for _, a := range apps {
		fmt.Fprintf(&b, "\napp %s {\n", quote(a.name))
		if a.path != "." {
			fmt.Fprintf(&b, "path = %s\n\n", quote("./"+a.path))
		}
		b.WriteString("build {\n")
		a.build.write(&b)
		if a.pushes {
			writeRegistry(&b, o, a.image, once)
		}
		b.WriteString("}\n\ndeploy {\n")
		a.deploy.comment = once(a.deploy.comment)
		a.deploy.write(&b)
		b.WriteString("}\n}\n")
	}
	return string(hclwrite.Format([]byte(b.String())))
}

// tag names an image. Without a commit there is no hash to name it by.
func tag(o Options) string {
	if o.Git.Commits {
		return "gitrefhash()"
	}
	return quote("latest")
}

// writeRegistry writes the registry block, or, once, how it would look.
func writeRegistry(b *strings.Builder, o Options, image string, once func(string) string) {
	if image == "" {
		b.WriteString(once(`
# Without a registry the image stays on this machine. With one:
#
#   registry {
#     use "docker" {
#       image = "registry.example.com/NAME"
#       tag   = gitrefhash()
#     }
#   }
`))
		return
	}
	registry := stage{plugin: "docker", body: []argument{{name: "image", value: quote(image)}, {name: "tag", value: tag(o)}}}
	b.WriteString("\nregistry {\n")
	registry.write(b)
	b.WriteString("}\n")
}

// write writes the comment and the use block.
func (s stage) write(b *strings.Builder) {
	for line := range strings.Lines(s.comment) {
		b.WriteString("# " + line)
	}
	if s.comment != "" {
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "use %s {", quote(s.plugin))
	if len(s.body) > 0 {
		b.WriteString("\n")
		writeBody(b, s.body)
	}
	b.WriteString("}\n")
}

func writeBody(b *strings.Builder, body []argument) {
	for _, a := range body {
		if a.block == nil {
			fmt.Fprintf(b, "%s = %s\n", a.name, a.value)
			continue
		}
		fmt.Fprintf(b, "\n%s {\n", a.name)
		writeBody(b, a.block)
		b.WriteString("}\n")
	}
}

// quote writes text as a string of the language. The reference ${path.project}
// stays one.
func quote(text string) string {
	const project = "${path.project}"
	rest, ok := strings.CutPrefix(text, project)
	quoted := string(hclwrite.TokensForValue(cty.StringVal(rest)).Bytes())
	if ok {
		return `"` + project + quoted[1:]
	}
	return quoted
}
