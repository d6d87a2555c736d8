// Package workflows holds the tests of what is neither Go nor reached by Go:
// this repository's own workflows and its release script, the setup action, and
// the recipes that users copy.
//
// There is nothing here to import. That the workflows are well-formed is
// actionlint's matter, in .ci/check; how recipes run under a runner is tested in
// package app.
package workflows
