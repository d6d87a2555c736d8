// Package arch holds the rules of this repository that a test can enforce: who
// imports whom, how long files are, what only certain places may call, and
// that the list of built-in plugins is complete.
//
// The rules are data in table_test.go, each with the reason that a failure
// prints. There is nothing here to import. What tools check better, such as
// format and dead code, is left to them.
package arch
