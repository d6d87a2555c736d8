# The action's image, as .ci/release makes it with this program itself.
project = "deploy-action"

variable "image" {
  type        = string
  description = "Where the image goes, without its tag."
}

variable "version" {
  type        = string
  description = "The version, which is the image's tag."
}

variable "revision" {
  type        = string
  description = "The commit that it is made of."
}

variable "source" {
  type        = string
  description = "Address of the repository."
}

variable "base" {
  type        = string
  description = "The image that it is made on."
}

app "action" {
  build {
    use "docker" {
      build_args = { BUILDER = var.base }
      platforms  = ["linux/amd64", "linux/arm64"]
      labels = {
        "org.opencontainers.image.source"   = var.source
        "org.opencontainers.image.version"  = var.version
        "org.opencontainers.image.revision" = var.revision
      }
    }

    registry {
      use "docker" {
        image = var.image
        tag   = var.version
      }
    }
  }

  deploy {
    use "null" {}
  }
}
