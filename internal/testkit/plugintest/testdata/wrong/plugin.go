// Package wrong shows an example with an attribute that does not exist.
//
//	use "simple" {
//	  nmae = "web"
//	}
package wrong
