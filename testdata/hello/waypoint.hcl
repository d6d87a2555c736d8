project = "hello"

app "hello" {
  build {
    hook {
      when    = "before"
      command = ["env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", "bin/hello", "."]
    }

    use "docker" {}
  }

  deploy {
    use "local" {
      health_path = "/"
    }
  }
}
