// Package simple shows an example that decodes.
//
//	deploy {
//	  use "simple" {
//	    name = "web"
//	  }
//	}
//
// And the other kinds, each in its stage:
//
//	build {
//	  use "simple" {
//	    name = "web"
//	  }
//	  registry {
//	    use "simple" {
//	      name = "web"
//	    }
//	  }
//	}
//
//	release {
//	  use "simple" {
//	    name = "web"
//	  }
//	}
package simple
