# The image of the action: the static binary as PID 1, CA certificates, and a
# static shell with the few tools that runners' hooks need.
#
# BUILDER is an argument so that the image can be made where no base image can
# be pulled. It runs on the machine that builds, whatever the image is for.
ARG BUILDER=golang:1.26-bookworm
FROM --platform=${BUILDPLATFORM:-linux/amd64} ${BUILDER} AS build
ARG TARGETARCH
WORKDIR /src
COPY . .
RUN .ci/image-root /image

FROM scratch
COPY --from=build /image /
ENTRYPOINT ["/deploy-action"]
